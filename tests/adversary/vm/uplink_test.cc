// Bonds and VLANs that a configuration makes of the host's NICs: the host loses nothing by them.
#include <catch2/catch.hpp>

#include "tests/netns/world.h"
#include "tests/vm/machine.h"

using namespace railcni;
using namespace railcni::test;

namespace {

// Two dummies for NICs of the host.
struct World {
  World() {
    enter_sandbox();
    for (const char* name : {"port1", "port2"}) {
      ip(std::string("link add ") + name + " type dummy");
      ip(std::string("link set ") + name + " up");
    }
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() { remove_virtual_links(); }

  // A list of that name whose macvlan is on bond0 of the two, or on a VLAN on it or on `port1`.
  Json list(bool bond, int vlan, const std::string& name = "net") const {
    Json list = macvlan_list(dir, "port1", pool_v4());
    list["name"] = name;
    Json& block = list["plugins"].as_array()[0]["macvlan"];
    if (bond) {
      block["master"] = Json::array({"port1", "port2"});
      block["bond"] = Json::object({{"name", "bond0"}, {"mode", 1}, {"options", "miimon=100"}});
    }
    if (vlan != 0) block["vlanID"] = vlan;
    return list;
  }
  void add(const Json& list, const Container& container) {
    const Call call = runtime.add(list, container);
    INFO(call.describe());
    REQUIRE(call.ok());
  }
  void del(const Json& list, const Container& container) {
    const Call call = runtime.del(list, container);
    INFO(call.describe());
    REQUIRE(call.ok());
  }

  std::string dir = make_folder("uplink");
  Runtime runtime;
  Pod one{"one"};
  Pod two{"two"};
  const Container first{.id = "c1", .netns = one.path()};
  const Container second{.id = "c2", .netns = two.path()};
};

}  // namespace

TEST_CASE("a NIC that the host uses does not become a port of a Pod's bond", "[ethernet]") {
  World world;
  std::string part;
  SECTION("an IPv4 address") {
    ip("addr add 192.0.2.2/24 dev port2");
    part = "port2 is in use by the host: it has address 192.0.2.2/24";
  }
  SECTION("an IPv6 address") {
    ip("addr add 2001:db8::2/64 dev port2");
    part = "2001:db8::2/64";
  }
  SECTION("a default route") {
    ip("route add default dev port1");
    part = "port1 is in use by the host: it has a route to 0.0.0.0/0";
  }
  SECTION("a route of another table") {
    ip("route add 198.51.100.0/24 dev port1 table 77");
    part = "198.51.100.0/24";
  }
  SECTION("a VLAN on it") {
    ip("link add link port1 name storage type vlan id 9");
    part = "storage stands on it";
  }
  SECTION("a bond that lacks a port") {
    ip("link add bond0 type bond mode active-backup miimon 100");
    ip("addr add 192.0.2.2/24 dev port2");
    part = "192.0.2.2/24";
  }
  const Json before = machine_snapshot();
  for (const int vlan : {0, 5}) {
    const Call add = world.runtime.add(world.list(true, vlan), world.first);
    INFO(add.describe());
    CHECK(add.code() == 7);
    CHECK_THAT(add.msg(), Catch::Contains(part));
    CHECK(machine_changes_since(before) == "");
    CHECK(leased(world.dir).empty());
  }
}

TEST_CASE("a VLAN on a NIC that the host uses leaves that as it is", "[ethernet]") {
  World world;
  ip("addr add 192.0.2.2/24 dev port1");
  ip("route add default via 192.0.2.1");
  const Json before = machine_snapshot();
  const Json list = world.list(false, 5);
  world.add(list, world.first);
  CHECK(addresses_of("port1") == std::vector<std::string>{"192.0.2.2/24"});
  CHECK(ip_json("route show default").as_array().size() == 1);
  world.del(list, world.first);
  CHECK(machine_changes_since(before) == "");
  ip("route del default via 192.0.2.1");
}

TEST_CASE("what was made of the host's NICs goes with its last user, and no sooner", "[ethernet]") {
  World world;
  const Json before = machine_snapshot();
  const Json list = world.list(true, 5);
  world.add(list, world.first);
  SECTION("the maker goes first") {
    world.add(list, world.second);
    world.del(list, world.first);
    CHECK(link_of("bond0.5").is_object());
    CHECK(world.runtime.check(list, world.second).ok());
    world.del(list, world.second);
  }
  SECTION("the maker's Pod dies") {
    world.add(list, world.second);
    world.one.destroy();
    cli(world.dir, {"gc"});
    CHECK(world.runtime.check(list, world.second).ok());
    world.del(list, world.second);
  }
  SECTION("another network has another VLAN of the bond") {
    const Json other = world.list(true, 6, "other");
    world.add(other, world.second);
    world.del(list, world.first);
    CHECK(link_of("bond0.5").is_null());
    CHECK(world.runtime.check(other, world.second).ok());
    world.del(other, world.second);
  }
  SECTION("another network names the VLAN as its master") {
    Json other = macvlan_list(world.dir, "bond0.5", pool_v4());
    other["name"] = "other";
    world.add(other, world.second);
    world.del(list, world.first);
    CHECK(world.runtime.check(other, world.second).ok());
    world.del(other, world.second);
  }
  CHECK(machine_changes_since(before) == "");
  CHECK(leased(world.dir).empty());
}

TEST_CASE("what somebody else uses or made is left standing", "[ethernet]") {
  World world;
  const Json list = world.list(true, 5);
  SECTION("made before") {
    ip("link add bond0 type bond mode active-backup miimon 100");
    world.add(list, world.first);
    world.del(list, world.first);
    CHECK(link_of("bond0.5").is_null());
    CHECK(link_of("bond0").is_object());
  }
  SECTION("an address of the host's on it") {
    world.add(list, world.first);
    ip("addr add 192.0.2.9/24 dev bond0.5");
    world.del(list, world.first);
    CHECK(addresses_of("bond0.5") == std::vector<std::string>{"192.0.2.9/24"});
  }
  SECTION("a link of another store on it") {
    world.add(list, world.first);
    World* const same = &world;
    const std::string dir = make_folder("uplink2");
    Json other = list;
    other["plugins"].as_array()[0]["dataDir"] = dir;
    same->add(other, world.second);
    world.del(list, world.first);
    CHECK(world.runtime.check(other, world.second).ok());
    world.del(other, world.second);
  }
}

TEST_CASE("Pods of a VLAN that come and go at once never lose it", "[ethernet]") {
  World world;
  const Json before = machine_snapshot();
  const Json list = world.list(true, 5);
  std::vector<Pod> pods;
  std::vector<Container> containers;
  for (int i = 0; i < 6; ++i) {
    pods.emplace_back("many");
    containers.push_back({.id = "m" + std::to_string(i), .netns = pods.back().path()});
  }
  const auto start = [&](const char* verb, const Container& container) {
    return Child(Command{.argv = {railcni_binary()},
                         .env = world.runtime.environment(verb, container),
                         .stdin_text = Runtime::plugin_config(list, 0, container, nullptr).dump()});
  };
  const auto finish = [](std::vector<Child>& running) {
    for (Child& child : running) {
      const Outcome outcome = child.wait();
      INFO(outcome.describe());
      CHECK(outcome.ok());
    }
    running.clear();
  };
  std::vector<Child> running;
  // Half of them come while the other half goes.
  for (int i = 0; i < 3; ++i) running.push_back(start("ADD", containers[i]));
  finish(running);
  for (int round = 0; round < 6; ++round) {
    INFO("round " << round);
    const int come = round % 2 == 0 ? 3 : 0;
    for (int i = 0; i < 3; ++i) {
      running.push_back(start("DEL", containers[3 - come + i]));
      running.push_back(start("ADD", containers[come + i]));
    }
    finish(running);
    for (int i = 0; i < 3; ++i) CHECK(link_of("net1", pods[come + i].path()).is_object());
  }
  for (const Container& container : containers) running.push_back(start("DEL", container));
  finish(running);
  CHECK(machine_changes_since(before) == "");
  CHECK(leased(world.dir).empty());
}
