#include "railcni/range_set.h"

#include "ipam/ranges.h"

namespace railcni {

std::vector<Pool> RangeSet::pools() const {
  std::vector<Pool> pools;
  for (const SetRange& range : ranges) {
    Pool pool;
    pool.name = range.range.to_string();
    pool.subnet = range.subnet;
    pool.ranges = subtract_ranges({range.range}, {{range.gateway, range.gateway}});
    pool.gateway = range.gateway;
    if (!pool.ranges.empty()) pools.push_back(std::move(pool));
  }
  return pools;
}

}  // namespace railcni
