#include "src/verbs/pool_request.h"

#include <unistd.h>

#include <set>

#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/policy.h"

namespace railcni {
namespace {

std::string node_name(const NetworkConfig& config) {
  if (!config.node_name.empty()) return config.node_name;
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

Pool parse_inline_pool(const IpamConfig::InlinePool& pool) {
  std::vector<std::string> warnings;
  try {
    Pool parsed = parse_pool(pool.name, pool.spec, warnings);
    for (const std::string& warning : warnings) log_warning(pool.path + ": " + warning);
    return parsed;
  } catch (const Error& error) {
    throw error.with_context(pool.path);
  }
}

PoolRequest::Requested parse_requested(const std::string& text) {
  if (const auto address = IpAddress::parse(text)) return {*address, std::nullopt};
  if (const auto prefix = IpPrefix::parse(text)) return {prefix->address, prefix->length};
  throw Error(Code::kInvalidConfig,
              "requested address \"" + text + "\": must be an IP address, with or without /LENGTH");
}

void check_requested(const std::vector<PoolRequest::Requested>& requested) {
  const int64_t most = node_policy().max_addresses_per_family;
  for (const Family family : {Family::kV4, Family::kV6}) {
    std::set<IpAddress> addresses;  // the places where they stand may name the same one
    for (const PoolRequest::Requested& one : requested) {
      if (one.address.family == family) addresses.insert(one.address);
    }
    if (addresses.size() <= static_cast<size_t>(most)) continue;
    throw Error(Code::kInvalidConfig,
                std::to_string(addresses.size()) + " " + std::string(family_name(family)) +
                    " addresses are requested, and an interface may ask for " +
                    std::to_string(most) + " (maxAddressesPerFamily of the node policy)");
  }
}

void check_pools_at(const StorePaths& paths, const PoolRequest& request) {
  const auto pools = Store::open(Store::File::kPools, paths, Store::Mode::kRead);
  if (!pools) return;
  pools->read([&](const Txn& txn) { refuse_shared_addresses(txn, request.inline_pools); });
}

bool must_be_separate(const PoolRequest& request) {
  return !request.inline_pools.empty() &&
         node_policy().inline_pools != NodePolicy::InlinePools::kOverlap;
}

}  // namespace

void check_node_pools(const PoolRequest& request, const StorePaths& paths) {
  const StorePaths node = StorePaths::from_data_dir("");
  if (must_be_separate(request) && paths.pools_dir != node.pools_dir) check_pools_at(node, request);
}

void check_inline_pools(const PoolRequest& request, const StorePaths& paths) {
  check_node_pools(request, paths);
  if (must_be_separate(request)) check_pools_at(paths, request);
}

PoolRequest make_pool_request(const Request& request, const NetworkConfig& config) {
  PoolRequest pools;
  pools.ipv4 = config.ipam.ipv4;
  pools.ipv6 = config.ipam.ipv6;
  if (!config.ipam.inline_pools.empty() &&
      node_policy().inline_pools == NodePolicy::InlinePools::kNone) {
    throw Error(Code::kInvalidConfig,
                config.ipam.inline_pools.front().path +
                    ": only applied pools are used on this node (inlinePools of the node policy)");
  }
  for (const IpamConfig::InlinePool& pool : config.ipam.inline_pools) {
    pools.inline_pools.push_back(parse_inline_pool(pool));
  }
  pools.match_master_subnet = config.ipam.match_master_subnet;
  for (const std::string& text : config.requested_ips) {
    pools.requested.push_back(parse_requested(text));
  }
  // Where another plugin gives the addresses, what every plugin of the list is told is for that
  // one.
  if (config.ipam.enabled && config.ipam.delegate.empty()) check_requested(pools.requested);
  pools.node = node_name(config);
  pools.pod_namespace = request.arg("K8S_POD_NAMESPACE");
  pools.network = config.name;
  return pools;
}

}  // namespace railcni
