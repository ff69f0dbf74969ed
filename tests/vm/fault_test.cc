// Every step of ADD, DEL and GC that changes something is the last one of its process, or fails,
// with each backend that needs the VM.
#include <catch2/catch.hpp>
#include <optional>

#include "tests/netns/world.h"
#include "tests/support/faults.h"
#include "tests/vm/rdma_world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

// Between two of these nothing changes outside of the process.
const char* const kKilled = "killed-after:commit+set+rdma-set+sysfs";
const char* const kFailing = "EIO:commit+set+rdma-set+sysfs";

// The machine with one attachment, of a Pod that is made when it is needed.
class VmWorld : public FaultWorld {
 public:
  Container container() override {
    if (!pod_) pod_.emplace();
    Container container{.id = "victim", .netns = pod_->path()};
    return guid.empty() ? container : with_guid(container, guid);
  }
  void lose_pod() override { pod_.reset(); }
  void require_as_before() override {
    CHECK(count_records(dir) == 0);
    CHECK(machine_changes_since(before()) == "");
    if (pod_) CHECK(links_of(*pod_) == Json::array({"lo"}));
  }

  std::string guid;  // that the runtime hands on

 private:
  virtual const Json& before() const = 0;

  static Json links_of(const Pod& pod) {
    Json names = Json::array();
    for (const Json& link : ip_json("link show", pod.path()).as_array()) {
      names.push_back(link.at("ifname"));
    }
    return names;
  }

  std::optional<Pod> pod_;
};

// igb's functions, without RDMA.
class EthernetWorld : public VmWorld {
 public:
  // `has_namesake`: an interface of the host is called like the Pod's.
  explicit EthernetWorld(bool has_namesake = false) {
    dir = make_folder("fault");
    if (has_namesake) ip("link add net1 type dummy");
    before_ = machine_snapshot();
  }

  Machine machine;
  std::vector<std::string> vfs = vfs_of("rail1");

 private:
  const Json& before() const override { return before_; }

  Json before_;
};

// A macvlan on a VLAN of a bond, all of them made by the ADD.
class BondWorld : public VmWorld {
 public:
  BondWorld() {
    dir = make_folder("fault");
    for (const char* name : {"port1", "port2"}) {
      ip(std::string("link add ") + name + " type dummy");
      ip(std::string("link set ") + name + " up");
    }
    before_ = machine_snapshot();
    list = macvlan_list(dir, "", pool_v4());
    list["plugins"].as_array()[0]["macvlan"] = Json::parse(R"({"master": ["port1", "port2"],
        "bond": {"name": "bond0", "mode": 1, "options": "miimon=100"}, "vlanID": 5})");
  }

  Machine machine;

 private:
  const Json& before() const override { return before_; }

  Json before_;
};

class HcaWorld : public VmWorld {
 public:
  HcaWorld() { dir = rdma.dir; }

  RdmaWorld rdma;

 private:
  const Json& before() const override { return rdma.before; }
};

int walk_all(FaultWorld& world) {
  const int steps = walk_add(world, kKilled);
  walk_add(world, kFailing);
  walk_del(world, kKilled);
  walk_del(world, kFailing);
  return steps;
}

}  // namespace

TEST_CASE("sriov: ADD, DEL and GC are killed, or fail, at each step", "[ethernet]") {
  EthernetWorld world;
  world.list = with_device(sriov_list(world.dir, Json::object({{"vlanID", 300},
                                                               {"mac", "02:00:00:00:0d:01"},
                                                               {"trust", "on"},
                                                               {"spoofchk", "off"},
                                                               {"maxTxRateMbps", 100},
                                                               {"mtu", 1400}})),
                           world.vfs[5]);
  CHECK(walk_all(world) >= 8);
  walk_gc(world, kKilled);
}

TEST_CASE("ipvlan: ADD, DEL and GC are killed, or fail, at each step", "[ethernet]") {
  // Up to Linux 6.13 the link needs another name for a while where the host has one called like it.
  const bool has_namesake = GENERATE(false, true);
  EthernetWorld world(has_namesake);
  const Json pool = Json::object({{"name", "pool"}, {"subnet", "10.7.0.0/24"}});
  world.list =
      make_conflist("1.1.0", "ipvlan-net",
                    {Json::object({{"type", "railcni"},
                                   {"cniType", "ipvlan"},
                                   {"dataDir", world.dir},
                                   {"ipvlan", Json::object({{"master", "rail1"}})},
                                   {"ipam", Json::object({{"pools", Json::array({pool})}})}})});
  CHECK(walk_all(world) >= 5);
  walk_gc(world, kKilled);
}

TEST_CASE("macvlan on a bond that it makes: ADD, DEL and GC are killed, or fail", "[ethernet]") {
  BondWorld world;
  CHECK(walk_all(world) >= 8);
  walk_gc(world, kKilled);
}

TEST_CASE("sriov with RDMA isolation: ADD, DEL and GC are killed, or fail, at each step",
          "[roce]") {
  HcaWorld world;
  world.list = with_device(
      world.rdma.list("sriov", "sriov",
                      Json::object({{"rdmaIsolation", true}, {"rdmaDeviceName", "roce0"}})),
      world.rdma.near[2]);
  CHECK(walk_all(world) >= 8);
  walk_gc(world, kKilled);
}

TEST_CASE("ib-sriov: ADD, DEL and GC are killed, or fail, at each step", "[infiniband]") {
  HcaWorld world;
  world.guid = "02:00:00:00:00:00:00:77";
  world.list =
      world.rdma.ib_list(world.rdma.near[1], Json::object({{"rdmaDeviceName", "hca_pod"}}));
  CHECK(walk_all(world) >= 8);
  walk_gc(world, kKilled);
}

TEST_CASE("ib-sriov with a pkey: ADD is killed at each step", "[infiniband]") {
  HcaWorld world;
  world.rdma.join_once(world.rdma.near[1]);
  world.list = world.rdma.ib_list(world.rdma.near[1],
                                  Json::object({{"pkey", "0x8001"}, {"rdmaIsolation", false}}));
  CHECK(walk_add(world, kKilled) >= 5);
}

TEST_CASE("ipoib: ADD, DEL and GC are killed, or fail, at each step", "[infiniband]") {
  HcaWorld world;
  world.list =
      world.rdma.list("ipoib", "ipoib", Json::object({{"master", "rail1"}, {"pkey", "0x8001"}}));
  CHECK(walk_all(world) >= 5);
  walk_gc(world, kKilled);
}
