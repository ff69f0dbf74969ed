#include "ipam/ranges.h"

#include <algorithm>

namespace railcni {

AddressRange usable_hosts(const IpPrefix& subnet) {
  AddressRange all{subnet.first(), subnet.last()};
  int host_bits = address_bits(subnet.family()) - subnet.length;
  if (host_bits < 2) return all;
  ++all.first.value;
  // IPv6 has no broadcast address.
  if (subnet.family() == Family::kV4) --all.last.value;
  return all;
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
