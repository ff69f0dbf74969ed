// IP addresses, prefixes and ranges as plain values, and hardware addresses.
#ifndef RAILCNI_ADDRESS_H_
#define RAILCNI_ADDRESS_H_

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace railcni {

__extension__ typedef unsigned __int128 U128;

enum class Family : uint8_t { kV4 = 4, kV6 = 6 };

// Number of bits of an address: 32 or 128.
constexpr int address_bits(Family family) { return family == Family::kV4 ? 32 : 128; }
// "IPv4" or "IPv6".
std::string_view family_name(Family family);

struct IpAddress {
  Family family = Family::kV4;
  U128 value = 0;  // the address as a number, in host order

  // Parses "10.0.0.1" or "fd00::1"; nothing when the text is not an address. An IPv4-mapped IPv6
  // address (::ffff:10.0.0.1) stays an IPv6 one.
  static std::optional<IpAddress> parse(std::string_view text);
  // As parse(), but throws Error{kInvalidConfig} naming `what` and the text.
  static IpAddress parse_or_throw(std::string_view text, std::string_view what);
  // From 4 or 16 bytes in network order.
  static IpAddress from_bytes(Family family, const uint8_t* bytes);

  // The address in network order: the first 4 or 16 bytes count (see byte_size()).
  std::array<uint8_t, 16> bytes() const;
  size_t byte_size() const { return family == Family::kV4 ? 4 : 16; }
  std::string to_string() const;

  // 169.254.0.0/16 (RFC 3927) or fe80::/10 (RFC 4291, section 2.5.6).
  bool is_link_local() const;

  auto operator<=>(const IpAddress&) const = default;
};

// An address with a prefix length. The host bits are kept: "10.0.0.7/24" is an interface's
// address, network() is its subnet.
struct IpPrefix {
  IpAddress address;
  uint8_t length = 0;

  // Parses "10.0.0.0/8"; nothing when the text is not a prefix.
  static std::optional<IpPrefix> parse(std::string_view text);
  static IpPrefix parse_or_throw(std::string_view text, std::string_view what);
  // The prefix that holds this one address.
  static IpPrefix of(const IpAddress& address) {
    return {address, static_cast<uint8_t>(address_bits(address.family))};
  }

  Family family() const { return address.family; }
  // The prefix with its host bits cleared.
  IpPrefix network() const;
  // First and last address of the subnet, network and broadcast address included.
  IpAddress first() const;
  IpAddress last() const;
  bool contains(const IpAddress& other) const;
  std::string to_string() const;

  auto operator<=>(const IpPrefix&) const = default;
};

// The addresses from `first` to `last`, both included.
struct AddressRange {
  IpAddress first;
  IpAddress last;

  bool contains(const IpAddress& address) const { return first <= address && address <= last; }
  // "10.0.0.1-10.0.0.9", or "10.0.0.1" when it is a single address.
  std::string to_string() const;

  auto operator<=>(const AddressRange&) const = default;
};

// A number of up to 128 bits in decimal.
std::string to_string(U128 number);

// A link-layer address: 6 bytes on Ethernet, 20 on IPoIB.
using HwAddress = std::vector<uint8_t>;

// Parses "aa:bb:cc:dd:ee:ff" or a 20-byte address in the same form, either case; nothing when the
// text is neither.
std::optional<HwAddress> parse_hw_address(std::string_view text);
// A random unicast MAC of the locally administered kind. Throws Error{kIoFailure}.
HwAddress random_mac();
// Lower-case, colon-separated.
std::string to_string(const HwAddress& address);

}  // namespace railcni

#endif  // RAILCNI_ADDRESS_H_
