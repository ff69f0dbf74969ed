#include "tests/vm/machine.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>

namespace railcni::test {
namespace {

namespace fs = std::filesystem;

const std::string kDevices = "/sys/bus/pci/devices/";

void wait_until(const std::string& what, const std::function<bool()>& condition) {
  if (!eventually(condition)) throw std::runtime_error("waited in vain for " + what);
}

std::string link_target_name(const std::string& path) {
  std::error_code error;
  return fs::read_symlink(path, error).filename().string();
}

void clean_up() {
  for (const char* nic : kNics) {
    (void)ip_succeeds(std::string("link set ") + nic + " nomaster");
    (void)ip_succeeds(std::string("addr flush scope global dev ") + nic);
  }
  remove_virtual_links();
}

// The carrier comes and goes in the background: an igb resets itself for many a change.
Json comparable(const Json& json) {
  if (json.is_array()) {
    Json::Array items;
    for (const Json& item : json.as_array()) {
      if (item == Json("LOWER_UP") || item == Json("NO-CARRIER") || item == Json("linkdown")) {
        continue;
      }
      items.push_back(comparable(item));
    }
    return Json::array(std::move(items));
  }
  if (!json.is_object()) return json;
  const Json* type = json.find("link_type");
  const bool is_infiniband = type != nullptr && *type == Json("infiniband");
  Json result = Json::object();
  for (const auto& [key, value] : json.as_object()) {
    if (is_infiniband && key == "ifindex") continue;
    if (is_infiniband && key == "address" && value.as_string().size() > 12) {
      result[key] = value.as_string().substr(12);  // "80:00:01:04:" comes before the GID
      continue;
    }
    result.as_object().emplace_back(key, comparable(value));
  }
  return result;
}

Json rdma_json(const std::string& netns) {
  const Outcome outcome = run(
      {.argv = {"rdma", "-j", "dev", "show"}, .env = {"PATH=/usr/sbin:/usr/bin"}, .netns = netns});
  return outcome.out.empty() ? Json::array({}) : Json::parse(outcome.out);
}

}  // namespace

bool has_settled(const std::string& nic) {
  const Json links = ip_json("addr show dev " + nic);
  const Json& link = links.as_array().at(0);
  if (link.at("operstate").as_string() != "UP") return false;
  for (const Json& address : link.at("addr_info").as_array()) {
    if (address.at("scope").as_string() == "link") return address.find("tentative") == nullptr;
  }
  return false;
}

std::string pci_address_of(const std::string& ifname) {
  return link_target_name("/sys/class/net/" + ifname + "/device");
}

std::string driver_of(const std::string& pci_address) {
  return link_target_name(kDevices + pci_address + "/driver");
}

std::string netdev_of(const std::string& pci_address) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(kDevices + pci_address + "/net", error)) {
    return entry.path().filename().string();
  }
  return "";
}

int max_vfs(const std::string& nic) {
  return std::stoi(read_line("/sys/class/net/" + nic + "/device/sriov_totalvfs"));
}

std::vector<std::string> rdma_devices(const std::string& netns) {
  std::vector<std::string> names;
  for (const Json& device : rdma_json(netns).as_array()) {
    names.push_back(device.at("ifname").as_string());
  }
  return names;
}

int vf_count(const std::string& nic) {
  return std::stoi(read_line("/sys/class/net/" + nic + "/device/sriov_numvfs"));
}

void set_vf_count(const std::string& nic, int count) {
  std::ofstream file("/sys/class/net/" + nic + "/device/sriov_numvfs");
  file << count << std::flush;
  if (!file) throw std::runtime_error(nic + ": sriov_numvfs cannot be set");
}

std::vector<std::string> vfs_of(const std::string& nic) {
  const std::string device = kDevices + pci_address_of(nic);
  const bool make = vf_count(nic) != max_vfs(nic);
  if (make) {
    if (vf_count(nic) != 0) set_vf_count(nic, 0);
    set_vf_count(nic, max_vfs(nic));
  }
  std::vector<std::string> addresses;
  for (int i = 0; i < max_vfs(nic); ++i) {
    addresses.push_back(link_target_name(device + "/virtfn" + std::to_string(i)));
    wait_until("the interface of " + nic + "'s virtual function " + std::to_string(i),
               [&] { return !netdev_of(addresses.back()).empty(); });
    // The igb of Linux 6.1 knows a VF's MAC when that has been up for the first time.
    for (const char* state : {"up", "down"}) {
      if (!make || !read_line("/proc/sys/kernel/osrelease").starts_with("6.1.")) break;
      (void)ip_succeeds("link set " + netdev_of(addresses.back()) + " " + state);
    }
  }
  return addresses;
}

Machine::Machine(bool with_vfs) {
  enter_sandbox();
  clean_up();
  for (const char* nic : kNics) {
    if (!with_vfs && vf_count(nic) != 0) set_vf_count(nic, 0);
  }
  for (const char* nic : kNics) ip(std::string("link set ") + nic + " up");
  for (const char* nic : kNics) {
    wait_until(std::string(nic) + "'s carrier", [&] { return has_settled(nic); });
  }
}

Machine::~Machine() { clean_up(); }

void remove_virtual_links() {
  for (const char* kind : {"vlan", "bond", "dummy"}) {
    const Json links = ip_json(std::string("link show type ") + kind);
    for (const Json& link : links.as_array()) {
      if (const Json* name = link.find("ifname")) {
        (void)ip_succeeds("link del " + name->as_string());
      }
    }
  }
}

Json machine_snapshot() {
  Json json = comparable(snapshot());
  Json::Array functions;
  for (const auto& entry : fs::directory_iterator(kDevices)) {
    const std::string address = entry.path().filename().string();
    functions.push_back(Json::object(
        {{"address", address}, {"driver", driver_of(address)}, {"netdev", netdev_of(address)}}));
  }
  std::ranges::sort(functions, {}, [](const Json& f) { return f.at("address").as_string(); });
  json["functions"] = Json::array(std::move(functions));
  Json rdma = rdma_json("");
  for (Json& device : rdma.as_array()) device.erase("ifindex");
  json["rdma"] = std::move(rdma);
  return json;
}

std::string machine_changes_since(const Json& before) {
  std::string changes;
  eventually([&] {
    const Json now = machine_snapshot();
    changes.clear();
    for (const auto& [what, entries] : before.as_object()) {
      const Json::Array& then = entries.as_array();
      const Json::Array& here = now.at(what).as_array();
      for (const Json& entry : then) {
        if (std::ranges::count(here, entry) == 0)
          changes += what + ": gone: " + entry.dump() + "\n";
      }
      for (const Json& entry : here) {
        if (std::ranges::count(then, entry) == 0) changes += what + ": new: " + entry.dump() + "\n";
      }
    }
    return changes.empty();
  });
  return changes;
}

std::vector<std::string> list_folder(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

std::string read_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace railcni::test
