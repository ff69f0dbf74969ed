// InfiniBand VFs of the test HCA in Pods, with their RDMA devices.
#include <catch2/catch.hpp>

#include "tests/vm/rdma_world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

using Names = std::vector<std::string>;

bool contains(const Names& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

// The RDMA device of a function.
std::string rdma_of(const std::string& vf) {
  const Names names = list_folder("/sys/bus/pci/devices/" + vf + "/infiniband");
  REQUIRE(names.size() == 1);
  return names.front();
}

constexpr const char* kGuid = "02:00:00:00:00:00:00:2a";

}  // namespace

TEST_CASE("two ib-sriov Pods have their own RDMA device alone, and reach each other",
          "[infiniband][kernels]") {
  RdmaWorld world;
  Pod one("one");
  Pod two("two");
  const Json first = world.ib_list(world.near[0]);
  const Json second = world.ib_list(world.far[3]);
  const Container first_container = with_guid({.id = "first", .netns = one.path()}, kGuid);
  const Container second_container{.id = "second", .netns = two.path()};
  const std::string first_rdma = rdma_of(world.near[0]);
  const std::string second_rdma = rdma_of(world.far[3]);
  const std::string second_guid = guid_of(netdev_of(world.far[3]));
  const Names host_devices = rdma_devices();
  CHECK(host_devices.size() == 4 + 2 * 8);

  const Json result = world.add(first, first_container);
  world.add(second, second_container);
  CHECK(rdma_devices(one.path()) == Names{first_rdma});
  CHECK(rdma_devices(two.path()) == Names{second_rdma});
  CHECK(rdma_devices().size() == host_devices.size() - 2);
  CHECK_FALSE(contains(rdma_devices(), first_rdma));
  CHECK(guid_of("net1", one.path()) == kGuid);
  CHECK(guid_of("net1", two.path()) == second_guid);
  CHECK(vf_of("rail1", 0).at("port guid") == kGuid);

  const Json& interface = result.at("interfaces").as_array().at(0);
  CHECK(interface.at("mac") == link_of("net1", one.path()).at("address"));
  CHECK(interface.at("mac").as_string().size() == 20 * 3 - 1);
  CHECK(interface.at("mtu") == link_of("net1", one.path()).at("mtu"));
  CHECK(interface.at("pciID") == world.near[0]);
  CHECK(result.at("ips").as_array().at(0).at("gateway") == "172.16.11.254");
  CHECK(reaches(address_of(two), one));
  CHECK(reaches(address_of(one), two));
  world.check(first, first_container);
  world.check(second, second_container);

  // The host's devices, and those of the Pods with their owners.
  const Json devices = cli_json(world.dir, {"rdma", "list"});
  CHECK(devices.as_array().size() == host_devices.size());
  const Json in_pod = cli_json(world.dir, {"rdma", "list", "--netns", one.path()});
  REQUIRE(in_pod.as_array().size() == 1);
  const Json& row = in_pod.as_array().at(0);
  CHECK(row.at("device") == first_rdma.c_str());
  CHECK(row.at("state") == "ACTIVE");
  CHECK(row.at("linkLayer") == "InfiniBand");
  CHECK(row.at("gids").as_array().at(0).at("gid") == "fe80::200:0:0:2a");
  CHECK(row.at("owner").at("containerID") == "first");
  CHECK(std::ranges::count(devices.as_array(), row) == 1);

  world.del(first, first_container);
  world.del(second, second_container);
  world.require_nothing_left();
  world.del(first, first_container);
}

TEST_CASE("eight InfiniBand VFs of one PF go to eight Pods at once and come back", "[infiniband]") {
  RdmaWorld world;
  std::vector<Pod> pods;
  for (size_t i = 0; i < world.near.size(); ++i) pods.emplace_back("many");
  REQUIRE(pods.size() == 8);
  std::vector<Container> containers;
  for (size_t i = 0; i < pods.size(); ++i) {
    containers.push_back({.id = "many" + std::to_string(i), .netns = pods[i].path()});
    // Half of them get a GUID, for which their driver is bound anew.
    if (i % 2 == 0) {
      containers.back() =
          with_guid(containers.back(), "02:00:00:00:00:00:01:0" + std::to_string(i));
    }
  }
  Names expected;
  for (const std::string& vf : world.near) expected.push_back(rdma_of(vf));
  for (int round = 0; round < 2; ++round) {
    const auto run_all = [&](const char* verb) {
      std::vector<Child> children;
      for (size_t i = 0; i < pods.size(); ++i) {
        children.emplace_back(world.command(verb, world.ib_list(world.near[i]), containers[i]));
      }
      for (Child& child : children) {
        const Outcome outcome = child.wait();
        INFO(outcome.describe());
        CHECK(outcome.ok());
        // The character devices that a device plugin gave to the Pods are still the same ones.
        CHECK_THAT(outcome.err, !Catch::Contains("uverbs"));
      }
    };
    run_all("ADD");
    for (size_t i = 0; i < pods.size(); ++i) CHECK(rdma_devices(pods[i].path()).size() == 1);
    for (size_t i = 1; i < pods.size(); ++i) CHECK(reaches(address_of(pods[i]), pods[0]));
    run_all("DEL");
    world.require_nothing_left();
  }
  for (size_t i = 0; i < pods.size(); ++i) CHECK(rdma_of(world.near[i]) == expected[i]);
}

TEST_CASE("an InfiniBand VF comes back whole when its namespace dies before DEL", "[infiniband]") {
  RdmaWorld world;
  Pod pod;
  const Container container = with_guid({.id = "dies", .netns = pod.path()}, kGuid);
  const Json list = world.ib_list(
      world.near[2], Json::object({{"rdmaDeviceName", "hca_pod"}, {"linkState", "enable"}}));
  world.add(list, container);
  CHECK(rdma_devices(pod.path()) == Names{"hca_pod"});
  CHECK(vf_of("rail1", 2).at("link_state") == "enable");
  pod.destroy();
  world.del(list, container);
  world.require_nothing_left();
}

TEST_CASE("what a Pod does to its IPoIB interface and RDMA device is undone",
          "[infiniband][kernels]") {
  RdmaWorld world;
  const std::string netdev = netdev_of(world.near[4]);
  ip("link set " + netdev + " type ipoib mode connected");
  ip("link set " + netdev + " mtu 3000 txqueuelen 77");
  world.before = machine_snapshot();
  Pod pod;
  const Container container{.id = "changes", .netns = pod.path()};
  const Json list = world.ib_list(world.near[4]);
  world.add(list, container);
  const std::string device = rdma_devices(pod.path()).at(0);
  REQUIRE(run({.argv = {"rdma", "dev", "set", device, "name", "mine"},
               .env = {"PATH=/usr/sbin:/usr/bin"},
               .netns = pod.path()})
              .ok());
  const Call check = world.runtime.check(list, container);
  CHECK(check.code() == 101);
  CHECK_THAT(check.msg(), Catch::Contains("mine"));
  ip("link set net1 down", pod.path());
  ip("link set net1 name other mtu 1500", pod.path());
  ip("link add link other name other.1 type ipoib pkey 0x8002", pod.path());
  world.del(list, container);
  world.require_nothing_left();
  ip("link set " + netdev + " type ipoib mode datagram");
  ip("link set " + netdev + " mtu 4092 txqueuelen 256");
}

TEST_CASE("without isolation an IPoIB interface moves and its RDMA device stays", "[infiniband]") {
  RdmaWorld world;
  world.join_once(world.near[5]);
  Pod pod;
  const Container container{.id = "stays", .netns = pod.path()};
  const Json list = world.ib_list(world.near[5], Json::object({{"rdmaIsolation", false}}));
  const Call add = world.runtime.add(list, container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK_THAT(add.process.err, Catch::Contains("stays in the host"));
  CHECK(rdma_devices(pod.path()).empty());
  world.check(list, container);
  SECTION("DEL") {}
  SECTION("the namespace dies") { pod.destroy(); }
  world.del(list, container);
  world.require_nothing_left();
}

TEST_CASE("a pkey makes the Pod's interface a child in that partition", "[infiniband][kernels]") {
  RdmaWorld world;
  world.join_once(world.near[0]);
  Pod one("one");
  Pod two("two");
  const bool isolation = GENERATE(true, false);
  INFO("isolation " << isolation);
  const Json block = Json::object({{"pkey", "0x8001"}, {"rdmaIsolation", isolation}});
  const Json first = world.ib_list(world.near[0], block);
  const Json second = world.ib_list(world.far[0], Json::object({{"pkey", 32769}}));
  const Container first_container{.id = "first", .netns = one.path()};
  const Container second_container{.id = "second", .netns = two.path()};
  world.add(first, first_container);
  world.add(second, second_container);
  CHECK(link_of("net1", one.path()).at("linkinfo").at("info_data").at("key") == "0x8001");
  CHECK(link_of("net1p", one.path()).at("linkinfo").at("info_data").at("key") == "0xffff");
  CHECK(reaches(address_of(two), one));
  world.check(first, first_container);
  SECTION("DEL") {}
  SECTION("the namespace dies") { one.destroy(); }
  world.del(first, first_container);
  world.del(second, second_container);
  world.require_nothing_left();
}

TEST_CASE("in shared mode isolation is refused, and the way out is told", "[infiniband]") {
  RdmaWorld world;
  world.join_once(world.near[0]);
  const auto set_mode = [](const char* mode) {
    // The kernel takes earlier tests' namespaces down in the background.
    return eventually([mode] {
      return run({.argv = {"rdma", "system", "set", "netns", mode},
                  .env = {"PATH=/usr/sbin:/usr/bin"}})
          .ok();
    });
  };
  REQUIRE(set_mode("shared"));
  {
    const Pod pod;
    const Container container{.id = "shared", .netns = pod.path()};
    const Call add = world.runtime.add(world.ib_list(world.near[0]), container);
    CHECK(add.code() == 7);
    CHECK_THAT(add.msg(), Catch::Contains("rdma system set netns exclusive") &&
                              Catch::Contains("options ib_core netns_mode=0"));
    CHECK(world.runtime.status(world.ib_list(world.near[0])).code() != 0);
    // Without isolation the device is usable from the Pod as it is.
    const Json list = world.ib_list(
        world.near[0], Json::object({{"rdmaIsolation", false}, {"rdmaDeviceName", ""}}));
    Json verbose = list;
    verbose["plugins"].as_array().at(0)["logLevel"] = "info";
    const Call shared = world.runtime.add(verbose, container);
    INFO(shared.describe());
    REQUIRE(shared.ok());
    CHECK_THAT(shared.process.err, Catch::Contains("is shared"));
    world.del(list, container);
    world.require_nothing_left();
  }
  REQUIRE(set_mode("exclusive"));
}
