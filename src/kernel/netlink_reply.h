// Reads what the kernel sends back on a netlink socket: acknowledgements, errors, ends of dumps.
#ifndef RAILCNI_SRC_KERNEL_NETLINK_REPLY_H_
#define RAILCNI_SRC_KERNEL_NETLINK_REPLY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

struct nlmsghdr;

namespace railcni {

// How a request ended.
struct NetlinkOutcome {
  bool is_acknowledged = true;  // false: an object, where there is one, is all of the answer
  int error = 0;                // an errno, 0 for success
  std::string explanation;      // the kernel's own, mostly empty
  bool is_done = false;
};

// Reads one datagram, trusting none of its lengths. `outcomes` are those of the requests with the
// sequence numbers from `first` on; messages for others are passed over. What is neither an
// acknowledgement nor the end of a dump is given to `on_message` (it may be empty). Returns how
// many of the outcomes were done by this datagram.
size_t read_replies(const char* bytes, size_t size, uint32_t first,
                    std::vector<NetlinkOutcome>& outcomes,
                    const std::function<void(const nlmsghdr*)>& on_message);

}  // namespace railcni

#endif  // RAILCNI_SRC_KERNEL_NETLINK_REPLY_H_
