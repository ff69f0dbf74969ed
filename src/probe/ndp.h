// Neighbour solicitations and advertisements (RFC 4861) on Ethernet (RFC 2464), for duplicate
// address detection (RFC 4862, with the nonce of RFC 7527) and for resolution.
#ifndef RAILCNI_SRC_PROBE_NDP_H_
#define RAILCNI_SRC_PROBE_NDP_H_

#include <optional>

#include "src/probe/ethernet.h"

namespace railcni {

// ICMPv6 types (RFC 4861, 4.3 and 4.4).
constexpr uint8_t kNeighbourSolicitation = 135;
constexpr uint8_t kNeighbourAdvertisement = 136;

// A nonce of the shortest length (RFC 3971, 5.3.2): the option then fills 8 bytes.
using Nonce = std::array<uint8_t, 6>;

struct NeighbourMessage {
  uint8_t type = 0;
  MacAddress sender_mac{};  // of the Ethernet header
  IpAddress source;
  IpAddress destination;
  IpAddress target;
  std::optional<MacAddress> link_layer;  // source's in a solicitation, target's in an advertisement
  std::optional<Nonce> nonce;            // of another length than ours: left out
};

constexpr IpAddress kUnspecifiedV6 = {Family::kV6, 0};
// ff02::1.
constexpr IpAddress kAllNodes = {Family::kV6, U128{0xff02} << 112 | 1};

// ff02::1:ffXX:XXXX, where who has `address` listens (RFC 4291, 2.7.1).
IpAddress solicited_node(const IpAddress& address);
// 33:33 and the last four bytes of the group (RFC 2464, 7).
MacAddress multicast_mac(const IpAddress& group);

// "Has anybody this address?" without claiming it: from :: (RFC 4862, 5.4.2).
Frame duplicate_solicitation(const MacAddress& mac, const IpAddress& address, const Nonce& nonce);
// "Who has `target`?", asked from `source`.
Frame solicitation(const MacAddress& mac, const IpAddress& source, const IpAddress& target);
// "The address is here", to all nodes (RFC 4861, 7.2.6).
Frame unsolicited_advertisement(const MacAddress& mac, const IpAddress& address);

// Nothing for frames that are not solicitations or advertisements, or that RFC 4861, 7.1.1 and
// 7.1.2 tell to discard. Fragments and extension headers are not looked into (RFC 6980 forbids the
// first, nobody sends the second).
std::optional<NeighbourMessage> parse_neighbour_message(FrameView frame);

}  // namespace railcni

#endif  // RAILCNI_SRC_PROBE_NDP_H_
