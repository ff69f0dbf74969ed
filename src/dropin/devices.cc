// The plugins of devices: sriov, ib-sriov, ipoib and rdma.
#include <initializer_list>

#include "src/dropin/flat_config.h"

namespace railcni::dropin {
namespace {

bool has_text(const Json* value) {
  return value != nullptr && value->is_string() && !value->as_string().empty();
}

// Keys that railcni has at the top, in the one spelling that it takes.
void keep_at_top(FlatConfig& flat, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (auto value = flat.take(key)) flat.json()[key] = std::move(*value);
  }
}

}  // namespace

void translate_sriov(FlatConfig& flat) {
  keep_at_top(flat, {"deviceID", "logLevel", "logFile"});
  flat.become_link("sriov", "sriov",
                   {"vlan", "vlanQoS", "vlanProto", "mac", "mtu", "min_tx_rate", "max_tx_rate",
                    "spoofchk", "trust", "link_state"});
}

void translate_ib_sriov(FlatConfig& flat) {
  keep_at_top(flat, {"deviceID", "logLevel", "logFile"});
  flat.refuse_dhcp();
  Json block = Json::object();
  if (const auto pkey = flat.take_string("pkey")) block["pkey"] = *pkey;
  const auto state = flat.take_string("link_state");
  if (state && !state->empty()) block["linkState"] = *state;
  // The original's defaults: railcni's own form, as SpiderMultusConfig, isolates.
  block["rdmaIsolation"] = flat.take_boolean("rdmaIsolation", false);
  block["enableIbKubernetes"] = flat.take_boolean("ibKubernetesEnabled", false);
  // The original overwrites it with what the VF's driver says, and so does railcni.
  flat.take_boolean("vfioPciMode", false);
  flat.become_link("ib-sriov", "ibsriov", {}) = std::move(block);
}

void translate_ipoib(FlatConfig& flat) {
  flat.refuse_dhcp();
  Json& block = flat.become_link("ipoib", "ipoib", {"master", "mtu", "pkey", "mode", "umcast"});
  if (!has_text(block.find("master"))) {
    flat.fail("master", "is missing: the name of the IPoIB interface that the Pod's is a child of");
  }
}

void translate_rdma(FlatConfig& flat) {
  keep_at_top(flat, {"deviceID"});
  flat.become_chained();
  // Without a deviceID it is the device that the chain's interface is on.
  flat.json()["rdmaIsolation"] = true;
  flat.json()["enableCoordinator"] = false;
}

}  // namespace railcni::dropin
