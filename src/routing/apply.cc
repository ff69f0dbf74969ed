// A plan carried out, checked and undone.
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/neighbour.h"
#include "railcni/routing.h"

namespace railcni {
namespace {

// Of the rule that Pods of an earlier version share; Spiderpool's.
constexpr uint32_t kSharedRulePriority = 1000;

std::string describe(const NamedRoute& named) {
  std::string text = named.route.destination.to_string();
  if (named.route.gateway) text += " via " + named.route.gateway->to_string();
  text += " dev " + named.link;
  if (named.route.table != RT_TABLE_MAIN) text += " table " + std::to_string(named.route.table);
  return text;
}

std::string describe(const RuleInfo& rule) {
  return "from " + (rule.from ? rule.from->to_string() : "all") +
         (rule.to ? " to " + rule.to->to_string() : "") + " lookup " + std::to_string(rule.table) +
         " priority " + std::to_string(rule.priority);
}

// Links of one namespace by name, each looked up once.
class Links {
 public:
  explicit Links(RouteSocket& socket) : socket_(socket) {}

  // 0 when there is no such link.
  int find(const std::string& name) {
    const auto known = indices_.find(name);
    if (known != indices_.end()) return known->second;
    const auto link = socket_.find_link(name);
    return indices_[name] = link ? link->index : 0;
  }
  int at(const std::string& name) {
    const int index = find(name);
    if (index == 0) throw Error(Code::kKernel, "interface " + name + " is gone");
    return index;
  }

 private:
  RouteSocket& socket_;
  std::map<std::string, int> indices_;
};

RouteInfo on_link(const NamedRoute& named, int index) {
  RouteInfo route = named.route;
  route.link = index;
  return route;
}

// Goes on past errors and keeps the first.
class Undoer {
 public:
  explicit Undoer(RouteSocket& socket) : socket_(socket), links_(socket) {}

  void step(const NetlinkMessage& message, const std::string& what) {
    std::string explanation;
    const int error = socket_.try_send(message, &explanation);
    switch (error) {
      case 0:
      // It is not there (any more), or, of what is put back, it is there again.
      case ENOENT:
      case ESRCH:
      case ENODEV:
      case ENXIO:
      case EADDRNOTAVAIL:
      case EAFNOSUPPORT:
      case EEXIST:
        return;
      default:
        break;
    }
    const std::string text =
        what + ": " + errno_text(error) + (explanation.empty() ? "" : " (" + explanation + ")");
    log_error(text);
    if (first_.empty()) first_ = text;
  }
  Links& links() { return links_; }
  const std::string& first_error() const { return first_; }

 private:
  RouteSocket& socket_;
  Links links_;
  std::string first_;
};

// What the Pod makes impossible in its own namespace (a gateway that it has made unreachable) is
// logged: that must not keep the rest.
void undo_in_pod(RouteSocket& pod, const RoutingPlan& plan, const std::string& dying_link) {
  Undoer undoer(pod);
  for (const RuleInfo& rule : plan.rules) {
    undoer.step(delete_rule_message(rule), "delete rule " + describe(rule));
  }
  for (const NamedRoute& named : plan.routes) {
    // What is to be put back may need the place of one of them.
    if (named.link == dying_link && plan.removed.empty()) continue;
    const int index = undoer.links().find(named.link);
    if (index == 0) continue;  // the kernel took the route with the link
    undoer.step(delete_route_message(on_link(named, index)), "delete route " + describe(named));
  }
  for (const NamedRoute& named : plan.removed) {
    const int index = undoer.links().find(named.link);
    if (index == 0) continue;
    undoer.step(new_route_message(on_link(named, index)), "put back route " + describe(named));
  }
}

// Whether a route of the table has no rule of its own: a Pod of an earlier version needs the rule
// that they share.
bool needs_shared_rule(RouteSocket& host, Family family, uint32_t table) {
  const std::vector<RuleInfo> rules = host.rules(family);
  const std::vector<RouteInfo> routes = host.routes(family);
  return std::any_of(routes.begin(), routes.end(), [&](const RouteInfo& route) {
    return route.table == table &&
           std::none_of(rules.begin(), rules.end(), [&route](const RuleInfo& rule) {
             return rule.table == route.table && rule.to == route.destination;
           });
  });
}

void undo_in_host(RouteSocket& host, const RoutingPlan& plan, std::string& first_error) {
  Undoer undoer(host);
  for (const RuleInfo& rule : plan.host_rules) {
    undoer.step(delete_rule_message(rule), "delete the host's rule " + describe(rule));
  }
  for (const NamedNeighbour& neighbour : plan.host_neighbours) {
    const int index = undoer.links().find(neighbour.link);
    if (index == 0) continue;
    undoer.step(delete_neighbour_message(index, neighbour.address),
                "delete neighbour " + neighbour.address.to_string());
  }
  for (const NamedRoute& named : plan.host_routes) {
    const int index = undoer.links().find(named.link);
    if (index == 0) continue;
    undoer.step(delete_route_message(on_link(named, index)), "delete route " + describe(named));
  }
  if (plan.veth) {
    if (const int index = undoer.links().find(plan.veth->host_name)) {
      undoer.step(delete_link_message(index), "delete " + plan.veth->host_name);
    }
  }
  for (const Family family : {Family::kV4, Family::kV6}) {
    if (!shares_host_rule(plan) || needs_shared_rule(host, family, plan.host_table)) continue;
    const RuleInfo shared{family, {}, plan.host_table, kSharedRulePriority, true};
    undoer.step(delete_rule_message(shared), "delete the host's rule " + describe(shared));
  }
  if (first_error.empty()) first_error = undoer.first_error();
}

}  // namespace

bool shares_host_rule(const RoutingPlan& plan) {
  return plan.host_table != 0 && plan.host_rules.empty();
}

std::string host_rule_lock(uint32_t table) { return "host-rule/" + std::to_string(table); }

void apply_host_routing(RouteSocket& host, int pod_netns_fd, const RoutingPlan& plan) {
  if (plan.veth) {
    const VethPair& pair = *plan.veth;
    host.send(new_veth_message({pair.host_name, pair.host_mac, pair.pod_name, pair.pod_mac,
                                pod_netns_fd, pair.mtu}),
              "create " + pair.pod_name + " and " + pair.host_name);
    const auto made = host.find_link(pair.host_name);
    if (!made) throw Error(Code::kKernel, pair.host_name + " is gone right after it was made");
    host.send(link_up_message(made->index, true), "set " + pair.host_name + " up");
  }
  if (plan.host_table == 0) return;
  Links links(host);
  NetlinkBatch batch;
  for (const NamedRoute& named : plan.host_routes) {
    batch.add(new_route_message(on_link(named, links.at(named.link))),
              "add the host's route " + describe(named));
  }
  for (const NamedNeighbour& neighbour : plan.host_neighbours) {
    batch.add(
        permanent_neighbour_message(links.at(neighbour.link), neighbour.address, neighbour.mac),
        "add the host's neighbour " + neighbour.address.to_string());
  }
  for (const RuleInfo& rule : plan.host_rules) {
    batch.add(new_rule_message(rule), "add the host's rule " + describe(rule));
  }
  host.send(batch);
}

std::vector<size_t> add_pod_routing(RouteSocket& pod, const RoutingPlan& plan,
                                    NetlinkBatch& batch) {
  std::vector<size_t> positions;
  Links links(pod);
  if (plan.veth) {
    const int index = links.at(plan.veth->pod_name);
    if (plan.veth->link_address) {
      const IpAddress& address = *plan.veth->link_address;
      batch.add(new_address_message(index, IpPrefix::of(address)),
                "add address " + address.to_string() + " to " + plan.veth->pod_name);
    }
    batch.add(link_up_message(index, true), "set " + plan.veth->pod_name + " up");
  }
  for (const NamedNeighbour& neighbour : plan.neighbours) {
    batch.add(
        permanent_neighbour_message(links.at(neighbour.link), neighbour.address, neighbour.mac),
        "add neighbour " + neighbour.address.to_string());
  }
  for (const NamedRoute& named : plan.removed) {
    batch.add(delete_route_message(on_link(named, links.at(named.link))),
              "take route " + describe(named) + " out of table main");
  }
  for (const NamedRoute& named : plan.routes) {
    positions.push_back(batch.size());
    batch.add(new_route_message(on_link(named, links.at(named.link))),
              "add route " + describe(named), named.route.table == RT_TABLE_MAIN);
  }
  for (const RuleInfo& rule : plan.rules) {
    batch.add(new_rule_message(rule), "add rule " + describe(rule));
  }
  return positions;
}

void drop_existing(RoutingPlan& plan, const std::vector<size_t>& positions,
                   const std::vector<size_t>& existed) {
  for (size_t i = plan.routes.size(); i-- > 0;) {
    if (std::find(existed.begin(), existed.end(), positions[i]) == existed.end()) continue;
    log_info("route " + describe(plan.routes[i]) + " exists already: it is left as it is");
    plan.routes.erase(plan.routes.begin() + static_cast<ptrdiff_t>(i));
  }
}

void undo_routing(RouteSocket& host, RouteSocket* pod, const RoutingPlan& plan,
                  const std::string& dying_link) {
  std::string first_error;
  if (pod != nullptr) undo_in_pod(*pod, plan, dying_link);
  undo_in_host(host, plan, first_error);
  if (!first_error.empty()) throw Error(Code::kKernel, first_error);
}

void check_routing(RouteSocket& pod, const RoutingPlan& plan) {
  const NamespaceView view = view_namespace(pod);
  for (const RuleInfo& rule : plan.rules) {
    const bool found =
        std::any_of(view.rules.begin(), view.rules.end(), [&rule](const RuleInfo& other) {
          return other.family == rule.family && other.from == rule.from &&
                 other.table == rule.table && other.priority == rule.priority;
        });
    if (!found) throw Error(Code::kCheckFailed, "rule " + describe(rule) + " is missing");
  }
  for (const NamedRoute& named : plan.routes) {
    const LinkInfo* link = view.link(named.link);
    const bool found =
        link != nullptr &&
        std::any_of(view.routes.begin(), view.routes.end(), [&](const RouteInfo& other) {
          // A plugin behind us (sbr) may have moved a route of table main into another one.
          const bool in_table =
              other.table == named.route.table ||
              (named.route.table == RT_TABLE_MAIN && other.table != RT_TABLE_LOCAL);
          return other.destination == named.route.destination && other.link == link->index &&
                 other.gateway == named.route.gateway && in_table;
        });
    if (!found) throw Error(Code::kCheckFailed, "route " + describe(named) + " is missing");
  }
}

}  // namespace railcni
