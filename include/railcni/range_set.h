// Range sets, as the reference IPAM host-local has them: of each set one address is handed out.
#ifndef RAILCNI_RANGE_SET_H_
#define RAILCNI_RANGE_SET_H_

#include <string>
#include <vector>

#include "railcni/address.h"
#include "railcni/json.h"
#include "railcni/pool.h"

namespace railcni {

// A part of a subnet, both ends included.
struct SetRange {
  IpPrefix subnet;
  AddressRange range;
  IpAddress gateway;  // never handed out; the subnet's first address unless it is given
};

struct RangeSet {
  std::vector<SetRange> ranges;  // of one family, disjoint

  Family family() const { return ranges.front().subnet.family(); }
  // True when the address lies between the ends of one of the ranges, be it the gateway.
  bool contains(const IpAddress& address) const;
  // "10.0.0.1-10.0.0.9,10.1.0.1-10.1.0.9"
  std::string to_string() const;
  // A pool for each range, named after it; none for a range that has but the gateway.
  std::vector<Pool> pools() const;
};

// Reads `value`, a list of sets, each a list of {"subnet", "rangeStart", "rangeEnd", "gateway"}.
// `path` names it in messages ("ipam.ranges"). Throws Error{kInvalidConfig} for what the original
// refuses: an empty set, a subnet with host bits or of less than four addresses, an end outside of
// the subnet, ends the wrong way round, mixed families, an overlap within the set. Keys that the
// original passes over are logged.
std::vector<RangeSet> read_range_sets(const Json& value, const std::string& path);

// One range, which is `object` itself: the older form, in which its keys stand in `ipam` beside
// others.
RangeSet read_single_range(const Json& object, const std::string& path);

// Throws Error{kInvalidConfig} when two of the sets overlap.
void check_disjoint(const std::vector<RangeSet>& sets);

}  // namespace railcni

#endif  // RAILCNI_RANGE_SET_H_
