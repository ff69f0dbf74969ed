// Names that a Pod took for itself, or that somebody has when a device comes home.
#include <catch2/catch.hpp>

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

void rename_rdma(const std::string& from, const std::string& to, const std::string& netns) {
  const Outcome outcome = run({.argv = {"rdma", "dev", "set", from, "name", to},
                               .env = {"PATH=/usr/sbin:/usr/bin"},
                               .netns = netns});
  INFO(outcome.describe());
  REQUIRE(outcome.ok());
}

}  // namespace

TEST_CASE("RDMA names that a Pod has swapped are their devices' again", "[infiniband][kernels]") {
  RdmaWorld world;
  Pod pod;
  const Json first = world.ib_list(world.near[3]);
  const Json second = world.ib_list(world.near[4]);
  const Container net1{.id = "swaps", .netns = pod.path(), .ifname = "net1"};
  const Container net2{.id = "swaps", .netns = pod.path(), .ifname = "net2"};
  const std::string one = rdma_of(world.near[3]);
  const std::string two = rdma_of(world.near[4]);
  world.add(first, net1);
  world.add(second, net2);
  rename_rdma(one, "between", pod.path());
  rename_rdma(two, one, pod.path());
  rename_rdma("between", two, pod.path());
  world.del(first, net1);
  // Not under the other's name, by which somebody may look for that one.
  // (From Linux 7.3 on a name is used once in a namespace, before that on the node.)
  CHECK(rdma_of(world.near[3]) != two);
  SECTION("the next DEL settles it") {}
  SECTION("also when the namespace dies") { pod.destroy(); }
  const Call del = world.runtime.del(second, net2);
  INFO(del.describe());
  REQUIRE(del.ok());
  CHECK(rdma_of(world.near[3]) == one);
  CHECK(rdma_of(world.near[4]) == two);
  world.require_nothing_left();
}

TEST_CASE("a name that was taken at DEL comes back when it is free", "[infiniband]") {
  RdmaWorld world;
  const std::string name = netdev_of(world.near[5]);
  const std::string rdma = rdma_of(world.near[5]);
  const std::string far = rdma_of(world.far[5]);
  const Json list = world.ib_list(world.near[5]);
  const Container container{.id = "taken", .netns = ""};
  {
    const Pod pod;
    Container victim = container;
    victim.netns = pod.path();
    world.add(list, victim);
    ip("link add " + name + " type dummy");
    rename_rdma(rdma, "away", pod.path());
    rename_rdma(far, rdma, "");
    world.del(list, victim);
  }
  CHECK(netdev_of(world.near[5]) != name);
  CHECK(rdma_of(world.near[5]) != rdma);
  // Not yet.
  CHECK_NOTHROW(cli(world.dir, {"gc"}));
  CHECK(netdev_of(world.near[5]) != name);
  ip("link del " + name);
  rename_rdma(rdma, far, "");
  const Pod pod;
  Container next{.id = "next", .netns = pod.path()};
  SECTION("by gc") { CHECK_NOTHROW(cli(world.dir, {"gc"})); }
  SECTION("by the next ADD of another VF") {
    world.add(world.ib_list(world.near[6]), next);
    CHECK(netdev_of(world.near[5]) == name);
    world.del(world.ib_list(world.near[6]), next);
  }
  SECTION("by the next ADD of the VF itself") {
    world.add(list, next);
    world.del(list, next);
  }
  CHECK(netdev_of(world.near[5]) == name);
  CHECK(rdma_of(world.near[5]) == rdma);
  world.require_nothing_left();
}

TEST_CASE("an Ethernet VF's name that was taken at DEL comes back when it is free",
          "[ethernet][kernels]") {
  const Machine machine;
  const std::string vf = vfs_of("rail1")[4];
  const std::string other = vfs_of("rail1")[3];
  const std::string dir = make_folder("owed");
  Runtime runtime;
  const Json before = machine_snapshot();
  const std::string name = netdev_of(vf);
  const Json list = with_device(sriov_list(dir), vf);
  Pod pod;
  const Container container{.id = "taken", .netns = pod.path()};
  REQUIRE(runtime.add(list, container).ok());
  ip("link add " + name + " type dummy");
  const bool dies = GENERATE(false, true);
  if (dies) pod.destroy();
  const Call del = runtime.del(list, container);
  INFO(del.describe());
  REQUIRE(del.ok());
  // Neither the name that it has in a Pod, nor one that the next Pod's may be in the way of.
  CHECK(netdev_of(vf).starts_with("railcni"));
  ip("link del " + name);
  const Pod next;
  const Container second{.id = "next", .netns = next.path()};
  REQUIRE(runtime.add(with_device(sriov_list(dir), other), second).ok());
  CHECK(netdev_of(vf) == name);
  REQUIRE(runtime.del(with_device(sriov_list(dir), other), second).ok());
  CHECK(machine_changes_since(before) == "");
  CHECK_NOTHROW(cli(dir, {"gc"}));
}
