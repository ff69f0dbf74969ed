#include "src/kernel/netlink_reply.h"

#include <linux/netlink.h>
#include <netlink/msg.h>

#include <cerrno>
#include <cstring>

#include "src/kernel/attributes.h"

namespace railcni {
namespace {

// What a message carries for a status: 0 or a negative errno, of which there are less than 4096
// (MAX_ERRNO of <linux/err.h>).
int errno_of(int status) { return status <= 0 && status > -4096 ? -status : EBADMSG; }

// The text of NLMSGERR_ATTR_MSG, the kernel's extended acknowledgement.
std::string extended_ack(const nlmsghdr* header, const nlmsgerr* error) {
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return "";
  // The failed request follows, whole unless NLM_F_CAPPED is set; the attributes stand after it.
  size_t offset = sizeof(nlmsgerr);
  if ((header->nlmsg_flags & NLM_F_CAPPED) == 0) {
    if (error->msg.nlmsg_len < sizeof(nlmsghdr)) return "";
    offset += NLMSG_ALIGN(size_t{error->msg.nlmsg_len}) - sizeof(nlmsghdr);
  }
  std::string explanation;
  each_attribute(header, offset, [&explanation](int type, const nlattr* attribute) {
    if (type == NLMSGERR_ATTR_MSG) explanation = text(attribute);
  });
  return explanation;
}

void read_error(const nlmsghdr* header, NetlinkOutcome& outcome) {
  if (static_cast<size_t>(nlmsg_datalen(header)) < sizeof(nlmsgerr)) {
    outcome.error = EBADMSG;
    return;
  }
  const auto* error = static_cast<const nlmsgerr*>(nlmsg_data(header));
  outcome.error = errno_of(error->error);
  outcome.explanation = extended_ack(header, error);
}

// The end of a dump carries its status.
void read_done(const nlmsghdr* header, NetlinkOutcome& outcome) {
  int status = 0;
  if (static_cast<size_t>(nlmsg_datalen(header)) >= sizeof status) {
    memcpy(&status, nlmsg_data(header), sizeof status);
  }
  if (status < 0) outcome.error = errno_of(status);
}

}  // namespace

size_t read_replies(const char* bytes, size_t size, uint32_t first,
                    std::vector<NetlinkOutcome>& outcomes,
                    const std::function<void(const nlmsghdr*)>& on_message) {
  size_t done = 0;
  int left = static_cast<int>(size);
  for (auto* header = reinterpret_cast<nlmsghdr*>(const_cast<char*>(bytes)); nlmsg_ok(header, left);
       header = nlmsg_next(header, &left)) {
    // Unsigned: what is older than `first` wraps around and is beyond the end too.
    const uint32_t position = header->nlmsg_seq - first;
    if (position >= outcomes.size() || outcomes[position].is_done) continue;
    NetlinkOutcome& outcome = outcomes[position];
    if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0) outcome.error = EINTR;
    if (header->nlmsg_type == NLMSG_ERROR) {
      read_error(header, outcome);
    } else if (header->nlmsg_type == NLMSG_DONE) {
      read_done(header, outcome);
    } else {
      if (on_message) on_message(header);
      if (outcome.is_acknowledged) continue;
    }
    outcome.is_done = true;
    ++done;
  }
  return done;
}

}  // namespace railcni
