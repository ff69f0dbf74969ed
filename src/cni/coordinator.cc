#include "railcni/coordinator.h"

#include "railcni/error.h"

namespace railcni {
namespace {

using Mode = CoordinatorConfig::Mode;

[[noreturn]] void fail(const ObjectReader& reader, std::string_view key, const std::string& why) {
  throw Error(Code::kInvalidConfig, reader.full_name(key) + ": " + why);
}

Mode read_mode(ObjectReader& reader) {
  const std::string mode = reader.string("mode").value_or("auto");
  if (mode.empty() || mode == "auto") return Mode::kAuto;
  if (mode == "underlay") return Mode::kUnderlay;
  if (mode == "overlay") return Mode::kOverlay;
  if (mode == "sbr") return Mode::kSourceBased;
  if (mode == "disable" || mode == "disabled") return Mode::kDisabled;
  fail(reader, "mode", "must be auto, underlay, overlay, sbr, disable or disabled, not " + mode);
}

std::vector<IpPrefix> read_prefixes(ObjectReader& reader, std::string_view key) {
  std::vector<IpPrefix> prefixes;
  for (const std::string& text : reader.strings(key)) {
    const auto prefix = IpPrefix::parse(text);
    if (!prefix) fail(reader, key, "\"" + text + "\" must be a subnet such as 10.96.0.0/12");
    prefixes.push_back(prefix->network());
  }
  return prefixes;
}

std::vector<CoordinatorConfig::Route> read_policy_routes(ObjectReader& reader) {
  std::vector<CoordinatorConfig::Route> routes;
  const Json* list = reader.array("policyRoutes");
  if (list == nullptr) return routes;
  size_t index = 0;
  for (const Json& entry : list->as_array()) {
    const std::string path = reader.full_name("policyRoutes") + "[" + std::to_string(index++) + "]";
    ObjectReader route(entry, path);
    // Both spellings occur, as in a pool's routes.
    const bool long_names = entry.find("to") != nullptr || entry.find("via") != nullptr;
    const std::string to = route.string(long_names ? "to" : "dst").value_or("");
    const std::string via = route.string(long_names ? "via" : "gw").value_or("");
    route.finish();
    const IpPrefix destination = IpPrefix::parse_or_throw(to, path + " destination").network();
    const IpAddress gateway = IpAddress::parse_or_throw(via, path + " gateway");
    if (destination.family() != gateway.family) {
      throw Error(Code::kInvalidConfig,
                  path + ": destination and gateway must be of one IP version");
    }
    routes.push_back({destination, gateway});
  }
  return routes;
}

// "0a:1b": the first two bytes of a MAC, the address' four follow.
std::optional<std::array<uint8_t, 2>> read_mac_prefix(ObjectReader& reader) {
  const std::string text = reader.string("podMACPrefix").value_or("");
  if (text.empty()) return std::nullopt;
  const auto mac = parse_hw_address(text + ":00:00:00:00");
  if (!mac || mac->size() != 6) {
    fail(reader, "podMACPrefix", "\"" + text + "\" must be two bytes such as 0a:1b");
  }
  if (((*mac)[0] & 1) != 0) {
    fail(reader, "podMACPrefix", "\"" + text + "\" is the prefix of a multicast MAC");
  }
  return std::array<uint8_t, 2>{(*mac)[0], (*mac)[1]};
}

std::optional<uint32_t> read_number(ObjectReader& reader, std::string_view key, int64_t min,
                                    int64_t max) {
  const auto number = reader.integer(key, min, max);
  if (!number) return std::nullopt;
  return static_cast<uint32_t>(*number);
}

std::optional<uint32_t> read_table(ObjectReader& reader, std::string_view key) {
  const auto table = read_number(reader, key, 1, UINT32_MAX);
  // RT_TABLE_DEFAULT, RT_TABLE_MAIN and RT_TABLE_LOCAL of <linux/rtnetlink.h>.
  if (table && *table >= 253 && *table <= 255) {
    fail(reader, key, "253, 254 and 255 are the kernel's own tables default, main and local");
  }
  return table;
}

}  // namespace

CoordinatorConfig read_coordinator(ObjectReader& top) {
  CoordinatorConfig config;
  const IpPrefix link_local = *IpPrefix::parse("169.254.0.0/16");
  config.hijack_cidr = {link_local};
  const bool enabled = top.boolean("enableCoordinator").value_or(true);
  const Json* object = top.object("coordinator");
  if (object != nullptr) {
    ObjectReader reader(*object, "coordinator");
    config.present = true;
    config.mode = read_mode(reader);
    config.tune_pod_routes = reader.boolean("tunePodRoutes").value_or(true);
    config.pod_default_route_nic = reader.string("podDefaultRouteNIC").value_or("");
    if (const auto nic = reader.string("podDefaultCniNic"); nic && !nic->empty()) {
      config.pod_default_cni_nic = *nic;
    }
    if (reader.array("hijackCIDR") != nullptr) {
      config.hijack_cidr = read_prefixes(reader, "hijackCIDR");
    }
    config.overlay_pod_cidr = read_prefixes(reader, "overlayPodCIDR");
    config.service_cidr = read_prefixes(reader, "serviceCIDR");
    config.policy_routes = read_policy_routes(reader);
    config.rp_filter = static_cast<int>(reader.integer("podRPFilter", -1, 2).value_or(0));
    config.tx_queue_length = read_number(reader, "txQueueLen", 0, UINT32_MAX).value_or(0);
    config.mac_prefix = read_mac_prefix(reader);
    if (const auto text = reader.string("vethLinkAddress"); text && !text->empty()) {
      config.veth_link_address =
          IpAddress::parse_or_throw(*text, reader.full_name("vethLinkAddress"));
    }
    config.host_rule_table = read_table(reader, "hostRuleTable").value_or(500);
    config.detect_gateway = reader.boolean("detectGateway").value_or(false);
    config.detect_ip_conflict = reader.boolean("detectIPConflict").value_or(false);
    config.table = read_table(reader, "table");
    // Behind the local table's rule (0), before main's (32766).
    config.rule_priority = read_number(reader, "rulePriority", 1, 32765);
    config.source_hints = reader.boolean("addSourceHints").value_or(false);
    reader.finish();
    if (config.source_hints && config.mode != Mode::kSourceBased) {
      fail(reader, "addSourceHints", "goes with mode sbr only");
    }
    if (!config.tune_pod_routes) {
      if (config.table) fail(reader, "table", "there is none with tunePodRoutes false");
      if (config.rule_priority) fail(reader, "rulePriority", "no rules with tunePodRoutes false");
    }
  }
  if (!enabled) config.mode = Mode::kDisabled;
  return config;
}

}  // namespace railcni
