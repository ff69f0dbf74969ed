#include "src/verbs/outer_master.h"

#include "railcni/error.h"
#include "railcni/netlink.h"
#include "railcni/netns.h"
#include "railcni/pci.h"
#include "railcni/uplink.h"

namespace railcni {
namespace {

// The interface of the device's PF, or of the device itself when it is one.
std::string interface_of_device(const std::string& device) {
  const std::string what = "matchMasterSubnet: deviceID " + device;
  const auto address = parse_pci_address(device);
  if (!address) throw Error(Code::kInvalidConfig, what + ": must be a PCI address");
  const Sysfs sysfs;
  const auto function = sysfs.find_function(*address);
  if (!function) throw Error(Code::kInvalidConfig, what + ": there is no such device");
  const bool is_virtual = !function->physical.empty();
  const std::string& physical = is_virtual ? function->physical : function->address;
  const std::string own = is_virtual ? sysfs.own_interface(*address) : "";
  std::string name = sysfs.own_interface(physical, own);
  if (name.empty()) {
    throw Error(Code::kInvalidConfig, what + ": " + physical + " has no interface in the host");
  }
  return name;
}

void find_master(const OuterIpamConfig& config, RouteSocket& socket, PoolRequest& request) {
  request.master = config.master;
  const bool takes_default = config.outer_type == "macvlan" || config.outer_type == "ipvlan";
  if (request.master.empty() && !config.network.device_id.empty()) {
    request.master = interface_of_device(config.network.device_id);
  } else if (request.master.empty() && takes_default) {
    request.master = default_route_device(socket);
  } else if (request.master.empty()) {
    throw Error(Code::kInvalidConfig, "matchMasterSubnet: the configuration of plugin \"" +
                                          config.outer_type +
                                          "\" has neither \"master\" nor \"deviceID\"");
  }
  const auto link = socket.find_link(request.master);
  if (!link) {
    throw Error(Code::kInvalidConfig, "matchMasterSubnet: there is no master \"" + request.master +
                                          "\"" + (config.link_in_container ? " in the Pod" : ""));
  }
  request.master_addresses = addresses_around(socket, *link);
}

}  // namespace

void find_outer_master(const OuterIpamConfig& config, const std::string& netns,
                       PoolRequest& request) {
  if (!config.network.ipam.match_master_subnet) return;
  if (!config.link_in_container) {
    RouteSocket host;
    find_master(config, host, request);
    return;
  }
  std::optional<RouteSocket> pod;
  Netns::open(netns).run([&pod] { pod.emplace(); });
  pod->accept_torn_dumps();
  find_master(config, *pod, request);
}

}  // namespace railcni
