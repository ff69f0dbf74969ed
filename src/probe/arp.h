// ARP for IPv4 on Ethernet (RFC 826), with the probes and announcements of RFC 5227.
#ifndef RAILCNI_SRC_PROBE_ARP_H_
#define RAILCNI_SRC_PROBE_ARP_H_

#include <optional>

#include "src/probe/ethernet.h"

namespace railcni {

struct ArpPacket {
  uint16_t operation = 0;  // ARPOP_REQUEST or ARPOP_REPLY of <linux/if_arp.h>
  MacAddress sender_mac{};
  IpAddress sender_ip;
  MacAddress target_mac{};
  IpAddress target_ip;
};

// The whole frame, from the Ethernet header on.
Frame arp_frame(const MacAddress& destination, const ArpPacket& packet);

// "Has anybody this address?" without claiming it: no sender address, so that nobody's cache
// changes (RFC 5227, 2.1.1).
Frame arp_probe(const MacAddress& mac, const IpAddress& address);
// "Who has `target`?", asked from `source`.
Frame arp_request(const MacAddress& mac, const IpAddress& source, const IpAddress& target);
// "The address is here": a request whose sender and target are the same (RFC 5227, 2.3).
Frame arp_announcement(const MacAddress& mac, const IpAddress& address);

// Nothing for frames that are not ARP requests or replies for IPv4 on Ethernet. What follows the
// packet (the padding of short frames) is ignored.
std::optional<ArpPacket> parse_arp(FrameView frame);

}  // namespace railcni

#endif  // RAILCNI_SRC_PROBE_ARP_H_
