#include "ipam/ranges.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace railcni {
namespace {

// Subnets whose addresses no interface can have, and what they are. 0.0.0.0/0 and such, which
// contain one, are not inside one.
constexpr std::pair<std::string_view, std::string_view> kNotForInterfaces[] = {
    {"0.0.0.0/8", "the addresses of \"this network\" (RFC 1122)"},
    {"127.0.0.0/8", "the loopback addresses"},
    {"224.0.0.0/4", "the multicast addresses"},
    {"255.255.255.255/32", "the limited broadcast address"},
    {"::/128", "the unspecified address"},
    {"::1/128", "the loopback address"},
    {"::/127", "the unspecified and the loopback address"},
    {"ff00::/8", "the multicast addresses"}};

}  // namespace

AddressRange usable_hosts(const IpPrefix& subnet) {
  AddressRange all{subnet.first(), subnet.last()};
  int host_bits = address_bits(subnet.family()) - subnet.length;
  if (host_bits < 2) return all;
  ++all.first.value;
  // IPv6 has no broadcast address.
  if (subnet.family() == Family::kV4) --all.last.value;
  return all;
}

std::string not_for_interfaces(const IpPrefix& subnet) {
  for (const auto& [text, what] : kNotForInterfaces) {
    const IpPrefix block = *IpPrefix::parse(text);
    if (block.length <= subnet.length && block.contains(subnet.first())) {
      return std::string(text) + ", " + std::string(what) + ", which no interface can have";
    }
  }
  return "";
}

std::vector<AddressRange> merge_ranges(std::vector<AddressRange> ranges) {
  std::sort(ranges.begin(), ranges.end());
  std::vector<AddressRange> merged;
  for (const AddressRange& range : ranges) {
    // "first <= last + 1" without the overflow behind the last IPv6 address.
    if (!merged.empty() &&
        (range.first <= merged.back().last || range.first.value - merged.back().last.value == 1)) {
      merged.back().last = std::max(merged.back().last, range.last);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

std::vector<AddressRange> subtract_ranges(const std::vector<AddressRange>& ranges,
                                          const std::vector<AddressRange>& holes) {
  std::vector<AddressRange> rest;
  auto hole = holes.begin();
  for (AddressRange range : ranges) {
    while (hole != holes.end() && hole->last < range.first) ++hole;
    bool gone = false;
    // A hole may reach into the next range, so the list's own position stays at it.
    for (auto h = hole; h != holes.end() && h->first <= range.last; ++h) {
      if (range.first < h->first) {
        rest.push_back({range.first, {h->first.family, h->first.value - 1}});
      }
      if (h->last >= range.last) {
        gone = true;
        break;
      }
      range.first = {h->last.family, h->last.value + 1};
    }
    if (!gone) rest.push_back(range);
  }
  return rest;
}

}  // namespace railcni
