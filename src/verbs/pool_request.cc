#include "src/verbs/pool_request.h"

#include <unistd.h>

#include "railcni/error.h"
#include "railcni/log.h"

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

}  // namespace

PoolRequest make_pool_request(const Request& request, const NetworkConfig& config) {
  PoolRequest pools;
  pools.ipv4 = config.ipam.ipv4;
  pools.ipv6 = config.ipam.ipv6;
  for (const IpamConfig::InlinePool& pool : config.ipam.inline_pools) {
    pools.inline_pools.push_back(parse_inline_pool(pool));
  }
  pools.match_master_subnet = config.ipam.match_master_subnet;
  for (const std::string& text : config.requested_ips) {
    pools.requested.push_back(parse_requested(text));
  }
  pools.node = node_name(config);
  pools.pod_namespace = request.arg("K8S_POD_NAMESPACE");
  pools.network = config.name;
  return pools;
}

}  // namespace railcni
