// RDMA devices and GUIDs that are not the Pod's to have, and what railcni tells of those that are.
#include <catch2/catch.hpp>

#include "tests/vm/rdma_world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

using Names = std::vector<std::string>;

// A macvlan on rail2, and behind it the keys of a plugin that is to move an RDMA device.
Json chain(const RdmaWorld& world, Json keys) {
  keys["type"] = "railcni";
  keys["dataDir"] = world.dir;
  keys["rdmaIsolation"] = true;
  return make_conflist(
      "1.0.0", "chain",
      {Json::object({{"type", "macvlan"}, {"master", "rail2"}, {"ipam", Json::object()}}), keys});
}

// A function without an RDMA device: the VM's shared folders are on such ones.
std::string virtio_function() {
  for (const std::string& device : list_folder("/sys/bus/pci/devices")) {
    if (driver_of(device) == "virtio-pci") return device;
  }
  throw std::runtime_error("no virtio function");
}

// An ADD that must be refused, with everything as it was.
Call refused(RdmaWorld& world, const Json& list, const Container& container, int64_t code) {
  const Names host = rdma_devices();
  const Call add = world.runtime.add(list, container);
  INFO(add.describe());
  CHECK(add.code() == code);
  CHECK(rdma_devices() == host);
  CHECK(rdma_devices(container.netns).empty());
  world.runtime.del(list, container);
  return add;
}

}  // namespace

TEST_CASE("another Pod's RDMA device, whose port has no interface here, is nobody's",
          "[roce][kernels]") {
  RdmaWorld world;
  Pod owner("owner");
  Pod thief("thief");
  // Its interface is in the Pod, its RDMA device is not.
  const Json shared = with_device(
      world.list("sriov", "sriov", Json::object({{"rdmaIsolation", false}})), world.near[0]);
  const Container owner_container{.id = "owner", .netns = owner.path()};
  world.add(shared, owner_container);
  const Container container{.id = "thief", .netns = thief.path()};
  CHECK_THAT(refused(world, chain(world, Json::object()), container, 7).msg(),
             Catch::Contains("net1"));
  const std::string virtio = virtio_function();
  CHECK_THAT(refused(world, chain(world, Json::object({{"deviceID", virtio}})), container, 7).msg(),
             Catch::Contains(virtio));
  const std::string physical = pci_address_of("rail1");
  CHECK_THAT(
      refused(world, chain(world, Json::object({{"deviceID", physical}})), container, 7).msg(),
      Catch::Contains(physical) && Catch::Contains("physical function"));
  // Whose it is is for the log.
  CHECK_THAT(
      refused(world, chain(world, Json::object({{"deviceID", world.near[0]}})), container, 11)
          .process.err,
      Catch::Contains("container owner"));
  world.del(shared, owner_container);
  world.require_nothing_left();
}

TEST_CASE("a VF whose RDMA device another container has is not lent", "[roce]") {
  RdmaWorld world;
  Pod first("first");
  Pod second("second");
  const Json list = chain(world, Json::object({{"deviceID", world.near[1]}}));
  const Container first_container{.id = "first", .netns = first.path()};
  world.add(list, first_container);
  const Json vf = with_device(
      world.list("sriov", "sriov", Json::object({{"rdmaIsolation", false}})), world.near[1]);
  const Call add = world.runtime.add(vf, {.id = "second", .netns = second.path()});
  INFO(add.describe());
  CHECK(add.code() == 11);
  CHECK_THAT(add.process.err, Catch::Contains("container first"));
  world.del(list, first_container);
  world.require_nothing_left();
}

TEST_CASE("a GUID that another Pod or the host has, and one of a group, is refused",
          "[infiniband][kernels]") {
  RdmaWorld world;
  const std::string guid = "02:00:00:00:00:00:00:77";
  Pod one("one");
  Pod two("two");
  const Json first = world.ib_list(world.near[0]);
  const Json second = world.ib_list(world.far[0]);
  const Container first_container = with_guid({.id = "first", .netns = one.path()}, guid);
  const Container container{.id = "second", .netns = two.path()};
  world.add(first, first_container);
  const Call taken = refused(world, second, with_guid(container, guid), 7);
  CHECK_THAT(taken.msg(), Catch::Contains(guid));
  CHECK_THAT(taken.process.err, Catch::Contains("container first"));
  // Those of a physical function, and of a VF in the host.
  for (const std::string& interface : {std::string("rail2"), netdev_of(world.near[3])}) {
    CHECK_THAT(refused(world, second, with_guid(container, guid_of(interface)), 7).msg(),
               Catch::Contains(interface));
  }
  for (const char* bad : {"03:00:00:00:00:00:00:01", "ff:00:00:00:00:00:00:01",
                          "00:00:00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff:ff:ff"}) {
    CHECK_THAT(refused(world, second, with_guid(container, bad), 7).msg(), Catch::Contains(bad));
  }
  // The same Pod's ADD again, and a Pod that is gone, are in nobody's way.
  world.add(first, first_container);
  one.destroy();
  world.add(second, with_guid(container, guid));
  CHECK(guid_of("net1", two.path()) == guid);
  world.del(second, with_guid(container, guid));
  world.del(first, first_container);
  world.require_nothing_left();
}

TEST_CASE("rdma list knows the owner in a nested namespace, and after a rebind", "[infiniband]") {
  RdmaWorld world;
  Pod pod;
  Pod nested("nested");
  const Json list = world.ib_list(world.near[2]);
  const Container container{.id = "owner", .netns = pod.path()};
  world.add(list, container);
  const std::string device = rdma_devices(pod.path()).at(0);
  const auto owners = [&] {
    Names found;
    for (const Json& row : cli_json(world.dir, {"rdma", "list"}).as_array()) {
      const Json* owner = row.find("owner");
      if (owner != nullptr) found.push_back(owner->at("containerID").as_string());
    }
    return found;
  };
  CHECK(owners() == Names{"owner"});
  const std::string name = nested.path().substr(nested.path().rfind('/') + 1);
  const Outcome moved = run({.argv = {"rdma", "dev", "set", device, "netns", name},
                             .env = {"PATH=/usr/sbin:/usr/bin"},
                             .netns = pod.path()});
  INFO(moved.describe());
  REQUIRE(moved.ok());
  CHECK(owners() == Names{"owner"});
  rebind(world.near[2]);
  CHECK(owners() == Names{"owner"});
  world.del(list, container);
  world.require_nothing_left();
}
