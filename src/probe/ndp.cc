#include "src/probe/ndp.h"

#include <linux/if_ether.h>

namespace railcni {
namespace {

constexpr uint8_t kIcmpV6 = 58;  // the next-header value (RFC 4443, 1)
// Whoever receives another value knows that a router was passed (RFC 4861, 7.1).
constexpr uint8_t kHopLimit = 255;

// The IPv6 header (RFC 8200, 3).
constexpr size_t kIp = kEthernetHeader;
constexpr size_t kPayloadLength = kIp + 4;
constexpr size_t kNextHeader = kIp + 6;
constexpr size_t kHopLimitAt = kIp + 7;
constexpr size_t kSource = kIp + 8;
constexpr size_t kDestination = kIp + 24;
// The ICMPv6 message (RFC 4861, 4.3 and 4.4).
constexpr size_t kIcmp = kIp + 40;
constexpr size_t kCode = kIcmp + 1;
constexpr size_t kChecksum = kIcmp + 2;
constexpr size_t kFlags = kIcmp + 4;
constexpr size_t kTarget = kIcmp + 8;
constexpr size_t kOptions = kIcmp + 24;

constexpr uint8_t kSolicitedFlag = 0x40;
constexpr uint8_t kOverrideFlag = 0x20;

// Option types (RFC 4861, 4.6.1; RFC 3971, 5.3.2); the length counts units of 8 bytes.
constexpr uint8_t kSourceLinkLayer = 1;
constexpr uint8_t kTargetLinkLayer = 2;
constexpr uint8_t kNonceOption = 14;
constexpr size_t kOptionUnit = 8;

// The Internet checksum (RFC 1071) of the message and its pseudo-header (RFC 8200, 8.1); 0 when
// the checksum in the message is right.
uint16_t checksum(FrameView frame) {
  const FrameView message = frame.subspan(kIcmp);
  uint32_t sum = kIcmpV6 + static_cast<uint32_t>(message.size());
  for (size_t i = kSource; i < kIcmp; i += 2) sum += read_u16(frame, i);
  for (size_t i = 0; i + 1 < message.size(); i += 2) sum += read_u16(message, i);
  if (message.size() % 2 != 0) sum += static_cast<uint32_t>(message.back() << 8);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum & 0xffff);
}

struct Option {
  uint8_t type;
  std::array<uint8_t, 6> value;
};

Frame build(uint8_t type, uint8_t flags, const MacAddress& mac, const IpAddress& source,
            const IpAddress& destination, const IpAddress& target, const Option& option) {
  Frame frame = ethernet_header(multicast_mac(destination), mac, ETH_P_IPV6);
  append(frame, std::array<uint8_t, 4>{0x60, 0, 0, 0});  // version 6, no class, no flow
  append_u16(frame, static_cast<uint16_t>(kOptions - kIcmp + kOptionUnit));
  frame.push_back(kIcmpV6);
  frame.push_back(kHopLimit);
  append_ip(frame, source);
  append_ip(frame, destination);
  frame.push_back(type);
  frame.push_back(0);  // code
  append_u16(frame, 0);
  frame.push_back(flags);
  append(frame, std::array<uint8_t, 3>{});
  append_ip(frame, target);
  frame.push_back(option.type);
  frame.push_back(1);
  append(frame, option.value);
  const uint16_t sum = checksum(frame);
  frame[kChecksum] = static_cast<uint8_t>(sum >> 8);
  frame[kChecksum + 1] = static_cast<uint8_t>(sum & 0xff);
  return frame;
}

bool is_multicast(const IpAddress& address) { return address.value >> 120 == 0xff; }

bool is_solicited_node(const IpAddress& address) { return address == solicited_node(address); }

// Reads the options behind the fixed part; false when one has no length or runs over the end.
bool parse_options(FrameView options, NeighbourMessage& message) {
  const uint8_t wanted =
      message.type == kNeighbourSolicitation ? kSourceLinkLayer : kTargetLinkLayer;
  while (!options.empty()) {
    if (options.size() < 2) return false;
    const size_t size = options[1] * kOptionUnit;
    if (size == 0 || size > options.size()) return false;
    if (options[0] == wanted && size == kOptionUnit) message.link_layer = read_mac(options, 2);
    if (options[0] == kNonceOption && size == kOptionUnit) message.nonce = read_mac(options, 2);
    options = options.subspan(size);
  }
  return true;
}

}  // namespace

IpAddress solicited_node(const IpAddress& address) {
  constexpr U128 kPrefix = U128{0xff02} << 112 | U128{0x1ff000000};
  return {Family::kV6, kPrefix | (address.value & 0xffffff)};
}

MacAddress multicast_mac(const IpAddress& group) {
  const auto bytes = group.bytes();
  return {0x33, 0x33, bytes[12], bytes[13], bytes[14], bytes[15]};
}

Frame duplicate_solicitation(const MacAddress& mac, const IpAddress& address, const Nonce& nonce) {
  // The source link-layer option must not be there when the source is :: (RFC 4861, 4.3).
  return build(kNeighbourSolicitation, 0, mac, kUnspecifiedV6, solicited_node(address), address,
               {kNonceOption, nonce});
}

Frame solicitation(const MacAddress& mac, const IpAddress& source, const IpAddress& target) {
  return build(kNeighbourSolicitation, 0, mac, source, solicited_node(target), target,
               {kSourceLinkLayer, mac});
}

Frame unsolicited_advertisement(const MacAddress& mac, const IpAddress& address) {
  return build(kNeighbourAdvertisement, kOverrideFlag, mac, address, kAllNodes, address,
               {kTargetLinkLayer, mac});
}

std::optional<NeighbourMessage> parse_neighbour_message(FrameView frame) {
  if (frame.size() < kOptions || read_u16(frame, kEthernetHeader - 2) != ETH_P_IPV6 ||
      frame[kIp] >> 4 != 6 || frame[kNextHeader] != kIcmpV6 || frame[kHopLimitAt] != kHopLimit) {
    return std::nullopt;
  }
  const size_t length = read_u16(frame, kPayloadLength);
  if (length < kOptions - kIcmp || length > frame.size() - kIcmp) return std::nullopt;
  frame = frame.first(kIcmp + length);  // without the padding of short frames
  NeighbourMessage message;
  message.type = frame[kIcmp];
  const bool solicits = message.type == kNeighbourSolicitation;
  if ((!solicits && message.type != kNeighbourAdvertisement) || frame[kCode] != 0 ||
      checksum(frame) != 0) {
    return std::nullopt;
  }
  message.sender_mac = read_mac(frame, 6);
  message.source = IpAddress::from_bytes(Family::kV6, &frame[kSource]);
  message.destination = IpAddress::from_bytes(Family::kV6, &frame[kDestination]);
  message.target = IpAddress::from_bytes(Family::kV6, &frame[kTarget]);
  if (is_multicast(message.target) || !parse_options(frame.subspan(kOptions), message)) {
    return std::nullopt;
  }
  if (solicits && message.source == kUnspecifiedV6 &&
      (!is_solicited_node(message.destination) || message.link_layer)) {
    return std::nullopt;
  }
  if (!solicits && is_multicast(message.destination) && (frame[kFlags] & kSolicitedFlag) != 0) {
    return std::nullopt;
  }
  return message;
}

}  // namespace railcni
