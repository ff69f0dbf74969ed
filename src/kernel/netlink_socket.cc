#include <linux/netlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "railcni/error.h"
#include "railcni/netlink.h"
#include "src/kernel/netlink_reply.h"

namespace railcni {
namespace {

// The kernel fills up to 32 KiB per recv(2) of a dump (netlink(7)); a smaller buffer truncates. The
// one message that can be longer is a PF with its list of VFs: that attribute alone has up to
// 64 KiB (nla_len is 16 bits wide).
constexpr size_t kReceiveBuffer = 128 << 10;

// How often a dump is begun again because something changed underneath (NLM_F_DUMP_INTR): in the
// host, where that ends, and in a namespace whose owner may not want it to.
constexpr int kDumpTries = 50;
constexpr int kTornDumpTries = 5;

// The acknowledgements of all that is sent at once wait together in the socket's buffer, which by
// the kernel's default holds some 270 of them; the others are lost.
constexpr size_t kMostAtOnce = 64;

constexpr int kBusyTries = 40;
constexpr useconds_t kBusyPause = 50000;  // microseconds

}  // namespace

Error kernel_refusal(const std::string& what, int error, const std::string& explanation) {
  std::string msg = what + ": " + errno_text(error);
  if (!explanation.empty()) msg += " (" + explanation + ")";
  return Error(Code::kKernel, msg);
}

void NetlinkSocket::Free::operator()(nl_sock* socket) const { nl_socket_free(socket); }

// The buffer is left as it is allocated: pages that no reply reaches are never touched.
NetlinkSocket::NetlinkSocket(int protocol)
    : socket_(nl_socket_alloc()), buffer_(new char[kReceiveBuffer]) {
  if (!socket_) throw std::bad_alloc();
  if (nl_connect(socket_.get(), protocol) < 0) {
    // libnl has no error of its own for most of socket(2)'s.
    throw_errno(Code::kKernel, "cannot open a netlink socket", errno);
  }
  // Both are comforts that an old kernel may lack: explanations, and short acknowledgements.
  const int on = 1;
  const int fd = nl_socket_get_fd(socket_.get());
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  // Filters of GETLINK and friends are then honoured or refused, never ignored.
  setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
}

uint32_t NetlinkSocket::transmit(const std::vector<const nlmsghdr*>& messages) {
  const uint32_t first = sequence_ + 1;
  std::vector<iovec> parts;
  for (const nlmsghdr* message : messages) {
    auto* header = const_cast<nlmsghdr*>(message);
    header->nlmsg_seq = ++sequence_;
    header->nlmsg_pid = nl_socket_get_local_port(socket_.get());
    parts.push_back({header, NLMSG_ALIGN(header->nlmsg_len)});
  }
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  msghdr msg{};
  msg.msg_name = &kernel;
  msg.msg_namelen = sizeof kernel;
  msg.msg_iov = parts.data();
  msg.msg_iovlen = parts.size();
  while (sendmsg(nl_socket_get_fd(socket_.get()), &msg, 0) < 0) {
    if (errno != EINTR) throw_errno(Code::kKernel, "cannot send on a netlink socket", errno);
  }
  return first;
}

void NetlinkSocket::receive(uint32_t first, std::vector<NetlinkOutcome>& outcomes,
                            const OnMessage& on_message) {
  size_t waiting = outcomes.size();
  while (waiting > 0) {
    const ssize_t count = recv(nl_socket_get_fd(socket_.get()), buffer_.get(), kReceiveBuffer, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int reason = errno;
      discard_replies();
      throw_errno(Code::kKernel, "cannot receive on a netlink socket", reason);
    }
    waiting -= read_replies(buffer_.get(), static_cast<size_t>(count), first, outcomes, on_message);
  }
}

// A dump goes on as it is received, and a second one is refused (EBUSY) until its end.
void NetlinkSocket::discard_replies() {
  const int fd = nl_socket_get_fd(socket_.get());
  while (recv(fd, buffer_.get(), kReceiveBuffer, MSG_DONTWAIT) > 0) {
  }
}

std::vector<size_t> NetlinkSocket::send(const NetlinkBatch& batch) {
  std::vector<size_t> existed;
  const std::vector<NetlinkBatch::Step>& steps = batch.steps_;
  for (size_t begin = 0; begin < steps.size(); begin += kMostAtOnce) {
    const size_t end = std::min(begin + kMostAtOnce, steps.size());
    std::vector<const nlmsghdr*> messages;
    for (size_t i = begin; i < end; ++i) messages.push_back(steps[i].message.header());
    std::vector<NetlinkOutcome> outcomes(messages.size());
    receive(transmit(messages), outcomes, nullptr);
    for (size_t i = begin; i < end; ++i) {
      const NetlinkOutcome& outcome = outcomes[i - begin];
      if (outcome.error == 0) continue;
      if (outcome.error == EEXIST && steps[i].may_exist) {
        existed.push_back(i);
        continue;
      }
      throw kernel_refusal(steps[i].what, outcome.error, outcome.explanation);
    }
  }
  return existed;
}

void NetlinkSocket::send(NetlinkMessage message, std::string what) {
  NetlinkBatch batch;
  batch.add(std::move(message), std::move(what));
  send(batch);
}

int NetlinkSocket::try_send(const NetlinkMessage& message, std::string* explanation) {
  std::vector<NetlinkOutcome> outcomes(1);
  receive(transmit({message.header()}), outcomes, nullptr);
  if (explanation != nullptr) *explanation = outcomes[0].explanation;
  return outcomes[0].error;
}

int NetlinkSocket::send_while_busy(const NetlinkMessage& message, std::string* explanation) {
  for (int tries = 1;; ++tries) {
    const int error = try_send(message, explanation);
    if (error != EBUSY || tries == kBusyTries) return error;
    usleep(kBusyPause);
  }
}

// The kernel answers with the object or with an error: no acknowledgement has to be read as well.
int NetlinkSocket::try_get(NetlinkMessage message, const OnMessage& on_reply) {
  message.expect_no_acknowledgement();
  std::vector<NetlinkOutcome> outcomes(1);
  outcomes[0].is_acknowledged = false;
  receive(transmit({message.header()}), outcomes, on_reply);
  return outcomes[0].error;
}

void NetlinkSocket::dump(const NetlinkMessage& message, const std::function<void()>& restart,
                         const OnMessage& on_message) {
  for (int tries = 1;; ++tries) {
    restart();
    std::vector<NetlinkOutcome> outcomes(1);
    receive(transmit({message.header()}), outcomes, on_message);
    if (outcomes[0].error == 0) return;
    if (outcomes[0].error != EINTR) {
      throw kernel_refusal("netlink dump", outcomes[0].error, outcomes[0].explanation);
    }
    if (accepts_torn_dumps_ && tries == kTornDumpTries) return;
    if (tries == kDumpTries) {
      throw Error(Code::kTryAgainLater, "the kernel's tables keep changing while they are read");
    }
  }
}

}  // namespace railcni
