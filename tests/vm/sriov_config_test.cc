// What a sriov ADD refuses, and the corners of what it accepts.
#include <sys/mount.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/netns/world.h"
#include "tests/vm/machine.h"
#include "tests/vm/sriov_world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

struct World {
  Machine machine;
  std::vector<std::string> vfs = vfs_of("rail2");
  std::string dir = make_folder("config");
  Runtime runtime;
  Pod pod;
  Container container{.id = "config", .netns = pod.path()};
  Json before = machine_snapshot();

  Call add(const Json& block, const std::string& device) {
    return runtime.add(with_device(sriov_list(dir, block), device), container);
  }
  void refuses(const Json& block, const std::string& device, const std::string& text,
               int64_t code = 7) {
    const Call call = add(block, device);
    INFO(call.describe());
    CHECK(call.code() == code);
    CHECK_THAT(call.msg(), Catch::Contains(text));
    CHECK(leased(dir).empty());
  }
};

// The seeds' pools: one /27 for each node and rail.
const char* const kSeedPools = R"(
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {name: eno3np1-rail1-node1}
spec: {subnet: 172.16.1.0/27, gateway: 172.16.1.1, ips: [172.16.1.2-172.16.1.32]}
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {name: eno3np1-rail1-node2}
spec: {subnet: 172.16.1.32/27, gateway: 172.16.1.33, ips: [172.16.1.34-172.16.1.62]}
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {name: eno3np2-rail2-node1}
spec: {subnet: 172.16.2.0/27, gateway: 172.16.2.1, ips: [172.16.2.2-172.16.2.30]}
)";

}  // namespace

TEST_CASE("what a VF cannot be given is refused before anything changes", "[ethernet]") {
  World world;
  const std::string vf = world.vfs[0];
  const auto block = [](std::string_view key, const Json& value) {
    Json json = Json::object();
    json[key] = value;
    return json;
  };
  world.refuses(block("vlanID", 4095), vf, "vlanID");
  world.refuses(block("vlanQoS", 3), vf, "vlanQoS");
  world.refuses(Json::object({{"vlan", 0}, {"vlanQoS", 3}}), vf, "vlanQoS");
  world.refuses(Json::object({{"vlan", 5}, {"vlanID", 5}}), vf, "two names");
  world.refuses(block("vlanProto", "802.1ad"), vf, "vlanProto");
  world.refuses(Json::object({{"minTxRateMbps", 20}, {"maxTxRateMbps", 10}}), vf, "minTxRateMbps");
  world.refuses(block("trust", "yes"), vf, "trust");
  world.refuses(block("link_state", "up"), vf, "link_state");
  world.refuses(block("mtu", 9001), vf, "MTU of PF rail2, 1500");
  world.refuses(block("mac", "01:00:5e:00:00:01"), vf, "multicast");
  world.refuses(block("resourcename", "x"), vf, "resourceName");
  world.refuses(Json::object(), "0000:99:00.0", "no such PCI device");
  world.refuses(Json::object(), "eth0", "PCI address");
  world.refuses(Json::object(), pci_address_of("rail2"), "physical function");
  world.refuses(Json::object({{"resourceName", "example.com/vf"}}), "",
                "resourceName: example.com/vf");
  // This NIC has no minimum rates: its refusal comes from the kernel, and is rolled back.
  world.refuses(Json::object({{"vlanID", 7}, {"minTxRateMbps", 5}, {"maxTxRateMbps", 10}}), vf,
                "rates 5 to 10", 100);
  CHECK(machine_changes_since(world.before) == "");
  // A link that is in the Pod already is left alone.
  ip("link add net1 type dummy", world.pod.path());
  world.refuses(Json::object(), vf, "already exists");
  CHECK(link_of("net1", world.pod.path()).is_object());
  CHECK(machine_changes_since(world.before) == "");
}

TEST_CASE("matchMasterSubnet goes by the PF's addresses", "[ethernet]") {
  World world;
  apply_pools(world.dir, kSeedPools);
  const std::vector<std::string> rail1 = vfs_of("rail1");
  const Json before = machine_snapshot();
  const auto list_of = [&](const std::string& device, const char* glob) {
    Json list = with_device(sriov_list(world.dir), device);
    Json& plugin = list["plugins"].as_array()[0];
    plugin.erase("ipam");
    plugin["sriov"]["ippools"] = Json::object({{"ipv4", Json::array({glob})}});
    plugin["matchMasterSubnet"] = true;
    return list;
  };
  const auto address_on = [&](const std::string& device, const char* glob) {
    const Json list = list_of(device, glob);
    const Call call = world.runtime.add(list, world.container);
    INFO(call.describe());
    REQUIRE(call.ok());
    const auto addresses = addresses_of("net1", world.pod.path());
    REQUIRE(addresses.size() == 1);
    REQUIRE(world.runtime.del(list, world.container).ok());
    return addresses.front();
  };
  ip("addr add 172.16.1.40/27 dev rail1");
  ip("addr add 172.16.2.5/27 dev rail2");
  CHECK(address_on(rail1[0], "eno3np1-rail1*") == "172.16.1.34/27");
  CHECK(address_on(world.vfs[0], "*") == "172.16.2.2/27");
  const Call none = world.runtime.add(list_of(world.vfs[1], "eno3np1-rail1*"), world.container);
  CHECK(none.code() == 7);
  CHECK_THAT(none.msg(), Catch::Contains("rail2") && Catch::Contains("eno3np1-rail1-node1"));
  // The address is on a VLAN above the PF.
  ip("addr del 172.16.1.40/27 dev rail1");
  ip("link add link rail1 name rail1.9 type vlan id 9");
  ip("link set rail1.9 up");
  ip("addr add 172.16.1.3/27 dev rail1.9");
  CHECK(address_on(rail1[1], "eno3np1-rail1*") == "172.16.1.2/27");
  ip("link del rail1.9");
  // On a bridge that the PF is a port of.
  ip("link add br9 type bridge");
  ip("link set br9 up");
  ip("link set rail1 master br9");
  ip("addr add 172.16.1.41/27 dev br9");
  CHECK(address_on(rail1[2], "eno3np1-rail1*") == "172.16.1.35/27");
  ip("link set rail1 nomaster");
  ip("link del br9");
  ip("addr del 172.16.2.5/27 dev rail2");
  CHECK(machine_changes_since(before) == "");
}

TEST_CASE("a VF for user space is configured on the PF alone", "[ethernet]") {
  World world;
  const std::string device = world.vfs[6];
  const std::string folder = "/sys/bus/pci/devices/" + device;
  const auto write_file = [](const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text << std::flush;
    return file.good();
  };
  const std::string netdev = netdev_of(device);
  REQUIRE(std::system("modprobe vfio-pci") == 0);
  REQUIRE(write_file(folder + "/driver_override", "vfio-pci"));
  REQUIRE(write_file(folder + "/driver/unbind", device));
  REQUIRE(write_file("/sys/bus/pci/drivers_probe", device));
  REQUIRE(driver_of(device) == "vfio-pci");
  const Json before = machine_snapshot();

  const Json block = Json::object({{"vlanID", 30}, {"mac", "02:00:00:00:0e:01"}});
  const Json list = with_device(sriov_list(world.dir, block), device);
  const Call add = world.runtime.add(list, world.container);
  INFO(add.describe());
  REQUIRE(add.ok());
  const Json interface = add.json.at("interfaces").as_array().at(0);
  CHECK(interface.at("mac") == "02:00:00:00:0e:01");
  CHECK(interface.at("pciID") == device.c_str());
  CHECK(add.json.at("ips").as_array().size() == 1);
  CHECK(vf_of("rail2", 6).at("vlan_list").as_array().at(0).at("vlan") == 30);
  CHECK(link_of("net1", world.pod.path()).is_null());
  CHECK(world.runtime.check(list, world.container).ok());
  // As every ADD, it may be repeated.
  CHECK(world.runtime.add(list, world.container).ok());
  REQUIRE(world.runtime.del(list, world.container).ok());
  const Call mtu = world.runtime.add(
      with_device(sriov_list(make_folder("other"), Json::object({{"mtu", 1400}})), device),
      world.container);
  CHECK_THAT(mtu.msg(), Catch::Contains("vfio-pci"));
  CHECK(machine_changes_since(before) == "");
  CHECK(leased(world.dir).empty());

  REQUIRE(write_file(folder + "/driver/unbind", device));
  REQUIRE(write_file(folder + "/driver_override", "\n"));
  REQUIRE(write_file("/sys/bus/pci/drivers_probe", device));
  REQUIRE(eventually([&] { return !netdev_of(device).empty(); }));
  ip("link set " + netdev_of(device) + " name " + netdev);
}

TEST_CASE("a VF whose PF is hidden is moved, and refuses what only the PF could do", "[ethernet]") {
  World world;
  const std::string device = world.vfs[2];
  // As inside a VM: sysfs without the function's physfn.
  namespace fs = std::filesystem;
  const std::string devices = "/sys/bus/pci/devices";
  const fs::path fake = make_folder("pci");
  fs::create_directory(fake / device);
  const fs::path real = fs::canonical(devices + "/" + device);
  for (const char* name : {"net", "driver"}) {
    fs::create_directory_symlink(real / name, fake / device / name);
  }
  REQUIRE(mount(fake.c_str(), devices.c_str(), nullptr, MS_BIND, nullptr) == 0);
  world.refuses(Json::object({{"vlanID", 5}}), device, "not visible");
  world.refuses(Json::object({{"trust", "on"}}), device, "not visible");
  const Json list = with_device(sriov_list(world.dir, Json::object({{"mtu", 1400}})), device);
  const Call add = world.runtime.add(list, world.container);
  const Json link = link_of("net1", world.pod.path());
  const Call del = world.runtime.del(list, world.container);
  umount(devices.c_str());
  INFO(add.describe());
  CHECK(add.ok());
  CHECK(link.is_object());
  INFO(del.describe());
  CHECK(del.ok());
  CHECK(machine_changes_since(world.before) == "");
}
