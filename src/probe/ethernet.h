// What ARP and NDP frames share: 6-byte addresses, the Ethernet header, numbers in network order.
#ifndef RAILCNI_SRC_PROBE_ETHERNET_H_
#define RAILCNI_SRC_PROBE_ETHERNET_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "railcni/address.h"

namespace railcni {

using MacAddress = std::array<uint8_t, 6>;
using Frame = std::vector<uint8_t>;
using FrameView = std::span<const uint8_t>;

constexpr MacAddress kBroadcastMac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
// Destination, source, EtherType (IEEE 802.3, clause 3.1.1).
constexpr size_t kEthernetHeader = 14;

// True when frames can be built for a link of that address; false on IPoIB (20 bytes) and on
// links without one.
inline bool is_mac(const HwAddress& address) { return address.size() == MacAddress().size(); }

// `address` must be one, see is_mac().
inline MacAddress to_mac(const HwAddress& address) {
  MacAddress mac{};
  std::copy_n(address.begin(), mac.size(), mac.begin());
  return mac;
}

inline HwAddress to_hw_address(const MacAddress& mac) { return {mac.begin(), mac.end()}; }

// The caller has checked the size.
inline uint16_t read_u16(FrameView bytes, size_t offset) {
  return static_cast<uint16_t>(bytes[offset] << 8 | bytes[offset + 1]);
}

inline MacAddress read_mac(FrameView bytes, size_t offset) {
  MacAddress mac{};
  std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(offset), mac.size(), mac.begin());
  return mac;
}

inline void append(Frame& frame, FrameView bytes) {
  frame.insert(frame.end(), bytes.begin(), bytes.end());
}

inline void append_u16(Frame& frame, uint16_t value) {
  frame.push_back(static_cast<uint8_t>(value >> 8));
  frame.push_back(static_cast<uint8_t>(value & 0xff));
}

inline void append_ip(Frame& frame, const IpAddress& address) {
  append(frame, FrameView(address.bytes()).first(address.byte_size()));
}

inline Frame ethernet_header(const MacAddress& destination, const MacAddress& source,
                             uint16_t ethertype) {
  Frame frame;
  frame.reserve(96);  // the longest that is built here has 86 bytes
  append(frame, destination);
  append(frame, source);
  append_u16(frame, ethertype);
  return frame;
}

}  // namespace railcni

#endif  // RAILCNI_SRC_PROBE_ETHERNET_H_
