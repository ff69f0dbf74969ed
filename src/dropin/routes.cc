// The plugins that arrange routing behind the one that makes the interface: sbr and coordinator.
#include <array>

#include "railcni/dropin.h"
#include "railcni/error.h"
#include "src/dropin/flat_config.h"

namespace railcni {
namespace {

// What both Spiderpool's coordinator and railcni's block have; `table` and `rulePriority` are
// railcni's alone.
constexpr std::array<std::string_view, 17> kShared = {
    "mode",         "tunePodRoutes", "podDefaultRouteNIC", "podDefaultCniNic", "podRPFilter",
    "txQueueLen",   "podMACPrefix",  "overlayPodCIDR",     "serviceCIDR",      "hijackCIDR",
    "policyRoutes", "hostRuleTable", "vethLinkAddress",    "detectIPConflict", "detectGateway",
    "table",        "rulePriority"};

struct Refused {
  std::string_view key;
  std::string_view why;
};
constexpr std::array<Refused, 3> kRefused = {{
    {"hostRPFilter", "railcni leaves the node's own rp_filter as it is: remove it"},
    {"detectOptions",
     "railcni's probes have fixed times (three within 0.25 s, a gateway's within 0.5 s): remove "
     "it"},
    {"multusNicPrefix", "railcni takes interfaces by any name: remove it"},
}};

void check_pod_cidr_type(const Json& value, const std::string& name) {
  if (value.is_string() && (value.as_string().empty() || value.as_string() == "none")) return;
  throw Error(Code::kInvalidConfig,
              name + " " + value.dump() +
                  ": railcni does not ask the API server for the cluster's subnets; write them as "
                  "overlayPodCIDR and serviceCIDR, with podCIDRType none");
}

bool is_empty_list(const Json& value) { return value.is_array() && value.as_array().empty(); }

}  // namespace

Json translate_coordinator(const Json& object, const std::string& path) {
  if (!object.is_object()) {
    throw Error(Code::kInvalidConfig, path + ": must be an object, not " + object.dump());
  }
  Json left = object;
  const auto name = [&path](std::string_view key) {
    return path.empty() ? std::string(key) : path + "." + std::string(key);
  };
  if (const auto type = dropin::take_member(left, "podCIDRType")) {
    check_pod_cidr_type(*type, name("podCIDRType"));
  }
  for (const Refused& refused : kRefused) {
    if (!dropin::take_member(left, refused.key)) continue;
    throw Error(Code::kInvalidConfig, name(refused.key) + ": " + std::string(refused.why));
  }
  Json block = Json::object();
  for (const std::string_view key : kShared) {
    auto value = dropin::take_member(left, key);
    // An empty list is "not given" there: its default counts.
    if (!value || is_empty_list(*value)) continue;
    if (key == "podRPFilter" && value->is_integer() && value->as_int() < -1) value = -1;
    block[key] = std::move(*value);
  }
  ObjectReader reader(left, path);
  for (const std::string_view key : kShared) reader.allow({key});  // to be named as the nearest
  reader.finish();
  return block;
}

namespace dropin {

void translate_sbr(FlatConfig& flat) {
  flat.become_chained();
  Json block = Json::object({{"mode", "sbr"}});
  if (auto table = flat.take("table")) block["table"] = std::move(*table);
  if (flat.take_boolean("addSourceHints", false)) block["addSourceHints"] = true;
  if (flat.json().find("coordinator") != nullptr) {
    flat.fail("coordinator",
              "does not go with the name sbr, which says what is done; use "
              "railcni's own name");
  }
  flat.json()["coordinator"] = std::move(block);
}

void translate_coordinator_plugin(FlatConfig& flat) {
  flat.become_chained();
  if (flat.json().find("coordinator") != nullptr) {
    flat.fail("coordinator",
              "the fields stand at the top here, as Spiderpool's coordinator has "
              "them");
  }
  Json fields = Json::object();
  for (const std::string_view key : kShared) {
    if (auto value = flat.take(key)) fields[key] = std::move(*value);
  }
  for (const Refused& refused : kRefused) {
    if (auto value = flat.take(refused.key)) fields[refused.key] = std::move(*value);
  }
  if (auto type = flat.take("podCIDRType")) fields["podCIDRType"] = std::move(*type);
  flat.json()["coordinator"] = translate_coordinator(fields, "");
  const auto options = flat.take("logOptions");
  if (!options) return;
  ObjectReader reader(*options, "logOptions");
  for (const std::string_view key : {"logMaxSize", "logMaxAge", "logMaxCount"}) {
    if (reader.any(key) == nullptr) continue;
    flat.fail(reader.full_name(key), "railcni does not rotate its log: leave it to logrotate");
  }
  for (const std::string_view key : {"logLevel", "logFile"}) {
    if (const auto text = reader.string(key); text && !text->empty()) flat.json()[key] = *text;
  }
  reader.finish();
}

}  // namespace dropin
}  // namespace railcni
