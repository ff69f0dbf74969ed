#include "railcni/rdma_device.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/owed_names.h"
#include "railcni/way_home.h"

namespace railcni {
namespace {

constexpr size_t kLongestName = 63;  // IB_DEVICE_NAME_MAX of <rdma/ib_user_verbs.h>, less its end

// 0 is "none" of either: a port without an interface, an interface of another namespace.
bool belongs_to(RdmaSocket& socket, const RdmaDevice& device, const LinkInfo& interface) {
  if (interface.index == 0) return false;
  for (const RdmaPort& port : socket.ports(device)) {
    if (port.interface_index == interface.index) return true;
  }
  return false;
}

// A socket of that namespace.
std::optional<RdmaSocket> socket_in(const Netns& netns) {
  std::optional<RdmaSocket> socket;
  netns.run([&socket] { socket.emplace(); });
  return socket;
}

uint32_t index_of(const Json& record) {
  return static_cast<uint32_t>(record.at("index").as_uint());
}

const std::string& name_in_pod(const Json& record) {
  const Json* name = record.find("podName");
  return (name != nullptr ? *name : record.at("name")).as_string();
}

// Whether there is, in any namespace, an RDMA device where the recorded one was.
bool exists_somewhere(const Sysfs& sysfs, const Json& record) {
  const std::string& device = record.at("device").as_string();
  // One without hardware cannot be seen from outside of its namespace.
  return device.empty() || !sysfs.uverbs(device).empty();
}

// Whether something could make an RDMA device where the recorded one was. (Of an auxiliary device
// this is not known.)
bool has_driver(const Sysfs& sysfs, const Json& record) {
  const std::string& device = record.at("device").as_string();
  if (!parse_pci_address(device)) return true;
  const auto function = sysfs.find_function(device);
  return function && !function->driver.empty();
}

// The kernel wants the caller, and not its socket alone, to be in the namespace that the device is
// to leave.
void bring_home(const Netns& pod, uint32_t index) {
  const Netns host = Netns::current();
  pod.run([&] {
    RdmaSocket socket;
    if (!socket.find_device(index)) return;
    int error = socket.try_move(index, host.fd());
    if (error == EEXIST) {
      // Its name is another one's in the host by now. This one the kernel would give it.
      socket.try_rename(index, parked_rdma_name(index));
      error = socket.try_move(index, host.fd());
    }
    if (error == 0) return;
    throw_errno(Code::kKernel, "move RDMA device " + std::to_string(index) + " back to the host",
                error);
  });
}

std::optional<RdmaDevice> find_home(RdmaSocket& host, const Sysfs& sysfs, const Json& record) {
  if (auto device = host.find_device(index_of(record))) return device;
  // A driver that was bound anew has made another one.
  const std::vector<std::string> names = sysfs.rdma_devices(record.at("device").as_string());
  if (names.size() != 1) return std::nullopt;
  for (RdmaDevice& device : host.devices()) {
    if (device.name == names.front()) return std::move(device);
  }
  return std::nullopt;
}

}  // namespace

RdmaConfig read_rdma_config(ObjectReader& reader, bool isolation_by_default) {
  RdmaConfig config;
  const auto isolation = reader.boolean("rdmaIsolation");
  const auto older = reader.boolean("enableRdma");
  if (isolation && older && *isolation != *older) {
    throw Error(Code::kInvalidConfig, reader.full_name("rdmaIsolation") + " and " +
                                          reader.full_name("enableRdma") +
                                          ", its older name, say the opposite: keep one");
  }
  config.isolation = isolation.value_or(older.value_or(isolation_by_default));
  config.pod_name = reader.string("rdmaDeviceName").value_or("");
  check_rdma_config(config, reader.full_name("rdmaDeviceName"));
  return config;
}

void check_rdma_config(const RdmaConfig& config, const std::string& path) {
  const std::string& name = config.pod_name;
  if (name.empty()) return;
  const bool is_plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
  });
  if (!is_plain || name.size() > kLongestName || name[0] == '.') {
    throw Error(Code::kInvalidConfig, path + " \"" + name + "\": must be 1 to " +
                                          std::to_string(kLongestName) +
                                          " letters, digits, '_', '-' and '.'");
  }
  if (!config.isolation) {
    throw Error(Code::kInvalidConfig,
                path + " \"" + name + "\": needs rdmaIsolation, only a moved device is renamed");
  }
}

std::optional<RdmaDevice> find_rdma_device(RdmaSocket& host, const Sysfs& sysfs,
                                           const std::string& device, const LinkInfo* interface) {
  std::vector<std::string> names;
  if (!device.empty()) names = sysfs.rdma_devices(device);
  std::vector<RdmaDevice> found;
  for (RdmaDevice& candidate : host.devices()) {
    const bool fits = !names.empty()
                          ? std::find(names.begin(), names.end(), candidate.name) != names.end()
                          : interface != nullptr && belongs_to(host, candidate, *interface);
    if (fits) found.push_back(std::move(candidate));
  }
  if (found.empty()) return std::nullopt;
  if (found.size() > 1) {
    throw Error(Code::kInvalidConfig, "rdmaIsolation: there are several RDMA devices on " + device +
                                          ", " + found[0].name + " and " + found[1].name +
                                          "; a Pod gets one that is alone");
  }
  return std::move(found.front());
}

void require_exclusive_mode(RdmaSocket& host) {
  if (host.is_exclusive()) return;
  throw Error(
      Code::kInvalidConfig,
      "rdmaIsolation: the RDMA subsystem is in shared mode, in which no device can be moved. "
      "Switch to exclusive mode: `rdma system set netns exclusive` does it while there is no other "
      "network namespace; on a node with Pods, write `options ib_core netns_mode=0` to a file in "
      "/etc/modprobe.d and reboot");
}

Json plan_rdma(const Sysfs& sysfs, const std::string& device, const LinkInfo* interface,
               const RdmaConfig& config) {
  RdmaSocket host;
  require_exclusive_mode(host);
  const auto found = find_rdma_device(host, sysfs, device, interface);
  if (!found) {
    const std::string what = interface != nullptr ? "interface " + interface->name : device;
    throw Error(Code::kInvalidConfig,
                "rdmaIsolation: there is no RDMA device in the host that belongs to " + what +
                    (device.empty() || interface == nullptr ? "" : " (" + device + ")"));
  }
  Json record = Json::object({{"name", found->name}, {"index", found->index}, {"device", device}});
  if (!config.pod_name.empty()) record["podName"] = config.pod_name;
  return record;
}

void lend_rdma(const Sysfs& sysfs, const Netns& pod, const Json& record) {
  const std::string& name = record.at("name").as_string();
  const std::string& device = record.at("device").as_string();
  const uint32_t index = index_of(record);
  const std::string uverbs = sysfs.uverbs(device);
  RdmaSocket host;
  const int error = host.try_move(index, pod.fd());
  if (error == EOPNOTSUPP) {
    throw Error(Code::kKernel, "rdmaIsolation: the driver of RDMA device " + name +
                                   " cannot move it to another network namespace");
  }
  if (error != 0) {
    throw_errno(Code::kKernel, "move RDMA device " + name + " into the container", error);
  }
  auto socket = socket_in(pod);
  if (name_in_pod(record) != name) {
    const int refused = socket->try_rename(index, name_in_pod(record));
    if (refused == EEXIST) {
      throw Error(Code::kKernel, "rdmaDeviceName \"" + name_in_pod(record) +
                                     "\": another RDMA device has that name (before Linux 7.3, a "
                                     "name is used once on the whole node)");
    }
    if (refused != 0) {
      throw_errno(Code::kKernel, "rename RDMA device " + name + " to " + name_in_pod(record),
                  refused);
    }
  }
  if (!socket->find_device(index)) {
    throw Error(Code::kKernel, "RDMA device " + name +
                                   " was moved into the container and is not "
                                   "there");
  }
  if (const std::string now = sysfs.uverbs(device); now != uverbs) {
    log_warning("RDMA device " + name + " was " + uverbs + " and is " + now +
                " now: a container that was given /dev/infiniband/" + uverbs +
                " before has another device's");
  }
}

void return_rdma(const Sysfs& sysfs, const Netns* pod, const Json& record) {
  const std::string& name = record.at("name").as_string();
  if (pod != nullptr) bring_home(*pod, index_of(record));
  RdmaSocket host;
  std::optional<RdmaDevice> home = find_home(host, sysfs, record);
  int missed = 0;
  for (int tries = 0; !home && tries < kHomeTries; ++tries) {
    missed = exists_somewhere(sysfs, record) ? 0 : missed + 1;
    if (missed > kGoneTries || (missed > 0 && !has_driver(sysfs, record))) {
      log_warning("RDMA device " + name + " is gone: nothing to bring back");
      return;
    }
    if (pod != nullptr && missed == 0) break;
    usleep(kHomePause);
    home = find_home(host, sysfs, record);
  }
  if (!home && record.at("device").as_string().empty()) {
    log_warning("RDMA device " + name + " is gone: nothing to bring back");
    return;
  }
  if (!home) {
    throw Error(Code::kIncomplete,
                "RDMA device " + name + " is neither in the container nor in the host");
  }
  if (home->name == name) return;
  const int error = host.try_rename(home->index, name);
  if (error == EEXIST) {
    host.try_rename(home->index, parked_rdma_name(home->index));
    log_warning("RDMA device " + home->name + " cannot be called " + name +
                " while another one has that name: it is " + parked_rdma_name(home->index) +
                " until then");
  } else if (error != 0) {
    throw_errno(Code::kKernel, "rename RDMA device " + home->name + " to " + name, error);
  }
}

void check_rdma(const Netns& pod, const Json& record) {
  const auto device = socket_in(pod)->find_device(index_of(record));
  if (!device) {
    throw Error(Code::kCheckFailed, "RDMA device " + name_in_pod(record) +
                                        " is not in the container's network namespace");
  }
  if (device->name != name_in_pod(record)) {
    throw Error(Code::kCheckFailed, "RDMA device " + name_in_pod(record) + " is called " +
                                        device->name + " in the container");
  }
}

void report_unmoved_rdma(const Sysfs& sysfs, const Netns& pod, const std::string& device,
                         const LinkInfo& interface) {
  const std::vector<std::string> names = sysfs.rdma_devices(device);
  if (names.empty()) return;
  auto socket = socket_in(pod);
  if (RdmaSocket().is_exclusive()) {
    log_warning("RDMA device " + names.front() +
                " stays in the host, where the container does not see it: set rdmaIsolation");
    return;
  }
  for (const RdmaDevice& candidate : socket->devices()) {
    if (candidate.name != names.front()) continue;
    for (const RdmaPort& port : socket->ports(candidate)) {
      if (port.interface_index != interface.index) continue;
      log_info("RDMA device " + names.front() + " is shared: the container can use it by " +
               interface.name);
      return;
    }
  }
  log_warning("RDMA device " + names.front() +
              " is shared, yet the kernel does not tell its port's interface in the container");
}

}  // namespace railcni
