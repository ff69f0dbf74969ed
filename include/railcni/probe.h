// Probes on a link: is an address in use by somebody else, does a gateway answer, and announcements
// of what is ours. ARP for IPv4 (RFC 826, RFC 5227), neighbour discovery for IPv6 (RFC 4861, 4862).
#ifndef RAILCNI_PROBE_H_
#define RAILCNI_PROBE_H_

#include <chrono>
#include <memory>
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

class PacketSocket;

// Probes one link, all its steps on one packet socket that is opened at the first need: the kernel
// closes such a socket only after an RCU grace period, 8 to 16 ms each time.
//
// Every function is called in the link's namespace and while the link is up. Frames are built only
// for links whose address has 6 bytes; on others (IPoIB) the kernel's own neighbour resolution does
// the asking. Nothing that arrives on the wire (floods, malformed or forged frames) makes a call
// longer than its timing or crashes it. Empty lists return at once.
class Prober {
 public:
  // `netlink` is a socket of the link's namespace and must outlive the Prober. `link` says index,
  // name and link-layer address: after a change of the MAC it takes a new Prober.
  Prober(RouteSocket& netlink, LinkInfo link, const ProbeTiming& timing = {});
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;
  ~Prober();

  // Asks for each of `addresses`, none of which may be configured yet, whether somebody has it.
  // Answers at once when one has. A probe of somebody else for the same address counts too (two
  // hosts that are about to take one address). Throws Error{kKernel} when no socket can be made,
  // and when the link is down or goes down or away meanwhile.
  std::vector<Conflict> find_conflicts(const std::vector<IpAddress>& addresses);

  // Asks for each gateway; returns those that did not answer in time, returns early when all did.
  // `sources` are the link's own addresses by now: each gateway is asked from the nearest of its
  // family. Throws as find_conflicts().
  std::vector<IpAddress> find_silent_gateways(const std::vector<IpAddress>& sources,
                                              const std::vector<IpAddress>& gateways);

  // Tells the neighbours once that the addresses are at this link: gratuitous ARP requests and
  // unsolicited neighbour advertisements. Waits for nothing; what cannot be sent is only logged. On
  // a link that is neither Ethernet nor IPoIB it does nothing (the kernel announces by arp_notify
  // and ndisc_notify).
  void announce(const std::vector<IpAddress>& addresses);

 private:
  PacketSocket& socket();

  RouteSocket& netlink_;
  LinkInfo link_;
  ProbeTiming timing_;
  std::unique_ptr<PacketSocket> socket_;
};

}  // namespace railcni

#endif  // RAILCNI_PROBE_H_
