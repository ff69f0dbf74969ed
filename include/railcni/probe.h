// Probes on a link: is an address in use by somebody else, does a gateway answer, and announcements
// of what is ours. ARP for IPv4 (RFC 826, RFC 5227), neighbour discovery for IPv6 (RFC 4861, 4862).
#ifndef RAILCNI_PROBE_H_
#define RAILCNI_PROBE_H_

#include <chrono>
#include <optional>
#include <vector>

#include "railcni/address.h"
#include "railcni/netlink.h"

namespace railcni {

// How long probing takes at most. Both families are probed at the same time.
struct ProbeTiming {
  int probes = 3;                                // how many are sent for each address
  std::chrono::milliseconds interval{60};        // between two of them
  std::chrono::milliseconds last_wait{100};      // for answers to the last one
  std::chrono::milliseconds gateway_limit{500};  // for a gateway to answer, asked every 100 ms
};

struct Conflict {
  IpAddress address;
  HwAddress owner;  // the other's link-layer address; empty when the kernel does not tell it
};

// Everything below runs in the link's namespace, on a link that is up. `link` says index, name and
// link-layer address. Frames are built only for links whose address has 6 bytes; on others (IPoIB)
// the kernel's own neighbour resolution does the asking, by `netlink`, a socket of the same
// namespace. Nothing that arrives on the wire (floods, malformed or forged frames) makes a call
// longer than its timing or crashes it. All throw Error{kKernel} when a socket cannot be made.

// Asks for each of `addresses`, none of which may be configured yet, whether somebody has it.
// Answers at once when one has. A probe of somebody else for the same address counts too (two
// hosts that are about to take one address).
std::vector<Conflict> find_conflicts(RouteSocket& netlink, const LinkInfo& link,
                                     const std::vector<IpAddress>& addresses,
                                     const ProbeTiming& timing);

// Asks for each gateway; returns those that did not answer in time, returns early when all did.
// `sources` are the link's own addresses by now: each gateway is asked from the one of its family.
std::vector<IpAddress> find_silent_gateways(RouteSocket& netlink, const LinkInfo& link,
                                            const std::vector<IpAddress>& sources,
                                            const std::vector<IpAddress>& gateways,
                                            const ProbeTiming& timing);

// Tells the neighbours once that the addresses are at this link: gratuitous ARP requests and
// unsolicited neighbour advertisements. Waits for nothing; what cannot be sent is only logged. On a
// link whose address has not 6 bytes it does nothing (the kernel announces by arp_notify and
// ndisc_notify).
void announce(const LinkInfo& link, const std::vector<IpAddress>& addresses);

}  // namespace railcni

#endif  // RAILCNI_PROBE_H_
