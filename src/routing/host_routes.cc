#include "src/routing/host_routes.h"

#include <algorithm>
#include <array>
#include <map>

#include "railcni/error.h"
#include "railcni/policy.h"

namespace railcni {
namespace {

struct SpecialNetwork {
  const char* prefix;
  const char* what;
};
// Of the IANA's registries of special-purpose addresses (RFC 6890), those that no Pod is reached
// by.
constexpr std::array<SpecialNetwork, 9> kSpecial = {{
    {"0.0.0.0/8", "an address of \"this network\""},
    {"127.0.0.0/8", "a loopback address"},
    {"169.254.0.0/16", "a link-local address"},
    {"224.0.0.0/4", "a multicast address"},
    {"240.0.0.0/4", "a reserved address"},
    {"::/127", "the unspecified or the loopback address"},
    {"::ffff:0:0/96", "an IPv4 address in IPv6's clothes"},
    {"fe80::/10", "a link-local address"},
    {"ff00::/8", "a multicast address"},
}};

class Guard {
 public:
  explicit Guard(const RoutingInput& input) : in_(input), addresses_(input.host.addresses()) {}

  // Why there is no host route to the address; empty when there may be one.
  std::string why_not(const IpAddress& address);

 private:
  const std::vector<IpAddress>& gateways(Family family);

  const RoutingInput& in_;
  const std::vector<AddressInfo> addresses_;
  std::map<Family, std::vector<IpAddress>> gateways_;
};

const std::vector<IpAddress>& Guard::gateways(Family family) {
  const auto [entry, is_new] = gateways_.try_emplace(family);
  if (is_new) entry->second = in_.host.gateways(family);
  return entry->second;
}

std::string Guard::why_not(const IpAddress& address) {
  for (const SpecialNetwork& special : kSpecial) {
    if (IpPrefix::parse(special.prefix)->contains(address)) return special.what;
  }
  for (const AddressInfo& own : addresses_) {
    if (own.address.address == address) return "the host's own address";
  }
  for (const auto* networks :
       {&node_policy().cluster_cidrs, &in_.config.service_cidr, &in_.config.overlay_pod_cidr}) {
    for (const IpPrefix& network : *networks) {
      if (network.contains(address)) {
        return "in the cluster's service or Pod network " + network.to_string();
      }
    }
  }
  // IPv4 routes may go by an IPv6 next hop, not the other way round.
  for (const Family family : {Family::kV4, Family::kV6}) {
    if (family == Family::kV6 && address.family == Family::kV4) continue;
    const std::vector<IpAddress>& all = gateways(family);
    if (std::find(all.begin(), all.end(), address) != all.end()) return "a gateway of the host";
  }
  return "";
}

}  // namespace

void check_host_routes(const RoutingInput& input, const RoutingPlan& plan) {
  if (plan.host_routes.empty()) return;
  Guard guard(input);
  for (const NamedRoute& named : plan.host_routes) {
    const IpAddress& address = named.route.destination.address;
    const std::string why = guard.why_not(address);
    if (why.empty()) continue;
    throw Error(Code::kInvalidConfig,
                "coordinator: the host would send what is for " + address.to_string() +
                    " to the Pod, and that is " + why +
                    ": choose another pool, or coordinator.mode sbr or disable");
  }
}

}  // namespace railcni
