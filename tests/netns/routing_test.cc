// Policy routing on real links: every rail answers on its own NIC.
#include <catch2/catch.hpp>

#include "tests/netns/cluster.h"

using namespace railcni;
using namespace railcni::test;

TEST_CASE("eight rails: rules, tables, main routes, and DEL of one leaves the others") {
  enter_sandbox();
  std::vector<std::unique_ptr<Rail>> rails;
  for (int n = 1; n <= 8; ++n) rails.push_back(std::make_unique<Rail>("rail" + std::to_string(n)));
  Cluster cluster;
  const Json before = snapshot(cluster.pod.path());
  for (int n = 1; n <= 8; ++n) {
    const Call add = cluster.runtime.add(cluster.rail_list(n), cluster.rail(n));
    INFO(add.describe());
    REQUIRE(add.ok());
  }
  const std::string main = cluster.text("route show table main");
  INFO(main);
  CHECK_THAT(main, Catch::Contains("default via 10.233.64.1 dev eth0"));
  for (int n = 1; n <= 8; ++n) {
    const std::string id = std::to_string(n);
    const std::string table = std::to_string(100 + n);
    CHECK_THAT(cluster.text("rule"), Catch::Contains("from 172.16.1" + id + ".10 lookup " + table));
    CHECK_THAT(cluster.text("route show table " + table),
               Catch::Contains("default via 172.16.1" + id + ".254 dev net" + id));
    CHECK_THAT(main, Catch::Contains("172.16.1" + id + ".0/24 dev net" + id +
                                     " proto kernel scope link src 172.16.1" + id + ".10"));
    CHECK(cluster.runtime.check(cluster.rail_list(n), cluster.rail(n)).ok());
  }
  CHECK(main.find("default", main.find("default") + 1) == std::string::npos);
  REQUIRE(cluster.runtime.del(cluster.rail_list(3), cluster.rail(3)).ok());
  CHECK(cluster.text("rule").find("172.16.13.10") == std::string::npos);
  for (int n = 1; n <= 8; ++n) {
    if (n != 3) CHECK(cluster.runtime.check(cluster.rail_list(n), cluster.rail(n)).ok());
  }
  // The same number again, whatever else is there.
  REQUIRE(cluster.runtime.add(cluster.rail_list(3), cluster.rail(3)).ok());
  CHECK_THAT(cluster.text("rule"), Catch::Contains("from 172.16.13.11 lookup 103"));
  for (int n = 1; n <= 8; ++n) {
    REQUIRE(cluster.runtime.del(cluster.rail_list(n), cluster.rail(n)).ok());
  }
  CHECK(snapshot(cluster.pod.path()) == before);
}

TEST_CASE("a packet from another subnet is answered on the rail it came by, rp_filter strict") {
  enter_sandbox();
  Rail one("rail1", {.peer_addresses = {"172.16.11.254/24", "198.51.100.1/24", "fd00:1::1/64",
                                        "fd00:ff::1/64"}});
  Rail two("rail2", {.peer_addresses = {"172.16.12.254/24", "198.51.100.2/24", "fd00:2::1/64"}});
  Cluster cluster;
  const Json coordinator = Json::object({{"podRPFilter", 1}});
  for (int n = 1; n <= 2; ++n) {
    const Call add = cluster.runtime.add(cluster.rail_list(n, coordinator, true), cluster.rail(n));
    INFO(add.describe());
    REQUIRE(add.ok());
  }
  CHECK(sysctl_of("ipv4/conf/all/rp_filter", cluster.pod.path()) == "1");
  for (const auto& [rail, source, target] : {std::tuple{&one, "198.51.100.1", "172.16.11.10"},
                                             std::tuple{&two, "198.51.100.2", "172.16.12.10"},
                                             std::tuple{&one, "fd00:ff::1", "fd00:1::2"}}) {
    INFO(source << " -> " << target);
    const Outcome ping =
        run({.argv = {"/bin/ping", "-c", "2", "-i", "0.2", "-W", "2", "-I", source, target},
             .netns = rail->fabric()});
    INFO(ping.describe());
    CHECK(ping.ok());
  }
  for (int n = 1; n <= 2; ++n) {
    CHECK(cluster.runtime.del(cluster.rail_list(n, coordinator, true), cluster.rail(n)).ok());
  }
}

TEST_CASE("what was there before is untouched, also where numbers collide") {
  enter_sandbox();
  Rail rail("rail1");
  Cluster cluster;
  ip("rule add from 203.0.113.7 lookup 101 priority 5000", cluster.pod.path());
  ip("route add 203.0.113.0/24 dev eth0 table 101", cluster.pod.path());
  const Json before = snapshot(cluster.pod.path());
  const Call add = cluster.runtime.add(cluster.rail_list(1), cluster.rail(1));
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(cluster.text("rule").find("172.16.11.10 lookup 101") == std::string::npos);
  CHECK(cluster.text("route show table 101").find("172.16.11.254") == std::string::npos);
  CHECK(cluster.runtime.check(cluster.rail_list(1), cluster.rail(1)).ok());
  CHECK(cluster.runtime.add(cluster.rail_list(1), cluster.rail(1)).ok());
  CHECK(cluster.runtime.del(cluster.rail_list(1), cluster.rail(1)).ok());
  CHECK(cluster.runtime.del(cluster.rail_list(1), cluster.rail(1)).ok());
  CHECK(snapshot(cluster.pod.path()) == before);
}

TEST_CASE("CHECK finds a rule or a route of the rail's table that was removed by hand") {
  enter_sandbox();
  Rail rail("rail1");
  Cluster cluster;
  const Json list = cluster.rail_list(1, nullptr, true);
  REQUIRE(cluster.runtime.add(list, cluster.rail(1)).ok());
  REQUIRE(cluster.runtime.check(list, cluster.rail(1)).ok());
  const char* removal = GENERATE("rule del from 172.16.11.10", "-6 rule del from fd00:1::2",
                                 "route flush table 101", "-6 route del default table 101");
  INFO(removal);
  ip(removal, cluster.pod.path());
  const Call check = cluster.runtime.check(list, cluster.rail(1));
  CHECK(check.code() == 101);
  CHECK(cluster.runtime.del(list, cluster.rail(1)).ok());
}

TEST_CASE("coordinator off, by any of its names, leaves routing alone") {
  enter_sandbox();
  Rail rail("rail1");
  Cluster cluster;
  Json list = cluster.rail_list(1);
  Json& plugin = list["plugins"].as_array()[0];
  SECTION("enableCoordinator: false") { plugin["enableCoordinator"] = false; }
  SECTION("mode disable") { plugin["coordinator"] = Json::object({{"mode", "disable"}}); }
  SECTION("mode disabled") { plugin["coordinator"] = Json::object({{"mode", "disabled"}}); }
  SECTION("tunePodRoutes: false") {
    plugin["coordinator"] = Json::object({{"tunePodRoutes", false}});
  }
  const std::string rules = cluster.text("rule");
  REQUIRE(cluster.runtime.add(list, cluster.rail(1)).ok());
  CHECK(cluster.text("rule") == rules);
  CHECK_THAT(cluster.text("route show default"), Catch::Contains("dev eth0"));
  CHECK(cluster.runtime.del(list, cluster.rail(1)).ok());
}

TEST_CASE("table and rulePriority are fixed by hand; a table in use is refused") {
  enter_sandbox();
  Rail rail("rail1");
  Cluster cluster;
  Json list = cluster.rail_list(1, Json::object({{"table", 4242}, {"rulePriority", 777}}));
  REQUIRE(cluster.runtime.add(list, cluster.rail(1)).ok());
  CHECK_THAT(cluster.text("rule"), Catch::Contains("777:\tfrom 172.16.11.10 lookup 4242"));
  CHECK(cluster.runtime.del(list, cluster.rail(1)).ok());
  ip("route add 203.0.113.0/24 dev eth0 table 4242", cluster.pod.path());
  const Call add = cluster.runtime.add(list, cluster.rail(1));
  CHECK(add.code() == 7);
  CHECK_THAT(add.msg(), Catch::Contains("4242"));
  CHECK(link_of("net1", cluster.pod.path()).is_null());
}

TEST_CASE("podDefaultRouteNIC takes the default route when it comes, and gives it back") {
  enter_sandbox();
  Rail one("rail1");
  Rail two("rail2");
  Cluster cluster;
  const Json before = snapshot(cluster.pod.path());
  const Json coordinator = Json::object({{"podDefaultRouteNIC", "net2"}});
  REQUIRE(cluster.runtime.add(cluster.rail_list(1, coordinator), cluster.rail(1)).ok());
  CHECK_THAT(cluster.text("route show default"), Catch::Contains("dev eth0"));
  REQUIRE(cluster.runtime.add(cluster.rail_list(2, coordinator), cluster.rail(2)).ok());
  CHECK(cluster.text("route show default") == "default via 172.16.12.254 dev net2 proto static \n");
  CHECK_THAT(cluster.text("rule"),
             Catch::Contains("lookup 100") && Catch::Contains("from 10.233.64."));
  CHECK_THAT(cluster.text("route show table 100"),
             Catch::Contains("default via 10.233.64.1 dev eth0"));
  CHECK(cluster.runtime.check(cluster.rail_list(2, coordinator), cluster.rail(2)).ok());
  CHECK(cluster.runtime.del(cluster.rail_list(2, coordinator), cluster.rail(2)).ok());
  CHECK_THAT(cluster.text("route show default"), Catch::Contains("dev eth0"));
  CHECK(cluster.runtime.del(cluster.rail_list(1, coordinator), cluster.rail(1)).ok());
  CHECK(snapshot(cluster.pod.path()) == before);
}

TEST_CASE("overlay: the host and the hijacked subnets are reached by the cluster's interface") {
  enter_sandbox();
  Rail rail("rail1");
  ip("link add node0 type veth peer name node0-peer");
  ip("addr add 192.0.2.50/24 dev node0");
  ip("link set node0-peer up");
  ip("link set node0 up");
  Cluster cluster;
  // A bridge's own counters change by themselves; routes and rules do not.
  const auto host_routing = [] {
    return run({.argv = {"/bin/sh", "-c", "ip rule; ip -6 rule; ip route show table all"}}).out;
  };
  const std::string host_before = host_routing();
  const Json list =
      cluster.rail_list(1, Json::object({{"mode", "overlay"},
                                         {"serviceCIDR", Json::array({"10.96.0.0/12"})},
                                         {"overlayPodCIDR", Json::array({"10.233.0.0/16"})},
                                         {"txQueueLen", 777},
                                         {"podMACPrefix", "0a:1b"}}));
  const Call add = cluster.runtime.add(list, cluster.rail(1));
  INFO(add.describe());
  REQUIRE(add.ok());
  const std::string table = cluster.text("route show table 101");
  INFO(table);
  for (const char* route :
       {"192.0.2.50 dev eth0 proto static scope link src 10.233.64.",
        "10.96.0.0/12 via 10.233.64.1 dev eth0", "10.233.0.0/16 via 10.233.64.1 dev eth0",
        "169.254.0.0/16 via 10.233.64.1 dev eth0"}) {
    CHECK_THAT(table, Catch::Contains(route));
  }
  const Json link = link_of("net1", cluster.pod.path());
  CHECK(link.at("txqlen").as_int() == 777);
  CHECK(link.at("address").as_string() == "0a:1b:ac:10:0b:0a");
  // The node reaches the rail's address by the Pod's eth0.
  CHECK(reaches("172.16.11.10", ""));
  CHECK_THAT(run({.argv = {"/sbin/ip", "rule"}}).out,
             Catch::Contains("999:\tfrom all to 172.16.11.10 lookup 500"));
  CHECK(cluster.runtime.check(list, cluster.rail(1)).ok());
  CHECK(cluster.runtime.del(list, cluster.rail(1)).ok());
  CHECK(host_routing() == host_before);
  ip("link del node0");
}

TEST_CASE("underlay: the Pod's first interface reaches its own host through veth0") {
  enter_sandbox();
  Rail rail("rail1", {.addresses = {"172.16.11.1/24"}});
  Pod pod;
  const std::string dir = make_folder("underlay");
  Json plugin = macvlan_plugin(dir, "rail1",
                               Json::object({{"name", "p"},
                                             {"subnet", "172.16.11.0/24"},
                                             {"ips", Json::array({"172.16.11.10-172.16.11.20"})},
                                             {"gateway", "172.16.11.254"}}));
  plugin["coordinator"] =
      Json::object({{"mode", "underlay"}, {"vethLinkAddress", "169.254.100.1"}});
  const Json list = make_conflist("1.1.0", "underlay", {with_applied_pools(dir, plugin)});
  const Container container{.id = "c1", .netns = pod.path(), .ifname = "eth0"};
  Runtime runtime;
  const Json host_before = snapshot();
  const Json pod_before = snapshot(pod.path());
  const Call add = runtime.add(list, container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(addresses_of("veth0", pod.path()) == std::vector<std::string>{"169.254.100.1/32"});
  CHECK(reaches("172.16.11.1", pod.path()));
  CHECK(reaches("172.16.11.10", ""));
  CHECK(runtime.check(list, container).ok());
  SECTION("DEL") {
    CHECK(runtime.del(list, container).ok());
    CHECK(changes_since(pod_before, pod.path()) == "");
  }
  SECTION("the namespace dies first") {
    pod.destroy();
    CHECK(runtime.del(list, container).ok());
  }
  CHECK(changes_since(host_before) == "");
}

TEST_CASE("chained after Debian's macvlan: the same routes, undone by DEL") {
  enter_sandbox();
  Rail rail("rail1");
  Cluster cluster;
  const Json before = snapshot(cluster.pod.path());
  const Json list = make_conflist(
      "1.0.0", "chain",
      {Json::object(
           {{"type", "macvlan"},
            {"master", "rail1"},
            {"ipam",
             Json::object({{"type", "host-local"},
                           {"dataDir", "/run/host-local"},
                           {"ranges", Json::array({Json::array(
                                          {Json::object({{"subnet", "172.16.11.0/24"},
                                                         {"rangeStart", "172.16.11.10"},
                                                         {"gateway", "172.16.11.254"}})})})},
                           {"routes", Json::array({Json::object({{"dst", "0.0.0.0/0"}})})}})}}),
       Json::object({{"type", "railcni"}, {"dataDir", cluster.dir}})});
  const Call add = cluster.runtime.add(list, cluster.rail(1));
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(add.json.at("ips").as_array()[0].at("address").as_string() == "172.16.11.10/24");
  CHECK_THAT(cluster.text("rule"), Catch::Contains("from 172.16.11.10 lookup 101"));
  CHECK_THAT(cluster.text("route show table 101"),
             Catch::Contains("default via 172.16.11.254 dev net1"));
  const std::string defaults = cluster.text("route show default");
  CHECK_THAT(defaults, Catch::Contains("dev eth0"));
  CHECK(defaults.find("net1") == std::string::npos);
  const Call check = cluster.runtime.check(list, cluster.rail(1));
  INFO(check.describe());
  CHECK(check.ok());
  const Call del = cluster.runtime.del(list, cluster.rail(1));
  INFO(del.describe());
  CHECK(del.ok());
  CHECK(snapshot(cluster.pod.path()) == before);
}
