// The kernel's neighbour table: who is at which link-layer address.
#ifndef RAILCNI_NEIGHBOUR_H_
#define RAILCNI_NEIGHBOUR_H_

#include <optional>

#include "railcni/netlink.h"

namespace railcni {

struct NeighbourInfo {
  uint16_t state = 0;    // NUD_* of <linux/neighbour.h>
  HwAddress hw_address;  // empty as long as nobody answered
};

// Has the kernel resolve the address on the link as if something were to be sent there: makes an
// entry when there is none, and asks at once.
NetlinkMessage use_neighbour_message(int link, const IpAddress& address);
// Adds or replaces a permanent entry.
NetlinkMessage permanent_neighbour_message(int link, const IpAddress& address,
                                           const HwAddress& hw_address);
NetlinkMessage delete_neighbour_message(int link, const IpAddress& address);

// RTM_NEWNEIGH; nothing for another message or one that is too short.
std::optional<NeighbourInfo> parse_neighbour(const nlmsghdr* header);

// The entry, or nothing when there is none. Throws Error{kKernel}.
std::optional<NeighbourInfo> find_neighbour(RouteSocket& socket, int link,
                                            const IpAddress& address);

}  // namespace railcni

#endif  // RAILCNI_NEIGHBOUR_H_
