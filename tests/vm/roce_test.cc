// RoCE: VFs of the igb whose RDMA devices the test HCA gives them.
#include <catch2/catch.hpp>
#include <fstream>

#include "tests/vm/rdma_world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

using Names = std::vector<std::string>;

std::string rdma_of(const std::string& vf) {
  const Names names = list_folder("/sys/bus/pci/devices/" + vf + "/infiniband");
  REQUIRE(names.size() == 1);
  return names.front();
}

Json sriov(const RdmaWorld& world, const std::string& vf, Json block = Json::object()) {
  if (block.find("rdmaIsolation") == nullptr) block["rdmaIsolation"] = true;
  return with_device(world.list("sriov", "sriov", block), vf);
}

void rdma(const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {"rdma"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const Outcome outcome = run({.argv = argv, .env = {"PATH=/usr/sbin:/usr/bin"}});
  INFO(outcome.describe());
  REQUIRE(outcome.ok());
}

}  // namespace

TEST_CASE("a sriov Pod gets its RDMA device with its VF, its addresses and policy routes",
          "[roce][kernels]") {
  RdmaWorld world;
  Pod one("one");
  Pod two("two");
  Json first = sriov(world, world.near[0], Json::object({{"vlanID", 100}, {"trust", "on"}}));
  first["plugins"].as_array().at(0)["coordinator"] = Json::object();
  const Json second = sriov(world, world.far[0], Json::object({{"vlanID", 100}}));
  const Container first_container{.id = "first", .netns = one.path()};
  const Container second_container{.id = "second", .netns = two.path()};
  const std::string device = rdma_of(world.near[0]);
  // The cluster's NIC: a Pod's first one needs no table of its own.
  ip("link add eth0 type dummy", one.path());
  ip("addr add 10.244.0.5/24 dev eth0", one.path());
  ip("link set eth0 up", one.path());
  ip("route add default via 10.244.0.1", one.path());
  world.add(first, first_container);
  world.add(second, second_container);
  CHECK(rdma_devices(one.path()) == Names{device});
  CHECK(std::ranges::count(rdma_devices(), device) == 0);
  // The device knows its interface in the Pod.
  const Outcome link = run(
      {.argv = {"rdma", "link", "show"}, .env = {"PATH=/usr/sbin:/usr/bin"}, .netns = one.path()});
  CHECK_THAT(link.out, Catch::Contains("netdev net1"));
  CHECK(reaches(address_of(two), one));
  const Json rules = ip_json("rule show", one.path());
  CHECK(std::ranges::any_of(rules.as_array(),
                            [&](const Json& rule) { return rule.at("src") == address_of(one); }));
  world.check(first, first_container);
  world.del(first, first_container);
  world.del(second, second_container);
  world.require_nothing_left();
}

TEST_CASE("a VF and its RDMA device come home when the namespace dies", "[roce][kernels]") {
  RdmaWorld world;
  Pod pod;
  const Json list = sriov(world, world.near[1], Json::object({{"rdmaDeviceName", "roce0"}}));
  const Container container{.id = "dies", .netns = pod.path()};
  world.add(list, container);
  CHECK(rdma_devices(pod.path()) == Names{"roce0"});
  pod.destroy();
  world.del(list, container);
  world.require_nothing_left();
}

TEST_CASE("enableRdma of older configurations isolates too", "[roce]") {
  RdmaWorld world;
  const Pod pod;
  const Json list = with_device(world.list("sriov", "sriov", Json::object({{"enableRdma", true}})),
                                world.near[3]);
  const Container container{.id = "older", .netns = pod.path()};
  const std::string device = rdma_of(world.near[3]);
  world.add(list, container);
  CHECK(rdma_devices(pod.path()) == Names{device});
  world.del(list, container);
  world.require_nothing_left();
}

TEST_CASE("a VF whose PF's VFs are taken away under a live attachment is let go", "[roce]") {
  RdmaWorld world;
  Pod pod;
  const Json list = sriov(world, world.near[0]);
  const Container container{.id = "reset", .netns = pod.path()};
  world.add(list, container);
  set_vf_count("rail1", 0);
  const Call del = world.runtime.del(list, container);
  INFO(del.describe());
  CHECK(del.ok());
  CHECK_THAT(del.process.err, Catch::Contains("is gone"));
  vfs_of("rail1");
  CHECK(leased(world.dir).empty());
}

TEST_CASE("after any plugin the RDMA device of its interface is moved", "[roce]") {
  RdmaWorld world;
  const Pod pod;
  const bool by_device = GENERATE(true, false);
  INFO("deviceID " << by_device);
  Json railcni =
      Json::object({{"type", "railcni"}, {"dataDir", world.dir}, {"rdmaIsolation", true}});
  if (by_device) railcni["deviceID"] = world.near[4];
  const Json list = make_conflist(
      "1.0.0", "chained",
      {Json::object({{"type", "host-device"}, {"pciBusID", world.near[4]}}), railcni});
  const Container container{.id = "chained", .netns = pod.path()};
  const std::string device = rdma_of(world.near[4]);
  world.add(list, container);
  CHECK(rdma_devices(pod.path()) == Names{device});
  world.check(list, container);
  world.del(list, container);
  CHECK(std::ranges::count(rdma_devices(), device) == 1);
  // The other plugin's: the name that the interface had.
  std::ofstream("/sys/class/net/" + netdev_of(world.near[4]) + "/ifalias") << "\n";
  world.require_nothing_left();
}

// Without the test HCA: soft RoCE on a VF.
TEST_CASE("a driver that cannot move its RDMA device is told as such", "[ethernet]") {
  RdmaWorld world;
  Pod pod;
  const std::string netdev = netdev_of(world.near[0]);
  rdma({"link", "add", "rxe0", "type", "rxe", "netdev", netdev});
  world.before = machine_snapshot();
  const Container container{.id = "refuses", .netns = pod.path()};
  const Call add = world.runtime.add(sriov(world, world.near[0]), container);
  INFO(add.describe());
  CHECK(add.code() == 100);
  CHECK_THAT(add.msg(), Catch::Contains("rxe0") && Catch::Contains("cannot move"));
  world.require_nothing_left();
  rdma({"link", "del", "rxe0"});
  CHECK(world.runtime.add(sriov(world, world.near[0]), container).code() == 7);
  world.before = machine_snapshot();
  world.require_nothing_left();
}
