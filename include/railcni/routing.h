// Policy routing: what is laid around the new interface so that each rail's traffic stays on its
// own NIC. A plan is made from what the namespaces look like, recorded, carried out, and undone by
// the record.
#ifndef RAILCNI_ROUTING_H_
#define RAILCNI_ROUTING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "railcni/address.h"
#include "railcni/coordinator.h"
#include "railcni/json.h"
#include "railcni/netlink.h"
#include "railcni/result.h"

namespace railcni {

// A route that names its link: the index is known only once the link is there.
struct NamedRoute {
  RouteInfo route;
  std::string link;
};

// Of an underlay Pod's first interface: the pair that connects the Pod with its host, which a
// macvlan or ipvlan cannot reach by itself.
struct VethPair {
  std::string pod_name;
  std::string host_name;
  HwAddress pod_mac;
  HwAddress host_mac;
  std::optional<IpAddress> link_address;  // of the Pod's end
  uint32_t mtu = 0;
};

// A permanent neighbour entry.
struct NamedNeighbour {
  IpAddress address;
  HwAddress mac;
  std::string link;
};

struct RoutingPlan {
  uint32_t table = 0;  // the rail's; 0: no policy routing
  std::vector<RuleInfo> rules;
  std::vector<NamedRoute> routes;
  // Routes of table main that make way (for the same ones in another table, which `routes` has).
  std::vector<NamedRoute> removed;
  std::vector<NamedNeighbour> neighbours;
  std::optional<VethPair> veth;
  // In the host: for each of the Pod's addresses a rule "to ADDRESS lookup host_table" and a route
  // in that table, which may be others' as well. 0: nothing there.
  uint32_t host_table = 0;
  std::vector<RuleInfo> host_rules;
  std::vector<NamedRoute> host_routes;
  std::vector<NamedNeighbour> host_neighbours;

  Json to_json() const;
  // Throws Error{kStoreDamaged} when `json` is not what to_json() made. Null gives an empty plan.
  static RoutingPlan from_json(const Json& json);
};

// What a namespace looks like.
struct NamespaceView {
  std::vector<LinkInfo> links;
  std::vector<AddressInfo> addresses;
  std::vector<RouteInfo> routes;
  std::vector<RuleInfo> rules;

  const LinkInfo* link(std::string_view name) const;
  const LinkInfo* link(int index) const;
};
NamespaceView view_namespace(RouteSocket& socket);

// What the plan is made from.
struct RoutingInput {
  const CoordinatorConfig& config;
  std::string ifname;
  std::string container_id;  // names the host's end of a veth pair
  std::vector<ResultIp> ips;
  std::vector<ResultRoute> routes;  // the default routes and the pools' routes that are wanted
  bool chained = false;             // `ifname` is there, with its addresses and routes
  const NamespaceView& pod;
  RouteSocket& host;
  // The number by which the Pod's namespace knows the host's (RouteSocket::nsid_of()).
  std::optional<int> host_nsid;
  uint32_t mtu = 0;  // of a veth pair
};

// Decides; changes nothing. Throws Error{kInvalidConfig} when the configuration asks for what this
// Pod cannot have: a table that is in use, a podDefaultCniNic that is not there in overlay mode.
RoutingPlan plan_routing(const RoutingInput& input);

// Makes what of the plan belongs to the host, before the Pod's part: veth pair, routes, rules.
// `pod_netns_fd` is the Pod's namespace.
void apply_host_routing(RouteSocket& host, int pod_netns_fd, const RoutingPlan& plan);
// The priority of a Pod's rules in the host: before main's, behind local's. Not that of the rule
// that Pods of an earlier version share: the kernel takes a rule for all addresses, where one is to
// be deleted, for one of any address.
inline constexpr uint32_t kHostRulePriority = 999;
// True for the plan of an earlier version, in which the Pods of a host shared one rule for all
// traffic. undo_routing() takes that away with its last user; the caller holds this lock meanwhile.
bool shares_host_rule(const RoutingPlan& plan);
std::string host_rule_lock(uint32_t table);

// Adds the Pod's part of the plan to `batch`. `pod` looks links up. A route of table main may be
// there by then, of another interface that came up at the same moment: after sending the batch,
// drop_existing() takes those out of the plan. Returns the batch's position of each of plan.routes.
std::vector<size_t> add_pod_routing(RouteSocket& pod, const RoutingPlan& plan, NetlinkBatch& batch);
void drop_existing(RoutingPlan& plan, const std::vector<size_t>& positions,
                   const std::vector<size_t>& existed);

// Undoes all of the plan, or any part of it that was done; `pod` is nullptr when the Pod's
// namespace is gone. Routes by `dying_link` are passed over: that link is about to be deleted, and
// the kernel takes them with it. What is not there (any more) is passed over. Throws Error{kKernel}
// for the first thing that could not be undone in the host, after trying all; what the Pod refuses
// is logged.
void undo_routing(RouteSocket& host, RouteSocket* pod, const RoutingPlan& plan,
                  const std::string& dying_link);

// Throws Error{kCheckFailed} that names the first rule or route of the Pod that is missing.
void check_routing(RouteSocket& pod, const RoutingPlan& plan);

// The routes of the plan as a result shows them: those of `ifname`, with their tables.
std::vector<ResultRoute> result_routes(const RoutingPlan& plan, const std::string& ifname);

// The table that a link of that name has for itself, when nothing in `pod` uses it or its rule
// priority: 100 for the cluster's interface (`cni_nic`), 100 + N for netN, else a number from 1000
// to 9999 by a hash of the name. The next of these that is free otherwise.
uint32_t choose_table(const NamespaceView& pod, std::string_view name, std::string_view cni_nic);
// 20000 + table, the priority of a rail's rules.
uint32_t rule_priority(uint32_t table);

}  // namespace railcni

#endif  // RAILCNI_ROUTING_H_
