// Announcements on IPoIB links (RFC 4391), whose addresses have 20 bytes and whose frames no packet
// socket builds.
#ifndef RAILCNI_SRC_PROBE_IPOIB_H_
#define RAILCNI_SRC_PROBE_IPOIB_H_

#include <vector>

#include "railcni/address.h"
#include "railcni/netlink.h"

namespace railcni {

// The body of a gratuitous ARP request from that address; the kernel puts the header before it.
std::vector<uint8_t> ipoib_arp_announcement(const HwAddress& hardware, const IpAddress& address);
// An unsolicited neighbour advertisement, without the checksum.
std::vector<uint8_t> ipoib_advertisement(const HwAddress& hardware, const IpAddress& address);

// Tells all neighbours where the addresses are, in the calling thread's namespace. Throws
// Error{kKernel}.
void announce_on_ipoib(const LinkInfo& link, const std::vector<IpAddress>& addresses);

}  // namespace railcni

#endif  // RAILCNI_SRC_PROBE_IPOIB_H_
