// The configuration when railcni is the IPAM of another plugin (see ipam_role()).
#ifndef RAILCNI_IPAM_CONFIG_H_
#define RAILCNI_IPAM_CONFIG_H_

#include <optional>
#include <string>
#include <vector>

#include "railcni/config.h"
#include "railcni/ipam_role.h"
#include "railcni/range_set.h"
#include "railcni/request.h"
#include "railcni/result.h"

namespace railcni {

struct OuterIpamConfig {
  IpamRole role = IpamRole::kRailcni;
  // What the IPAM needs of it: name, ipam, requested_ips, device_id, node_name.
  NetworkConfig network;
  // Of the outer plugin, for matchMasterSubnet.
  std::string outer_type;
  std::string master;              // empty: not said
  bool link_in_container = false;  // the master is inside the Pod
  // False: a pool's gateway is told, but is no default route (Spiderpool's clean_gateway).
  bool default_routes = true;
  // host-local: one address of each set, and the routes and DNS settings as they stand there.
  std::vector<RangeSet> range_sets;
  std::vector<ResultRoute> routes;
  Json dns;
};

// Reads and checks the `ipam` object, and of the rest what concerns it; the other keys are the
// outer plugin's. Throws Error{kInvalidConfig} that names the key, Error{kIoFailure} when a
// resolvConf cannot be read.
OuterIpamConfig read_ipam_config(const Request& request);

// Its part for the name host-local.
void read_host_local(const Json& ipam, const Request& request, OuterIpamConfig& config);
// Its part for the name spiderpool.
void read_spiderpool(const Json& ipam, OuterIpamConfig& config);
// Spiderpool's log levels, by railcni's.
LogLevel parse_spiderpool_log_level(const std::string& text);

}  // namespace railcni

#endif  // RAILCNI_IPAM_CONFIG_H_
