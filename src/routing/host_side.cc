#include "src/routing/host_side.h"

#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <map>

#include "railcni/error.h"
#include "railcni/log.h"
#include "src/routing/host_routes.h"

namespace railcni {
namespace {

constexpr std::string_view kVeth = "veth0";

// Interfaces whose addresses are no address of the host as a Pod would use it: bridges and ends of
// container networks. The list is Spiderpool's.
bool is_container_network(std::string_view name) {
  static constexpr std::array<std::string_view, 11> kPrefixes = {
      "docker", "cbr",     "dummy",     "virbr", "lxcbr", "veth",
      "cali",   "flannel", "kube-ipvs", "cni",   "cilium"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [name](std::string_view prefix) { return name.starts_with(prefix); });
}

class HostSide {
 public:
  HostSide(const RoutingInput& input, bool underlay, bool first, RoutingPlan& plan)
      : in_(input),
        first_(first),
        plan_(plan),
        pod_link_(underlay ? kVeth : std::string_view(input.config.pod_default_cni_nic)) {
    if (underlay) {
      prepare_veth();
    } else {
      prepare_cluster_interface();
    }
    find_host_addresses();
  }

  void plan(Family family);

 private:
  void prepare_veth();
  void prepare_cluster_interface();
  void find_peer(const LinkInfo& pod_link);
  void find_host_addresses();
  std::vector<IpAddress> host_addresses(Family family) const;
  std::optional<IpAddress> source(Family family) const;
  std::vector<IpAddress> own(Family family) const;
  void add_route(const IpPrefix& to, std::optional<IpAddress> via, std::optional<IpAddress> source);

  const RoutingInput& in_;
  const bool first_;
  RoutingPlan& plan_;
  const std::string pod_link_;
  std::vector<IpAddress> host_addresses_;
  std::string host_link_;  // the other end of pod_link_ in the host; empty: not known
  HwAddress pod_mac_;      // for neighbour entries; empty: none are needed
};

// The host's end of an interface of the Pod, if it is one of a pair, and the other end is in the
// host: it may be in a third namespace, where its index means another interface.
void HostSide::find_peer(const LinkInfo& pod_link) {
  if (pod_link.kind != "veth" || !pod_link.parent_elsewhere) return;
  if (in_.host_nsid != pod_link.parent_netnsid) {
    log_warning("the other end of the Pod's " + pod_link.name +
                " is not in the host: the host gets no route to the Pod's addresses");
    return;
  }
  auto peer = in_.host.find_link(pod_link.parent);
  // The port of a bridge takes no part in the host's routing; the bridge does.
  if (peer && peer->master != 0) peer = in_.host.find_link(peer->master);
  if (peer) host_link_ = peer->name;
}

void HostSide::prepare_veth() {
  if (const LinkInfo* veth = in_.pod.link(kVeth)) {
    find_peer(*veth);
    pod_mac_ = veth->address;
    return;
  }
  // FNV-1a over the attachment: the host's end needs a name of its own in 15 bytes.
  uint64_t hash = 14695981039346656037u;
  for (const char c : in_.container_id + "/" + in_.ifname) {
    hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211u;
  }
  VethPair pair;
  pair.pod_name = kVeth;
  char name[IFNAMSIZ];
  snprintf(name, sizeof name, "veth%011llx",
           static_cast<unsigned long long>(hash & 0xfffffffffffu));
  pair.host_name = name;
  pair.pod_mac = random_mac();
  pair.host_mac = random_mac();
  pair.link_address = in_.config.veth_link_address;
  pair.mtu = in_.mtu;
  host_link_ = pair.host_name;
  pod_mac_ = pair.pod_mac;
  plan_.veth = std::move(pair);
}

void HostSide::prepare_cluster_interface() {
  const LinkInfo* link = in_.pod.link(pod_link_);
  if (link == nullptr) {
    if (in_.ifname == pod_link_) return;
    throw Error(Code::kInvalidConfig, "coordinator: mode overlay needs interface " + pod_link_ +
                                          " (podDefaultCniNic) in the Pod, and it is not there");
  }
  find_peer(*link);
}

std::vector<IpAddress> HostSide::own(Family family) const {
  std::vector<IpAddress> addresses;
  for (const ResultIp& ip : in_.ips) {
    if (ip.address.family() == family) addresses.push_back(ip.address.address);
  }
  return addresses;
}

// The address that the Pod uses towards the host.
std::optional<IpAddress> HostSide::source(Family family) const {
  if (pod_link_ != kVeth && pod_link_ != in_.ifname) {
    const LinkInfo* link = in_.pod.link(pod_link_);
    for (const AddressInfo& info : in_.pod.addresses) {
      if (info.link == link->index && info.address.family() == family &&
          !info.address.address.is_link_local()) {
        return info.address.address;
      }
    }
    return std::nullopt;
  }
  const std::vector<IpAddress> addresses = own(family);
  if (addresses.empty()) return std::nullopt;
  return addresses.front();
}

// A node has hundreds of links, one of each Pod, and few of them have addresses that count: only
// those links are looked up.
void HostSide::find_host_addresses() {
  std::map<int, bool> counts;  // by the index of the link
  for (const AddressInfo& info : in_.host.addresses()) {
    if (info.address.address.is_link_local()) continue;
    const auto [entry, is_new] = counts.try_emplace(info.link, false);
    if (is_new) {
      const auto link = in_.host.find_link(info.link);
      entry->second =
          link && (link->flags & IFF_LOOPBACK) == 0 && !is_container_network(link->name);
    }
    if (entry->second) host_addresses_.push_back(info.address.address);
  }
}

// The one that the host itself takes towards the Pod comes first: hijacked subnets go by it.
std::vector<IpAddress> HostSide::host_addresses(Family family) const {
  std::vector<IpAddress> addresses;
  const auto add = [&](const IpAddress& address) {
    if (address.is_link_local()) return;
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
      addresses.push_back(address);
    }
  };
  if (const auto towards = source(family)) {
    const auto route = in_.host.lookup(*towards);
    if (route && route->source) add(*route->source);
  }
  for (const IpAddress& address : host_addresses_) {
    if (address.family == family) add(address);
  }
  return addresses;
}

void HostSide::add_route(const IpPrefix& to, std::optional<IpAddress> via,
                         std::optional<IpAddress> source) {
  RouteInfo route;
  route.destination = to;
  route.gateway = via;
  route.source = source;
  route.table = first_ ? uint32_t{RT_TABLE_MAIN} : plan_.table;
  // The first interface's routes may be there already: of the plugin before us, or of another rail.
  const auto same = [&route](const RouteInfo& other) {
    return other.table == route.table && other.destination == route.destination;
  };
  if (std::any_of(in_.pod.routes.begin(), in_.pod.routes.end(), same)) return;
  for (const NamedRoute& other : plan_.routes) {
    if (same(other.route)) return;
  }
  plan_.routes.push_back({route, pod_link_});
}

void HostSide::plan(Family family) {
  const std::optional<IpAddress> from = source(family);
  const std::vector<IpAddress> mine = own(family);
  if (!from || mine.empty()) return;
  const std::vector<IpAddress> hosts = host_addresses(family);
  // Without a table of the interface's own nothing leads to routes in it.
  if (first_ || plan_.table != 0) {
    for (const IpAddress& host : hosts) add_route(IpPrefix::of(host), {}, from);
    if (!hosts.empty()) {
      for (const auto* list :
           {&in_.config.overlay_pod_cidr, &in_.config.service_cidr, &in_.config.hijack_cidr}) {
        for (const IpPrefix& subnet : *list) {
          if (subnet.family() == family) add_route(subnet, hosts.front(), from);
        }
      }
    }
  }
  if (plan_.veth) {
    for (const IpAddress& host : hosts) {
      plan_.neighbours.push_back({host, plan_.veth->host_mac, plan_.veth->pod_name});
    }
  }
  if (host_link_.empty() || pod_link_ == in_.ifname) return;
  plan_.host_table = in_.config.host_rule_table;
  for (const IpAddress& address : mine) {
    RouteInfo route;
    route.destination = IpPrefix::of(address);
    route.table = plan_.host_table;
    plan_.host_routes.push_back({route, host_link_});
    // Only what goes to this address: whatever else the table has is not for the host's traffic.
    plan_.host_rules.push_back(
        {family, {}, plan_.host_table, kHostRulePriority, true, route.destination});
    if (!pod_mac_.empty()) plan_.host_neighbours.push_back({address, pod_mac_, host_link_});
  }
}

}  // namespace

void plan_host_side(const RoutingInput& input, bool underlay, bool first, RoutingPlan& plan) {
  if (input.ips.empty()) return;
  HostSide side(input, underlay, first, plan);
  side.plan(Family::kV4);
  side.plan(Family::kV6);
  check_host_routes(input, plan);
}

}  // namespace railcni
