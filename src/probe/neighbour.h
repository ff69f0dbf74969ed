// Probing by the kernel's neighbour resolution, for links whose frames are not built here (IPoIB:
// the address has 20 bytes and multicast is mapped by the subnet manager).
#ifndef RAILCNI_SRC_PROBE_NEIGHBOUR_H_
#define RAILCNI_SRC_PROBE_NEIGHBOUR_H_

#include <vector>

#include "railcni/probe.h"
#include "src/probe/exchange.h"

namespace railcni {

// Has the kernel ask for each address and returns those that somebody else answered for, with the
// answer's link-layer address. Returns early when all did, with `first_only` when one did. The
// neighbour entries that it makes are removed again. Throws Error{kKernel} when the link is down.
//
// The kernel sends ARP requests from an address of the namespace (from 0.0.0.0 when there is none)
// and solicitations from the link's link-local address: as long as that is tentative, nothing is
// asked for an IPv6 address.
std::vector<Conflict> ask_kernel(RouteSocket& netlink, const LinkInfo& link,
                                 const std::vector<IpAddress>& addresses, const Rounds& rounds,
                                 bool first_only);

}  // namespace railcni

#endif  // RAILCNI_SRC_PROBE_NEIGHBOUR_H_
