// The `coordinator` block: how the Pod's routing is arranged around the new interface. The fields
// and their defaults are those of Spiderpool's coordinator, `table` and `rulePriority` are
// railcni's.
#ifndef RAILCNI_COORDINATOR_H_
#define RAILCNI_COORDINATOR_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "railcni/address.h"
#include "railcni/object_reader.h"

namespace railcni {

struct CoordinatorConfig {
  // kAuto: on podDefaultCniNic underlay if the block stands in the configuration, else nothing; on
  // another interface that is the Pod's only one nothing; else underlay where the Pod has a veth0,
  // overlay where it has none.
  // kSourceBased: what the reference plugin sbr does, and no more: every interface, be it the
  // first, gets a table with its routes, which leave table main.
  enum class Mode { kAuto, kUnderlay, kOverlay, kSourceBased, kDisabled };

  // Whether the block stands in the configuration, or the defaults apply.
  bool present = false;
  Mode mode = Mode::kAuto;
  bool tune_pod_routes = true;
  std::string pod_default_route_nic;  // empty: whoever has the default route keeps it
  std::string pod_default_cni_nic = "eth0";
  std::vector<IpPrefix> hijack_cidr;
  std::vector<IpPrefix> overlay_pod_cidr;
  std::vector<IpPrefix> service_cidr;
  struct Route {
    IpPrefix to;
    IpAddress via;
  };
  std::vector<Route> policy_routes;
  int rp_filter = 0;             // -1: left as it is
  uint32_t tx_queue_length = 0;  // 0: left as it is
  std::optional<std::array<uint8_t, 2>> mac_prefix;
  std::optional<IpAddress> veth_link_address;
  uint32_t host_rule_table = 500;
  bool detect_gateway = false;
  bool detect_ip_conflict = false;
  std::optional<uint32_t> table;
  std::optional<uint32_t> rule_priority;
  // Routes of the table name the interface's address as their source (kSourceBased only).
  bool source_hints = false;
};

// Reads `coordinator` and `enableCoordinator` of the configuration's top. Throws
// Error{kInvalidConfig} that names the key.
CoordinatorConfig read_coordinator(ObjectReader& top);

}  // namespace railcni

#endif  // RAILCNI_COORDINATOR_H_
