// Sorted lists of disjoint address ranges, and a subnet's usable hosts.
#ifndef RAILCNI_IPAM_RANGES_H_
#define RAILCNI_IPAM_RANGES_H_

#include <string>
#include <vector>

#include "railcni/address.h"

namespace railcni {

// The addresses of `subnet` that hosts may have (see parse_pool()).
AddressRange usable_hosts(const IpPrefix& subnet);

// The block of loopback, multicast or other addresses that no interface can have, when `subnet`
// lies inside of one: "127.0.0.0/8, the loopback addresses, which no interface can have". Else
// empty.
std::string not_for_interfaces(const IpPrefix& subnet);

// Sorts, and merges ranges that overlap or touch.
std::vector<AddressRange> merge_ranges(std::vector<AddressRange> ranges);

// What is left of `ranges` without `holes`; both as merge_ranges() gives them.
std::vector<AddressRange> subtract_ranges(const std::vector<AddressRange>& ranges,
                                          const std::vector<AddressRange>& holes);

}  // namespace railcni

#endif  // RAILCNI_IPAM_RANGES_H_
