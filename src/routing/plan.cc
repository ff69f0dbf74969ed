// What is to be laid, decided from what is there.
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>

#include "railcni/error.h"
#include "railcni/routing.h"
#include "src/routing/host_side.h"

namespace railcni {
namespace {

using Mode = CoordinatorConfig::Mode;

class Planner {
 public:
  explicit Planner(const RoutingInput& input) : in_(input) {}

  RoutingPlan plan();

 private:
  Mode resolve_mode() const;
  bool has_other_interface() const;
  const RouteInfo* other_default(Family family) const;
  bool in_main(const IpPrefix& destination, bool on_this_link) const;
  void take_back(Family family);
  void add_route(const IpPrefix& to, std::optional<IpAddress> via, uint32_t table,
                 std::optional<IpAddress> source = {});
  void plan_main_routes();
  void plan_rail_table();
  void plan_source_based();
  uint32_t table_for(const ResultIp& ip, NamespaceView& view);
  void copy_to(uint32_t table, const RouteInfo& route, const ResultIp& ip);
  void give_way(Family family);
  std::vector<IpAddress> addresses_on(int link, Family family) const;

  const RoutingInput& in_;
  RoutingPlan plan_;
};

// Another interface that carries addresses or a default route: without one there is nothing to keep
// apart.
bool Planner::has_other_interface() const {
  return std::any_of(in_.pod.addresses.begin(), in_.pod.addresses.end(), [&](const auto& address) {
    const LinkInfo* link = in_.pod.link(address.link);
    return link != nullptr && link->name != in_.ifname && (link->flags & IFF_LOOPBACK) == 0 &&
           (link->flags & IFF_UP) != 0 && !address.address.address.is_link_local();
  });
}

Mode Planner::resolve_mode() const {
  const CoordinatorConfig& config = in_.config;
  if (config.mode != Mode::kAuto) return config.mode;
  // The cluster's interface needs no coordination, unless the configuration has the block on
  // purpose.
  if (in_.ifname == config.pod_default_cni_nic) {
    return config.present ? Mode::kUnderlay : Mode::kDisabled;
  }
  if (!has_other_interface()) return Mode::kDisabled;  // the only one: nothing to keep apart
  return in_.pod.link("veth0") != nullptr ? Mode::kUnderlay : Mode::kOverlay;
}

const RouteInfo* Planner::other_default(Family family) const {
  const RouteInfo* best = nullptr;
  for (const RouteInfo& route : in_.pod.routes) {
    const LinkInfo* link = in_.pod.link(route.link);
    if (route.destination.family() != family || route.destination.length != 0 ||
        route.table != RT_TABLE_MAIN || link == nullptr || link->name == in_.ifname) {
      continue;
    }
    if (best == nullptr || route.priority < best->priority) best = &route;
  }
  return best;
}

// True when table main has a route to just that destination, by this interface (which in a chain is
// there already, with its routes) or by another one.
bool Planner::in_main(const IpPrefix& destination, bool on_this_link) const {
  return std::any_of(in_.pod.routes.begin(), in_.pod.routes.end(), [&](const RouteInfo& route) {
    const LinkInfo* link = in_.pod.link(route.link);
    return route.table == RT_TABLE_MAIN && route.destination == destination &&
           (link != nullptr && link->name == in_.ifname) == on_this_link;
  });
}

void Planner::add_route(const IpPrefix& to, std::optional<IpAddress> via, uint32_t table,
                        std::optional<IpAddress> source) {
  RouteInfo route;
  route.destination = to;
  route.gateway = via;
  route.table = table;
  route.source = source;
  plan_.routes.push_back({route, in_.ifname});
}

std::vector<IpAddress> Planner::addresses_on(int link, Family family) const {
  std::vector<IpAddress> addresses;
  for (const AddressInfo& info : in_.pod.addresses) {
    if (info.link == link && info.address.family() == family &&
        !info.address.address.is_link_local()) {
      addresses.push_back(info.address.address);
    }
  }
  return addresses;
}

// Table main: the default route, unless another interface has it, and the pools' routes, unless
// another rail's are there. The kernel takes one route to a destination; for each rail's own
// traffic its own table has them all.
void Planner::plan_main_routes() {
  for (const ResultRoute& route : in_.routes) {
    const Family family = route.dst.family();
    const bool is_default = route.dst.length == 0;
    const bool takes_over = is_default && in_.config.mode != Mode::kDisabled &&
                            in_.config.pod_default_route_nic == in_.ifname;
    if (takes_over) {
      give_way(family);
    } else if (is_default && plan_.table != 0 && other_default(family) != nullptr) {
      take_back(family);
      continue;
    } else if (in_.chained || in_main(route.dst, false)) {
      continue;
    }
    if (!in_main(route.dst, true)) add_route(route.dst, route.gw, RT_TABLE_MAIN);
  }
}

// A plugin before us in the chain has laid this interface's default route beside the cluster's one:
// it belongs into the rail's table only.
void Planner::take_back(Family family) {
  for (const RouteInfo& route : in_.pod.routes) {
    const LinkInfo* link = in_.pod.link(route.link);
    if (route.destination == IpPrefix{{family, 0}, 0} && route.table == RT_TABLE_MAIN &&
        link != nullptr && link->name == in_.ifname) {
      plan_.removed.push_back({route, link->name});
    }
  }
}

// The interface that has the default route now hands it over: it keeps it in a table of its own.
void Planner::give_way(Family family) {
  const RouteInfo* current = other_default(family);
  if (current == nullptr) return;
  const LinkInfo* link = in_.pod.link(current->link);
  const std::vector<IpAddress> sources = addresses_on(link->index, family);
  // A rail that railcni made has its table already.
  uint32_t table = 0;
  for (const RuleInfo& rule : in_.pod.rules) {
    const auto is_source = [&rule](const IpAddress& address) {
      return rule.from == IpPrefix::of(address);
    };
    if (std::any_of(sources.begin(), sources.end(), is_source)) table = rule.table;
  }
  const bool has_table = table != 0;
  if (!has_table) table = choose_table(in_.pod, link->name, in_.config.pod_default_cni_nic);
  for (const RouteInfo& route : in_.pod.routes) {
    if (route.destination.family() != family || route.table != RT_TABLE_MAIN ||
        route.link != link->index || route.destination.address.is_link_local()) {
      continue;
    }
    if (route.destination.length == 0) plan_.removed.push_back({route, link->name});
    if (has_table) continue;
    RouteInfo copy = route;
    copy.table = table;
    plan_.routes.push_back({copy, link->name});
  }
  if (has_table) return;
  for (const IpAddress& source : sources) {
    plan_.rules.push_back({family, IpPrefix::of(source), table, rule_priority(table), true});
  }
}

void Planner::plan_rail_table() {
  const CoordinatorConfig& config = in_.config;
  plan_.table =
      config.table ? *config.table : choose_table(in_.pod, in_.ifname, config.pod_default_cni_nic);
  const auto uses = [this](const auto& thing) { return thing.table == plan_.table; };
  if (config.table && (std::any_of(in_.pod.routes.begin(), in_.pod.routes.end(), uses) ||
                       std::any_of(in_.pod.rules.begin(), in_.pod.rules.end(), uses))) {
    throw Error(Code::kInvalidConfig, "coordinator.table " + std::to_string(plan_.table) +
                                          ": the Pod has routes or rules with this table already");
  }
  const uint32_t priority = config.rule_priority.value_or(rule_priority(plan_.table));
  for (const ResultIp& ip : in_.ips) {
    const Family family = ip.address.family();
    plan_.rules.push_back({family, IpPrefix::of(ip.address.address), plan_.table, priority, true});
    if (ip.address.length < address_bits(family)) {
      // Several addresses of one subnet have one connected route.
      const IpPrefix network = ip.address.network();
      const bool there = std::any_of(plan_.routes.begin(), plan_.routes.end(), [&](const auto& r) {
        return r.route.table == plan_.table && r.route.destination == network;
      });
      if (!there) add_route(network, {}, plan_.table, ip.address.address);
    }
  }
  for (const ResultRoute& route : in_.routes) add_route(route.dst, route.gw, plan_.table);
  for (const CoordinatorConfig::Route& route : config.policy_routes) {
    add_route(route.to, route.via, plan_.table);
  }
}

// The table of an address: the interface's one, unless that leads to another gateway already.
// What is chosen is noted in `view`.
uint32_t Planner::table_for(const ResultIp& ip, NamespaceView& view) {
  const CoordinatorConfig& config = in_.config;
  for (const NamedRoute& named : plan_.routes) {
    const RouteInfo& route = named.route;
    if (route.destination.length == 0 && route.destination.family() == ip.address.family() &&
        route.table == plan_.table && ip.gateway && route.gateway != ip.gateway) {
      const uint32_t table = choose_table(view, in_.ifname, config.pod_default_cni_nic);
      view.rules.push_back({ip.address.family(), {}, table, rule_priority(table), true});
      return table;
    }
  }
  if (plan_.table == 0) {
    plan_.table =
        config.table ? *config.table : choose_table(view, in_.ifname, config.pod_default_cni_nic);
    view.rules.push_back({ip.address.family(), {}, plan_.table, rule_priority(plan_.table), true});
  }
  return plan_.table;
}

void Planner::copy_to(uint32_t table, const RouteInfo& route, const ResultIp& ip) {
  for (const NamedRoute& named : plan_.routes) {
    if (named.route.table == table && named.route.destination == route.destination) return;
  }
  RouteInfo copy = route;
  copy.table = table;
  if (in_.config.source_hints) copy.source = ip.address.address;
  plan_.routes.push_back({copy, in_.ifname});
}

// As the reference plugin sbr: the interface's routes leave table main for a table of its own. What
// that plugin takes away besides stays: the connected routes and the link-local one, without which
// the subnet cannot be reached from an address that has no rule, and a default route that is the
// Pod's only one.
void Planner::plan_source_based() {
  if (in_.ips.empty()) {
    throw Error(Code::kInvalidConfig, "prevResult has no addresses of interface " + in_.ifname +
                                          ": there is nothing to route by");
  }
  NamespaceView view = in_.pod;
  const LinkInfo* link = in_.pod.link(in_.ifname);
  const auto is_movable = [link](const RouteInfo& route) {
    return link != nullptr && route.link == link->index && route.table == RT_TABLE_MAIN &&
           !route.destination.address.is_link_local();
  };
  for (const ResultIp& ip : in_.ips) {
    const Family family = ip.address.family();
    const uint32_t table = table_for(ip, view);
    const uint32_t priority = in_.config.rule_priority.value_or(rule_priority(table));
    plan_.rules.push_back({family, IpPrefix::of(ip.address.address), table, priority, true});
    if (ip.gateway) {
      RouteInfo route;
      route.destination = {{family, 0}, 0};
      route.gateway = ip.gateway;
      copy_to(table, route, ip);
    }
    for (const RouteInfo& route : in_.pod.routes) {
      if (!is_movable(route) || route.destination.family() != family) continue;
      const bool is_elsewhere = route.gateway && !ip.address.network().contains(*route.gateway) &&
                                !route.gateway->is_link_local();
      if (!is_elsewhere) copy_to(table, route, ip);
    }
  }
  for (const RouteInfo& route : in_.pod.routes) {
    if (!is_movable(route) || route.protocol == RTPROT_KERNEL) continue;
    const bool is_only_default =
        route.destination.length == 0 && other_default(route.destination.family()) == nullptr;
    const bool has_copy = std::ranges::any_of(plan_.routes, [&route](const NamedRoute& named) {
      return named.route.destination == route.destination;
    });
    if (has_copy && !is_only_default) plan_.removed.push_back({route, in_.ifname});
  }
}

RoutingPlan Planner::plan() {
  const Mode mode = resolve_mode();
  if (mode == Mode::kSourceBased) {
    plan_source_based();
    return std::move(plan_);
  }
  const bool first = in_.ifname == in_.config.pod_default_cni_nic || !has_other_interface();
  if (mode != Mode::kDisabled && !first && in_.config.tune_pod_routes && !in_.ips.empty()) {
    plan_rail_table();
  } else if (!in_.config.policy_routes.empty() && mode != Mode::kDisabled) {
    throw Error(Code::kInvalidConfig,
                "coordinator.policyRoutes need a table of the interface's own, and this one (the "
                "Pod's first, or without tunePodRoutes or addresses) has none");
  }
  plan_main_routes();
  if (mode != Mode::kDisabled && in_.config.present) {
    plan_host_side(in_, mode == Mode::kUnderlay, first, plan_);
  }
  return std::move(plan_);
}

}  // namespace

const LinkInfo* NamespaceView::link(std::string_view name) const {
  for (const LinkInfo& info : links) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

const LinkInfo* NamespaceView::link(int index) const {
  for (const LinkInfo& info : links) {
    if (info.index == index) return &info;
  }
  return nullptr;
}

NamespaceView view_namespace(RouteSocket& socket) {
  NamespaceView view;
  view.links = socket.links();
  view.addresses = socket.addresses();
  for (const Family family : {Family::kV4, Family::kV6}) {
    for (const RouteInfo& route : socket.routes(family)) view.routes.push_back(route);
    for (const RuleInfo& rule : socket.rules(family)) view.rules.push_back(rule);
  }
  return view;
}

RoutingPlan plan_routing(const RoutingInput& input) { return Planner(input).plan(); }

std::vector<ResultRoute> result_routes(const RoutingPlan& plan, const std::string& ifname) {
  std::vector<ResultRoute> routes;
  for (const NamedRoute& named : plan.routes) {
    if (named.link != ifname) continue;
    ResultRoute route;
    route.dst = named.route.destination;
    route.gw = named.route.gateway;
    if (named.route.table != RT_TABLE_MAIN) route.table = named.route.table;
    routes.push_back(route);
  }
  return routes;
}

}  // namespace railcni
