#include "railcni/address.h"

#include <arpa/inet.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "railcni/error.h"

namespace railcni {
namespace {

// The bits of a host part of `bits` bits, all set. Shifting a 128-bit number by 128 is undefined,
// so the whole address space is a case of its own.
U128 host_mask(int bits) {
  if (bits >= 128) return ~static_cast<U128>(0);
  return (static_cast<U128>(1) << bits) - 1;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view family_name(Family family) { return family == Family::kV4 ? "IPv4" : "IPv6"; }

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  // inet_pton() wants a terminated string and would stop at a NUL inside of this one.
  char buffer[INET6_ADDRSTRLEN + 1] = {};
  if (text.empty() || text.size() >= sizeof buffer || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  std::memcpy(buffer, text.data(), text.size());
  Family family = text.find(':') == std::string_view::npos ? Family::kV4 : Family::kV6;
  uint8_t raw[16] = {};
  if (inet_pton(family == Family::kV4 ? AF_INET : AF_INET6, buffer, raw) != 1) return std::nullopt;
  return from_bytes(family, raw);
}

IpAddress IpAddress::parse_or_throw(std::string_view text, std::string_view what) {
  if (std::optional<IpAddress> address = parse(text)) return *address;
  throw Error(Code::kInvalidConfig, std::string(what) + ": \"" + std::string(text) +
                                        "\" is not an IP address (such as 10.0.0.1 or fd00::1)");
}

bool IpAddress::is_link_local() const {
  if (family == Family::kV4) return value >> 16 == 0xa9fe;
  return value >> 118 == 0xfe80u >> 6;
}

IpAddress IpAddress::from_bytes(Family family, const uint8_t* bytes) {
  IpAddress address{family, 0};
  for (size_t i = 0; i < address.byte_size(); ++i) address.value = address.value << 8 | bytes[i];
  return address;
}

std::array<uint8_t, 16> IpAddress::bytes() const {
  std::array<uint8_t, 16> raw{};
  U128 rest = value;
  for (size_t i = byte_size(); i-- > 0; rest >>= 8) raw[i] = static_cast<uint8_t>(rest & 0xff);
  return raw;
}

std::string IpAddress::to_string() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  const std::array<uint8_t, 16> raw = bytes();
  if (family == Family::kV6) return inet_ntop(AF_INET6, raw.data(), buffer, sizeof buffer);
  // inet_ntop() would do it by sprintf(), and an ADD writes some thirty addresses.
  char* end = buffer;
  for (size_t i = 0; i < byte_size(); ++i) {
    if (i > 0) *end++ = '.';
    end = std::to_chars(end, std::end(buffer), raw[i]).ptr;
  }
  return std::string(buffer, end);
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  std::optional<IpAddress> address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  std::string_view digits = text.substr(slash + 1);
  // No sign, no leading zero: "/024" is as likely an octal as a slip of the hand.
  if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits[0] == '0')) {
    return std::nullopt;
  }
  int length = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc() || end != digits.data() + digits.size() || length < 0 ||
      length > address_bits(address->family)) {
    return std::nullopt;
  }
  return IpPrefix{*address, static_cast<uint8_t>(length)};
}

IpPrefix IpPrefix::parse_or_throw(std::string_view text, std::string_view what) {
  if (std::optional<IpPrefix> prefix = parse(text)) return *prefix;
  throw Error(Code::kInvalidConfig,
              std::string(what) + ": \"" + std::string(text) +
                  "\" is not an address with a prefix length (such as 10.0.0.0/24 or fd00::/64)");
}

IpPrefix IpPrefix::network() const { return IpPrefix{first(), length}; }

IpAddress IpPrefix::first() const {
  return {family(), address.value & ~host_mask(address_bits(family()) - length)};
}

IpAddress IpPrefix::last() const {
  return {family(), address.value | host_mask(address_bits(family()) - length)};
}

bool IpPrefix::contains(const IpAddress& other) const {
  return other.family == family() && first() <= other && other <= last();
}

std::string IpPrefix::to_string() const {
  return address.to_string() + "/" + std::to_string(length);
}

std::string AddressRange::to_string() const {
  return first == last ? first.to_string() : first.to_string() + "-" + last.to_string();
}

std::string to_string(U128 number) {
  std::string digits;
  do {
    digits += static_cast<char>('0' + static_cast<int>(number % 10));
    number /= 10;
  } while (number != 0);
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::optional<HwAddress> parse_hw_address(std::string_view text) {
  constexpr size_t kEthernet = 6;
  constexpr size_t kIpoib = 20;
  if (text.size() != kEthernet * 3 - 1 && text.size() != kIpoib * 3 - 1) return std::nullopt;
  HwAddress address;
  for (size_t i = 0; i < text.size(); i += 3) {
    int high = hex_digit(text[i]);
    int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    if (i + 2 < text.size() && text[i + 2] != ':') return std::nullopt;
    address.push_back(static_cast<uint8_t>(high << 4 | low));
  }
  return address;
}

HwAddress random_mac() {
  HwAddress mac(6);
  if (getrandom(mac.data(), mac.size(), 0) != static_cast<ssize_t>(mac.size())) {
    throw_errno(Code::kIoFailure, "getrandom", errno);
  }
  // Bit 0 of the first byte is "group", bit 1 "locally administered" (IEEE 802).
  mac[0] = static_cast<uint8_t>((mac[0] & 0xfe) | 0x02);
  return mac;
}

std::string to_string(const HwAddress& address) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (uint8_t byte : address) {
    if (!text.empty()) text += ':';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace railcni
