#include "railcni/vf_device.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "railcni/error.h"
#include "src/kernel/vf_links.h"

namespace railcni {
namespace {

// Drivers that hand a function to a program (DPDK).
constexpr std::array<std::string_view, 3> kUserspaceDrivers = {"vfio-pci", "uio_pci_generic",
                                                               "igb_uio"};

constexpr int kRebindTries = 1000;
constexpr useconds_t kRebindPause = 10000;  // microseconds

bool is_userspace(const std::string& driver) {
  return std::find(kUserspaceDrivers.begin(), kUserspaceDrivers.end(), driver) !=
         kUserspaceDrivers.end();
}

}  // namespace

std::optional<LinkInfo> physical_link(RouteSocket& host, const Sysfs& sysfs,
                                      const std::string& physical, const std::string& interface) {
  if (physical.empty()) return std::nullopt;
  const std::string name = sysfs.own_interface(physical, interface);
  return name.empty() ? std::nullopt : host.find_link(name);
}

std::optional<LinkInfo> host_link(RouteSocket& host, const Sysfs& sysfs,
                                  const std::string& device) {
  const std::string name = sysfs.own_interface(device);
  return name.empty() ? std::nullopt : host.find_link(name);
}

VfHandle VfDevice::handle() const { return {physical->index, physical->name, function.vf_number}; }

Json VfDevice::to_json() const {
  Json json = Json::object(
      {{"device", function.address}, {"identity", function.identity}, {"driver", function.driver}});
  if (!function.physical.empty()) {
    json["physical"] = function.physical;
    json["number"] = function.vf_number;
  }
  if (state) json["vfState"] = state->to_json();
  if (link) json["netdev"] = NetdevState::of(*link).to_json();
  return json;
}

VfDevice inspect_vf(RouteSocket& host, const Sysfs& sysfs, const std::string& address) {
  const auto fail = [&address](const std::string& why) {
    throw Error(Code::kInvalidConfig, "deviceID " + address + ": " + why);
  };
  VfDevice vf;
  const auto function = sysfs.find_function(address);
  if (!function) fail("there is no such PCI device on this node");
  vf.function = *function;
  if (function->is_physical) {
    fail("this is a physical function; a Pod gets one of its VFs");
  }
  if (function->driver.empty()) fail("no driver is bound to it");
  vf.userspace = is_userspace(function->driver);
  std::string name;
  if (!vf.userspace) {
    name = sysfs.own_interface(address);
    if (!name.empty()) vf.link = host.find_link(name);
    if (!vf.link) {
      fail("its driver is " + function->driver +
           ", yet it has no interface in the host: it may have been moved by hand into another "
           "network namespace");
    }
    if (vf.link->parent_device != address) {
      fail(
          "the kernel does not say which interface is on which device (IFLA_PARENT_DEV_NAME); it "
          "must be Linux 5.14 or later");
    }
    if (const auto stacked = sysfs.stacked_on(name); !stacked.empty()) {
      fail("interface " + stacked.front() + " of the host stands on its " + name +
           ", and would take part in the Pod's traffic: remove it first");
    }
  }
  vf.physical = physical_link(host, sysfs, function->physical, name);
  if (vf.physical) vf.state = read_vf(host, vf.physical->index, function->vf_number);
  // Of InfiniBand the kernel shows the PF's own address here.
  if (vf.state && is_ipoib(vf.physical->address)) vf.state->mac.reset();
  return vf;
}

LinkInfo lend_vf(RouteSocket& host, RouteSocket& pod, int pod_netns_fd, const VfDevice& vf,
                 const std::string& name, uint32_t mtu) {
  std::vector<std::string> in_the_way;
  for (const std::string& alt_name : vf.link->alt_names) {
    if (alt_name == name || pod.find_link(alt_name)) in_the_way.push_back(alt_name);
  }
  NetlinkBatch batch;
  if (!in_the_way.empty()) {
    batch.add(alt_names_message(vf.link->index, in_the_way, false),
              "remove alternative names of " + vf.link->name);
  }
  batch.add(move_link_message(vf.link->index, pod_netns_fd, name, mtu == vf.link->mtu ? 0 : mtu),
            "move VF " + vf.function.address + " (" + vf.link->name + ") into the container as " +
                name + " with MTU " + std::to_string(mtu));
  host.send(batch);
  const auto link = pod.find_link(name);
  if (!link || link->parent_device != vf.function.address) {
    throw Error(Code::kKernel, "VF " + vf.function.address + " was moved into the container and " +
                                   "is not there as " + name);
  }
  return *link;
}

void rebind_vf(RouteSocket& host, const Sysfs& sysfs, VfDevice& vf) {
  sysfs.unbind(vf.function.address, vf.function.driver);
  sysfs.bind(vf.function.address, vf.function.driver);
  for (int tries = 0; tries < kRebindTries; ++tries) {
    vf.link = host_link(host, sysfs, vf.function.address);
    if (vf.link) return;
    usleep(kRebindPause);
  }
  throw Error(Code::kKernel, "VF " + vf.function.address + " has no interface after its driver " +
                                 vf.function.driver + " was bound anew");
}

uint64_t port_guid(const HwAddress& ipoib_address) {
  uint64_t guid = 0;
  for (size_t i = kIpoibAddressSize - sizeof guid; i < ipoib_address.size(); ++i) {
    guid = guid << 8 | ipoib_address[i];
  }
  return guid;
}

}  // namespace railcni
