#include "railcni/vf_device.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/netns.h"

namespace railcni {
namespace {

// Drivers that hand a function to a program (DPDK).
constexpr std::array<std::string_view, 3> kUserspaceDrivers = {"vfio-pci", "uio_pci_generic",
                                                               "igb_uio"};

// The kernel takes a dying namespace down in a work queue: this is how long its interfaces may be
// on their way home.
constexpr int kHomeTries = 300;
constexpr useconds_t kHomePause = 10000;  // microseconds

bool is_userspace(const std::string& driver) {
  return std::find(kUserspaceDrivers.begin(), kUserspaceDrivers.end(), driver) !=
         kUserspaceDrivers.end();
}

std::string with_explanation(int error, const std::string& explanation) {
  return errno_text(error) + (explanation.empty() ? "" : " (" + explanation + ")");
}

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

// Where the VF is administered now; nothing when the record has no PF, or it is gone.
std::optional<VfHandle> find_handle(RouteSocket& host, const Sysfs& sysfs, const Json& record) {
  if (record.find("vfState") == nullptr) return std::nullopt;
  const std::string& address = record.at("physical").as_string();
  const Json* netdev = record.find("netdev");
  const auto physical =
      physical_link(host, sysfs, address, netdev == nullptr ? "" : netdev->at("name").as_string());
  if (!physical) {
    log_warning("PF " + address + " has no interface any more: the settings of its VF " +
                record.at("device").as_string() + " went with it");
    return std::nullopt;
  }
  return VfHandle{physical->index, physical->name, static_cast<int>(record.at("number").as_int())};
}

// Moves the interface out of the Pod's namespace; a half-done move is what restore_netdev() is for.
void bring_home(RouteSocket& pod, const LinkInfo& link, const NetdevState& original) {
  const Netns host = Netns::current();
  std::string explanation;
  int error =
      pod.try_send(move_link_message(link.index, host.fd(), original.name, 0), &explanation);
  if (error == EEXIST) {
    // Its old name is somebody else's by now; the kernel makes one up.
    error = pod.try_send(move_link_message(link.index, host.fd(), "dev%d", 0), &explanation);
  }
  if (error != 0 && error != ENODEV) {
    throw Error(Code::kKernel,
                "move " + link.name + " back to the host: " + with_explanation(error, explanation));
  }
}

// The VF's interface, in the Pod or in the host.
std::optional<LinkInfo> find_interface(RouteSocket& host, RouteSocket* pod, const Sysfs& sysfs,
                                       const std::string& device) {
  if (pod != nullptr) {
    if (auto link = find_device_link(*pod, device)) return link;
  }
  return host_link(host, sysfs, device);
}

// The VF's interface, once it is in the host.
LinkInfo fetch_interface(RouteSocket& host, RouteSocket* pod, const Sysfs& sysfs,
                         const std::string& device, const NetdevState& original) {
  if (pod != nullptr) {
    if (const auto link = find_device_link(*pod, device)) bring_home(*pod, *link, original);
  }
  std::optional<LinkInfo> link = host_link(host, sysfs, device);
  for (int tries = 0; !link && pod == nullptr && tries < kHomeTries; ++tries) {
    usleep(kHomePause);
    link = host_link(host, sysfs, device);
  }
  if (!link) {
    throw Error(Code::kIncomplete, "the interface of VF " + device +
                                       " is neither in the container nor in the host: something "
                                       "still holds the network namespace that it is in");
  }
  return *link;
}

}  // namespace

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
  }
  vf.physical = physical_link(host, sysfs, function->physical, name);
  if (vf.physical) vf.state = read_vf(host, vf.physical->index, function->vf_number);
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

void return_vf(RouteSocket& host, RouteSocket* pod, const Sysfs& sysfs, const Json& record) {
  const std::string& device = record.at("device").as_string();
  const auto function = sysfs.find_function(device);
  if (!function) {
    log_warning("VF " + device + " is gone (sriov_numvfs was changed): nothing to restore");
    return;
  }
  if (function->identity != record.at("identity").as_uint()) {
    log_warning("VF " + device +
                " was removed and made again (sriov_numvfs was changed): nothing to restore");
    return;
  }
  std::string failures;
  const auto collect = [&failures](const auto& step) {
    try {
      step();
    } catch (const Error& error) {
      if (failures.find(error.msg()) != std::string::npos) return;
      failures += (failures.empty() ? "" : "; ") + error.msg();
    }
  };
  std::optional<NetdevState> original;
  if (const Json* netdev = record.find("netdev")) {
    if (function->driver == record.at("driver").as_string()) {
      original = NetdevState::from_json(*netdev);
    } else {
      log_warning("VF " + device + " has driver \"" + function->driver + "\" instead of " +
                  record.at("driver").as_string() + ": its interface went with the other one");
    }
  }
  const std::optional<VfHandle> handle = find_handle(host, sysfs, record);
  VfState state;
  if (handle) state = VfState::from_json(record.at("vfState"));
  const auto restore_meanwhile = [&] {
    VfState meanwhile = state;
    if (original && state.mac) {
      // A VF may take its MAC back while the PF says the same one. What the PF said before comes
      // last: it may be none at all.
      const auto link = find_interface(host, pod, sysfs, device);
      meanwhile.mac.reset();
      if (!link || link->address != original->mac) meanwhile.mac = original->mac;
    }
    restore_vf(host, *handle, meanwhile);
  };
  if (handle) collect(restore_meanwhile);
  if (original) {
    collect([&] {
      const LinkInfo link = fetch_interface(host, pod, sysfs, device, *original);
      // In the Pod, a reset of the driver may have told the PF another MAC in between.
      if (handle) collect(restore_meanwhile);
      restore_netdev(host, link.index, *original);
    });
  }
  if (handle) collect([&] { restore_vf(host, *handle, state); });
  if (!failures.empty()) throw Error(Code::kIncomplete, "VF " + device + ": " + failures);
}

}  // namespace railcni
