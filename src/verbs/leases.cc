#include "src/verbs/leases.h"

#include <algorithm>

#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/policy.h"

namespace railcni {

const Pool& Addressing::pool_of(const Lease& lease) const {
  for (const auto* pools : {&candidates.ipv4, &candidates.ipv6}) {
    for (const Pool& pool : *pools) {
      if (pool.name == lease.pool && pool.contains(lease.address.address)) return pool;
    }
  }
  throw Error(Code::kStoreDamaged, "lease " + lease.address.to_string() + " has no pool");
}

std::vector<ResultIp> Addressing::ips() const {
  std::vector<ResultIp> ips;
  for (const Lease& lease : leases) ips.push_back({lease.address, pool_of(lease).gateway, 0});
  return ips;
}

std::vector<ResultRoute> Addressing::routes() const {
  std::vector<ResultRoute> routes;
  const auto add = [&routes](const IpPrefix& to, const IpAddress& via) {
    ResultRoute route;
    route.dst = to;
    route.gw = via;
    // Several addresses of one family bring one default route, and a pool's routes once.
    const auto same = [&route](const ResultRoute& other) { return other.dst == route.dst; };
    if (std::none_of(routes.begin(), routes.end(), same)) routes.push_back(route);
  };
  for (const Lease& lease : leases) {
    const Pool& pool = pool_of(lease);
    if (pool.gateway) add({{pool.family(), 0}, 0}, *pool.gateway);
    for (const PoolRoute& route : pool.routes) add(route.to, route.via);
  }
  return routes;
}

Addressing lease_addresses(Txn& state, Store* pools, const PoolRequest& request,
                           const IpamConfig& config, const AttachmentKey& owner, int64_t now) {
  Addressing addressing;
  if (!config.enabled) return addressing;
  if (pools != nullptr) {
    pools->read([&](const Txn& snapshot) {
      if (node_policy().inline_pools != NodePolicy::InlinePools::kOverlap) {
        refuse_shared_addresses(snapshot, request.inline_pools);
      }
      addressing.candidates = select_pools(&snapshot, request);
    });
  } else {
    addressing.candidates = select_pools(nullptr, request);
  }
  if (addressing.candidates.empty()) {
    if (config.required) {
      throw Error(Code::kInvalidConfig,
                  "no pool: name some in ippools, or mark an applied pool as default");
    }
    log_info("no pool is named and none is a default one: the interface gets no address");
    return addressing;
  }
  addressing.leases = allocate(state, addressing.candidates, request.requested, owner, now);
  return addressing;
}

}  // namespace railcni
