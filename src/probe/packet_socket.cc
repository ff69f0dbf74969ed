#include "src/probe/packet_socket.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cerrno>

#include "railcni/error.h"

namespace railcni {

PacketSocket::PacketSocket(const LinkInfo& link)
    // Protocol 0 receives nothing at all: what arrives before the filter and the link are set
    // would otherwise be queued, from every link of the namespace.
    : link_(link.index),
      link_name_(link.name),
      fd_(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  if (!fd_) fail("cannot open a packet socket");
}

void PacketSocket::listen(const Filter& filter) {
  sock_fprog program{};
  program.len = static_cast<unsigned short>(filter.size());
  program.filter = const_cast<sock_filter*>(filter.data());
  if (setsockopt(fd(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) {
    fail("cannot set a packet filter");
  }
  if (bound_) return;
  // ETH_P_ALL also shows what is sent from here. A kernel before 4.20 cannot leave it out; who
  // listens knows its own frames anyway.
  const int on = 1;
  setsockopt(fd(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = link_;
  if (bind(fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("cannot bind a packet socket");
  }
  bound_ = true;
}

void PacketSocket::join(const MacAddress& group) {
  packet_mreq request{};
  request.mr_ifindex = link_;
  request.mr_type = PACKET_MR_MULTICAST;
  request.mr_alen = static_cast<unsigned short>(group.size());
  std::copy(group.begin(), group.end(), request.mr_address);
  if (setsockopt(fd(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) != 0) {
    fail("cannot join a multicast group");
  }
}

bool PacketSocket::send(FrameView frame) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(read_u16(frame, kEthernetHeader - 2));
  address.sll_ifindex = link_;
  while (sendto(fd(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&address),
                sizeof address) < 0) {
    if (errno == EINTR) continue;
    if (errno == ENOBUFS || errno == EAGAIN) return false;
    fail("cannot send");
  }
  return true;
}

std::optional<FrameView> PacketSocket::receive(std::span<uint8_t> buffer) {
  for (;;) {
    // MSG_TRUNC: the frame's real length, also when it is longer than the buffer.
    const ssize_t count = recv(fd(), buffer.data(), buffer.size(), MSG_TRUNC);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return std::nullopt;
    if (count < 0) fail("cannot receive");
    if (static_cast<size_t>(count) <= buffer.size()) {
      return FrameView(buffer).first(static_cast<size_t>(count));
    }
  }
}

void PacketSocket::fail(const std::string& what) const {
  throw_errno(Code::kKernel, link_name_ + ": " + what, errno);
}

}  // namespace railcni
