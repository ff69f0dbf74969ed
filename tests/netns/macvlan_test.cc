// The macvlan backend on real links.
#include <catch2/catch.hpp>

#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

struct World {
  explicit World(const RailOptions& options = {}) : rail("rail0", options) {}

  Rail rail;
  Pod pod;
  std::string dir = make_folder("macvlan");
  Runtime runtime;
  Container container{.id = "c1", .netns = pod.path()};
  Json list = macvlan_list(dir, "rail0", pool_v4());

  Json& plugin() { return list["plugins"].as_array()[0]; }
  Json& block() { return plugin()["macvlan"]; }
  Call add() { return runtime.add(list, container); }

  void require_refused(int64_t code, const std::string& part) {
    const Json host = snapshot();
    const Json inside = snapshot(pod.path());
    const Call call = add();
    INFO(call.describe());
    CHECK_FALSE(call.ok());
    CHECK(call.code() == code);
    CHECK_THAT(call.msg(), Catch::Contains(part));
    CHECK(snapshot() == host);
    CHECK(snapshot(pod.path()) == inside);
    CHECK(leased(dir).empty());
  }
};

}  // namespace

TEST_CASE("macvlan: mode, MTU, MAC and queue length arrive at the link") {
  enter_sandbox();
  World world;
  const std::string mode = GENERATE("bridge", "private", "vepa");
  world.block()["mode"] = mode;
  world.block()["mtu"] = 1400;
  world.block()["mac"] = "02:00:00:00:00:07";
  world.block()["bcqueuelen"] = 2000;
  const Call add = world.add();
  INFO(add.describe());
  REQUIRE(add.ok());
  const Json link = link_of("net1", world.pod.path());
  CHECK(link.at("mtu").as_int() == 1400);
  CHECK(link.at("address").as_string() == "02:00:00:00:00:07");
  const Json& data = link.at("linkinfo").at("info_data");
  CHECK(data.at("mode").as_string() == mode);
  if (const Json* length = data.find("bcqueuelen")) CHECK(length->as_int() == 2000);
  CHECK(sysctl_of("ipv4/conf/net1/arp_notify", world.pod.path()) == "1");
  CHECK(sysctl_of("ipv6/conf/net1/ndisc_notify", world.pod.path()) == "1");
  const Json& interface = add.json.at("interfaces").as_array()[0];
  CHECK(interface.at("mac").as_string() == "02:00:00:00:00:07");
  CHECK(interface.at("mtu").as_int() == 1400);
  CHECK(interface.at("sandbox").as_string() == world.pod.path());
  CHECK(world.runtime.check(world.list, world.container).ok());
  CHECK(world.runtime.del(world.list, world.container).ok());
}

TEST_CASE("macvlan: passthru has its master's MAC") {
  enter_sandbox();
  World world;
  world.block()["mode"] = "passthru";
  const Json host_before = snapshot();
  const Call add = world.add();
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(link_of("net1", world.pod.path()).at("address") == link_of("rail0").at("address"));
  CHECK(world.runtime.del(world.list, world.container).ok());
  CHECK(snapshot() == host_before);
  world.block()["mac"] = "02:00:00:00:00:07";
  world.require_refused(7, "passthru");
}

TEST_CASE("macvlan: runtimeConfig's MAC is ranked before CNI_ARGS' before the configuration's") {
  enter_sandbox();
  World world;
  world.plugin()["capabilities"] = Json::object({{"mac", true}});
  std::string expected = "02:00:00:00:00:01";
  world.block()["mac"] = "02:00:00:00:00:01";
  const int level = GENERATE(0, 1, 2);
  if (level >= 1) world.container.args = "IgnoreUnknown=1;MAC=" + (expected = "02:00:00:00:00:02");
  if (level >= 2) {
    expected = "02:00:00:00:00:03";
    world.container.capabilities = Json::object({{"mac", expected}});
  }
  REQUIRE(world.add().ok());
  CHECK(link_of("net1", world.pod.path()).at("address").as_string() == expected);
  CHECK(world.runtime.del(world.list, world.container).ok());
}

TEST_CASE("macvlan: dual stack is usable at once, and the Pods reach each other") {
  enter_sandbox();
  World world({.peer_addresses = {"10.9.0.1/24", "fd09::1/64"}});
  world.plugin()["ipam"]["pools"].push_back(pool_v6());
  Pod second("second");
  const Container other{.id = "c2", .netns = second.path()};
  const Json host_before = snapshot();
  // As a runtime may leave a new namespace.
  for (const std::string& netns : {world.pod.path(), second.path()}) {
    run({.argv = {"/bin/sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6"},
         .netns = netns});
  }
  REQUIRE(world.add().ok());
  REQUIRE(world.runtime.add(world.list, other).ok());
  CHECK(addresses_of("net1", world.pod.path()) ==
        std::vector<std::string>{"10.9.0.2/24", "fd09::2/64"});
  // Not tentative: no duplicate address detection is waited for.
  for (const Json& link :
       ip_json("-6 addr show dev net1 scope global", world.pod.path()).as_array()) {
    for (const Json& address : link.at("addr_info").as_array()) {
      CHECK(address.find("tentative") == nullptr);
    }
  }
  CHECK(reaches("fd09::3", world.pod.path()));
  CHECK(reaches("10.9.0.3", world.pod.path()));
  CHECK(reaches("10.9.0.1", world.pod.path()));
  CHECK(reaches("fd09::1", second.path()));
  CHECK(world.runtime.check(world.list, world.container).ok());
  CHECK(world.runtime.del(world.list, world.container).ok());
  CHECK(world.runtime.del(world.list, other).ok());
  CHECK(snapshot() == host_before);
}

TEST_CASE("macvlan: a master inside the container") {
  enter_sandbox();
  World world;
  ip("link add base type veth peer name base-peer", world.pod.path());
  ip("link set base up", world.pod.path());
  const Json before = snapshot(world.pod.path());
  world.block()["master"] = Json::array({"base"});
  world.block()["linkInContainer"] = true;
  const Call add = world.add();
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(link_of("net1", world.pod.path()).at("link").as_string() == "base");
  CHECK(world.runtime.check(world.list, world.container).ok());
  CHECK(world.runtime.del(world.list, world.container).ok());
  CHECK(snapshot(world.pod.path()) == before);
}

TEST_CASE("macvlan: without a master, the device of the default route serves") {
  enter_sandbox();
  World world({.addresses = {"192.0.2.2/24"}});
  world.block().erase("master");
  world.require_refused(7, "default route");
  ip("route add default via 192.0.2.1");
  const Call add = world.add();
  INFO(add.describe());
  CHECK(add.ok());
  CHECK(world.runtime.del(world.list, world.container).ok());
  ip("route del default");
}

TEST_CASE("macvlan: what the plan can know is refused before anything changes") {
  enter_sandbox();
  World world;
  SECTION("no such master") {
    world.block()["master"] = Json::array({"nowhere0"});
    world.require_refused(7, "nowhere0");
  }
  SECTION("master is down") {
    ip("link set rail0 down");
    world.require_refused(100, "rail0 is down");
  }
  SECTION("MTU above the master's") {
    world.block()["mtu"] = 9000;
    world.require_refused(7, "1500");
  }
  SECTION("MTU too small") {
    world.block()["mtu"] = 20;
    world.require_refused(7, "macvlan.mtu");
  }
  SECTION("unknown mode") {
    world.block()["mode"] = "bridged";
    world.require_refused(7, "bridge, private, vepa or passthru");
  }
  SECTION("malformed MAC") {
    world.block()["mac"] = "02:00";
    world.require_refused(7, "macvlan.mac");
  }
  SECTION("multicast MAC") {
    world.block()["mac"] = "01:00:00:00:00:01";
    world.require_refused(7, "multicast");
  }
  SECTION("two masters without a bond") {
    world.block()["master"] = Json::array({"rail0", "rail1"});
    world.require_refused(7, "bond");
  }
  SECTION("unknown key with a suggestion") {
    world.block()["maseter"] = "rail0";
    world.require_refused(7, "did you mean \"macvlan.master\"");
  }
  SECTION("another type's block") {
    world.plugin()["sriov"] = Json::object();
    world.require_refused(7, "sriov");
  }
  SECTION("MTU too small for the pool's IPv6") {
    world.plugin()["ipam"]["pools"].push_back(pool_v6());
    world.block()["mtu"] = 1200;
    world.require_refused(7, "1280");
  }
  SECTION("a name that the kernel would expand") {
    world.container.ifname = "eth%d";
    world.require_refused(4, "%");
  }
  SECTION("VLAN id out of range") {
    world.block()["vlanID"] = 5000;
    world.require_refused(7, "macvlan.vlanID");
  }
}

TEST_CASE("macvlan: a failing kernel step undoes what was done before it") {
  enter_sandbox();
  World world;
  ip("link add eth0 type veth peer name eth0-peer", world.pod.path());
  ip("addr add 192.0.2.2/24 dev eth0", world.pod.path());
  // Link-local addresses would be usable after a second, and change the picture by themselves.
  ip("link set eth0 addrgenmode none up", world.pod.path());
  ip("link set eth0-peer addrgenmode none up", world.pod.path());
  // The kernel refuses a route whose gateway is on no connected subnet; nothing before it knows.
  world.plugin()["coordinator"] = Json::object(
      {{"policyRoutes",
        Json::array({Json::object({{"to", "10.99.0.0/16"}, {"via", "203.0.113.1"}})})}});
  world.require_refused(100, "10.99.0.0/16");
}

TEST_CASE("macvlan: the Pod's first interface keeps the default route") {
  enter_sandbox();
  World world;
  ip("link add eth0 type veth peer name eth0-peer", world.pod.path());
  ip("addr add 192.0.2.2/24 dev eth0", world.pod.path());
  ip("link set eth0 up", world.pod.path());
  ip("route add default via 192.0.2.1", world.pod.path());
  const Call add = world.add();
  INFO(add.describe());
  REQUIRE(add.ok());
  const Json routes = ip_json("route show default", world.pod.path());
  REQUIRE(routes.as_array().size() == 1);
  CHECK(routes.as_array()[0].at("dev").as_string() == "eth0");
  // What the result has are the routes of the rail's own table.
  for (const Json& route : add.json.at("routes").as_array())
    CHECK(route.at("table").as_int() == 101);
  CHECK(add.json.at("ips").as_array()[0].at("gateway").as_string() == "10.9.0.1");
  CHECK(world.runtime.check(world.list, world.container).ok());
  CHECK(world.runtime.del(world.list, world.container).ok());
}

TEST_CASE("macvlan: two rails with the same supernet route both come up") {
  enter_sandbox();
  World world;
  const auto pool = [](const char* name, const char* subnet, const char* gateway) {
    return Json::object(
        {{"name", name},
         {"subnet", subnet},
         {"gateway", gateway},
         {"routes", Json::array({Json::object({{"to", "172.16.0.0/16"}, {"via", gateway}})})}});
  };
  world.plugin()["ipam"]["pools"] = Json::array({pool("r1", "172.16.1.0/27", "172.16.1.1")});
  REQUIRE(world.add().ok());
  Json second = macvlan_list(world.dir, "rail0", pool("r2", "172.16.1.32/27", "172.16.1.33"));
  second["name"] = "net-b";
  Container other = world.container;
  other.ifname = "net2";
  const Call add = world.runtime.add(second, other);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(world.runtime.check(second, other).ok());
  const Json own = ip_json("route show table 102 172.16.0.0/16", world.pod.path());
  REQUIRE(own.as_array().size() == 1);
  CHECK(own.as_array()[0].at("gateway").as_string() == "172.16.1.33");
  CHECK(world.runtime.del(second, other).ok());
  CHECK(world.runtime.check(world.list, world.container).ok());
  CHECK(world.runtime.del(world.list, world.container).ok());
}
