#include "railcni/owed_names.h"

#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cerrno>
#include <string_view>

#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/netdev_state.h"
#include "railcni/rdma.h"

namespace railcni {
namespace {

constexpr std::string_view kParked = "railcni";

uint64_t identity_of(const Sysfs& sysfs, const std::string& device) {
  const auto function = sysfs.find_function(device);
  return function ? function->identity : 0;
}

bool rename_interface(RouteSocket& host, const LinkInfo& link, const std::string& name) {
  int error = host.try_send(rename_message(link.index, name));
  if (error == EBUSY && (link.flags & IFF_UP) != 0) {
    // Before Linux 6.2 a link must be down for that.
    host.try_send(link_up_message(link.index, false));
    error = host.try_send(rename_message(link.index, name));
    host.try_send(link_up_message(link.index, true));
  }
  return error == 0;
}

bool settle_interface(RouteSocket& host, const Sysfs& sysfs, const OwedName& owed) {
  const std::string now = sysfs.own_interface(owed.device);
  if (now == owed.name) return true;
  const auto link = now.empty() ? std::nullopt : host.find_link(now);
  return link && !host.find_link(owed.name) && rename_interface(host, *link, owed.name);
}

bool settle_rdma(const Sysfs& sysfs, const OwedName& owed) {
  const std::vector<std::string> names = sysfs.rdma_devices(owed.device);
  if (names.size() != 1) return false;
  if (names.front() == owed.name) return true;
  RdmaSocket socket;
  for (const RdmaDevice& device : socket.devices()) {
    if (device.name == names.front()) return socket.try_rename(device.index, owed.name) == 0;
  }
  return false;
}

}  // namespace

std::string parked_rdma_name(uint32_t index) {
  return std::string(kParked) + "_" + std::to_string(index);
}

bool is_parked_name(const std::string& name) {
  return name.starts_with(kParked) && name.size() > kParked.size() &&
         name.find_first_not_of("_0123456789", kParked.size()) == std::string::npos;
}

std::vector<OwedName> missing_names(const Sysfs& sysfs, const Json& link) {
  std::vector<OwedName> missing;
  const auto look = [&](OwedName::Kind kind, const std::string& device, const std::string& now,
                        const std::string& name) {
    // A device that was lent while it was parked is recorded under that name.
    if (now.empty() || now == name || is_parked_name(name)) return;
    missing.push_back({kind, device, identity_of(sysfs, device), name});
  };
  if (const Json* netdev = link.find("netdev")) {
    const std::string& device = link.at("device").as_string();
    const auto function = sysfs.find_function(device);
    // Another driver's interface has its own name.
    if (function && function->driver == link.at("driver").as_string()) {
      look(OwedName::Kind::kInterface, device, sysfs.own_interface(device),
           netdev->at("name").as_string());
    }
  }
  if (const Json* rdma = link.find("rdma")) {
    const std::string& function = rdma->at("device").as_string();
    const std::vector<std::string> names = sysfs.rdma_devices(function);
    look(OwedName::Kind::kRdma, function, names.size() == 1 ? names.front() : "",
         rdma->at("name").as_string());
  }
  return missing;
}

bool settle_name(RouteSocket& host, const Sysfs& sysfs, const OwedName& owed) {
  if (identity_of(sysfs, owed.device) != owed.identity) return true;
  const bool is_rdma = owed.kind == OwedName::Kind::kRdma;
  const bool settled = is_rdma ? settle_rdma(sysfs, owed) : settle_interface(host, sysfs, owed);
  if (settled) {
    log_info((is_rdma ? "the RDMA device of " : "the interface of ") + owed.device + " is called " +
             owed.name + " again");
  }
  return settled;
}

}  // namespace railcni
