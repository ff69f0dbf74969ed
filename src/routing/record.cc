// A plan as it stands in the attachment's record.
#include "railcni/error.h"
#include "railcni/routing.h"

namespace railcni {
namespace {

Json route_json(const NamedRoute& named) {
  const RouteInfo& route = named.route;
  Json json = Json::object({{"dst", route.destination.to_string()}, {"dev", named.link}});
  if (route.gateway) json["gw"] = route.gateway->to_string();
  if (route.source) json["src"] = route.source->to_string();
  json["table"] = route.table;
  if (route.priority != 0) json["metric"] = route.priority;
  if (route.protocol != 0) json["protocol"] = static_cast<uint32_t>(route.protocol);
  return json;
}

uint32_t number(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  return value == nullptr ? 0 : static_cast<uint32_t>(value->as_uint());
}

std::optional<IpAddress> address(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  if (value == nullptr) return std::nullopt;
  return IpAddress::parse_or_throw(value->as_string(), key);
}

NamedRoute parse_route(const Json& json) {
  NamedRoute named;
  named.link = json.at("dev").as_string();
  named.route.destination = IpPrefix::parse_or_throw(json.at("dst").as_string(), "dst");
  named.route.gateway = address(json, "gw");
  named.route.source = address(json, "src");
  named.route.table = number(json, "table");
  named.route.priority = number(json, "metric");
  named.route.protocol = static_cast<uint8_t>(number(json, "protocol"));
  return named;
}

Json rule_json(const RuleInfo& rule) {
  Json json = Json::object({{"from", rule.from.value_or(IpPrefix{{rule.family, 0}, 0}).to_string()},
                            {"table", rule.table},
                            {"priority", rule.priority}});
  if (rule.to) json["to"] = rule.to->to_string();
  return json;
}

RuleInfo parse_rule(const Json& json) {
  RuleInfo rule;
  rule.from = IpPrefix::parse_or_throw(json.at("from").as_string(), "from");
  rule.family = rule.from->family();
  if (rule.from->length == 0) rule.from.reset();  // from all
  if (const Json* to = json.find("to")) {
    rule.to = IpPrefix::parse_or_throw(to->as_string(), "to");
  }
  rule.table = number(json, "table");
  rule.priority = number(json, "priority");
  return rule;
}

Json neighbour_json(const NamedNeighbour& neighbour) {
  return Json::object({{"address", neighbour.address.to_string()},
                       {"mac", to_string(neighbour.mac)},
                       {"dev", neighbour.link}});
}

HwAddress parse_mac(const Json& json, std::string_view key) {
  return parse_hw_address(json.at(key).as_string()).value();
}

NamedNeighbour parse_neighbour(const Json& json) {
  return {IpAddress::parse_or_throw(json.at("address").as_string(), "address"),
          parse_mac(json, "mac"), json.at("dev").as_string()};
}

template <typename Item>
void put_list(Json& json, std::string_view key, const std::vector<Item>& items,
              Json (*to_json)(const Item&)) {
  for (const Item& item : items) json[key].push_back(to_json(item));
}

template <typename Item>
void get_list(const Json& json, std::string_view key, std::vector<Item>& items,
              Item (*parse)(const Json&)) {
  const Json* list = json.find(key);
  if (list == nullptr) return;
  for (const Json& entry : list->as_array()) items.push_back(parse(entry));
}

}  // namespace

Json RoutingPlan::to_json() const {
  Json json = Json::object({{"table", table}});
  put_list(json, "rules", rules, rule_json);
  put_list(json, "routes", routes, route_json);
  put_list(json, "removed", removed, route_json);
  put_list(json, "neighbours", neighbours, neighbour_json);
  if (veth) {
    json["veth"] = Json::object({{"pod", veth->pod_name},
                                 {"host", veth->host_name},
                                 {"podMac", to_string(veth->pod_mac)},
                                 {"hostMac", to_string(veth->host_mac)},
                                 {"mtu", veth->mtu}});
    if (veth->link_address) json["veth"]["address"] = veth->link_address->to_string();
  }
  if (host_table != 0) json["hostTable"] = host_table;
  put_list(json, "hostRules", host_rules, rule_json);
  put_list(json, "hostRoutes", host_routes, route_json);
  put_list(json, "hostNeighbours", host_neighbours, neighbour_json);
  return json;
}

RoutingPlan RoutingPlan::from_json(const Json& json) {
  RoutingPlan plan;
  if (json.is_null()) return plan;
  try {
    plan.table = number(json, "table");
    get_list(json, "rules", plan.rules, parse_rule);
    get_list(json, "routes", plan.routes, parse_route);
    get_list(json, "removed", plan.removed, parse_route);
    get_list(json, "neighbours", plan.neighbours, parse_neighbour);
    if (const Json* pair = json.find("veth")) {
      plan.veth = VethPair{pair->at("pod").as_string(), pair->at("host").as_string(),
                           parse_mac(*pair, "podMac"),  parse_mac(*pair, "hostMac"),
                           address(*pair, "address"),   number(*pair, "mtu")};
    }
    plan.host_table = number(json, "hostTable");
    get_list(json, "hostRules", plan.host_rules, parse_rule);
    get_list(json, "hostRoutes", plan.host_routes, parse_route);
    get_list(json, "hostNeighbours", plan.host_neighbours, parse_neighbour);
  } catch (const std::exception& error) {
    throw Error(Code::kStoreDamaged,
                std::string("an attachment's recorded routing cannot be read: ") + error.what());
  }
  return plan;
}

}  // namespace railcni
