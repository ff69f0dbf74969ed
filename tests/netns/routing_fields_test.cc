// The fields of the coordinator block that routing_test.cc does not come by.
#include <catch2/catch.hpp>

#include "tests/netns/cluster.h"

using namespace railcni;
using namespace railcni::test;

TEST_CASE("policyRoutes go into the rail's table, in both spellings and families") {
  enter_sandbox();
  Rail rail("rail1");
  Cluster cluster;
  const Json list = cluster.rail_list(
      1,
      Json::object({{"policyRoutes",
                     Json::array({Json::object({{"to", "10.99.0.0/16"}, {"via", "172.16.11.253"}}),
                                  Json::object({{"dst", "fd99::/32"}, {"gw", "fd00:1::fe"}})})}}),
      true);
  const Call add = cluster.runtime.add(list, cluster.rail(1));
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK_THAT(cluster.text("route show table 101"),
             Catch::Contains("10.99.0.0/16 via 172.16.11.253 dev net1"));
  CHECK_THAT(cluster.text("-6 route show table 101"),
             Catch::Contains("fd99::/32 via fd00:1::fe dev net1"));
  CHECK(cluster.text("route show table main").find("10.99") == std::string::npos);
  CHECK(cluster.runtime.check(list, cluster.rail(1)).ok());
  CHECK(cluster.runtime.del(list, cluster.rail(1)).ok());
}

TEST_CASE("hijackCIDR, hostRuleTable and podDefaultCniNic are what the block says") {
  enter_sandbox();
  Rail rail("rail1");
  Cluster cluster;
  ip("link set eth0 down", cluster.pod.path());
  ip("link set eth0 name cluster0", cluster.pod.path());
  ip("link set cluster0 up", cluster.pod.path());
  ip("route add default via 10.233.64.1", cluster.pod.path());
  const Json before = snapshot(cluster.pod.path());
  Json block = Json::object({{"hijackCIDR", Json::array({"198.18.0.0/15"})},
                             {"hostRuleTable", 600},
                             {"podRPFilter", -1},
                             {"mode", "overlay"}});
  // Without the name of the interface, overlay says what it misses.
  const Call missing = cluster.runtime.add(cluster.rail_list(1, block), cluster.rail(1));
  CHECK(missing.code() == 7);
  CHECK_THAT(missing.msg(), Catch::Contains("eth0") && Catch::Contains("podDefaultCniNic"));
  CHECK(changes_since(before, cluster.pod.path()) == "");

  block["podDefaultCniNic"] = "cluster0";
  const Json list = cluster.rail_list(1, block);
  const Call add = cluster.runtime.add(list, cluster.rail(1));
  INFO(add.describe());
  REQUIRE(add.ok());
  const std::string table = cluster.text("route show table 101");
  CHECK_THAT(table, Catch::Contains("198.18.0.0/15 via 10.233.64.1 dev cluster0"));
  CHECK(table.find("169.254.0.0/16") == std::string::npos);
  const auto host = [](const char* command) {
    return run({.argv = {"/bin/sh", "-c", command}}).out;
  };
  const std::string prefix = add.json.at("ips").as_array().at(0).at("address").as_string();
  const std::string address = prefix.substr(0, prefix.find('/'));
  CHECK_THAT(host("ip rule"), Catch::Contains("from all to " + address + " lookup 600"));
  CHECK_THAT(host("ip route show table 600"), Catch::Contains(address + " dev cni0"));
  CHECK(cluster.runtime.del(list, cluster.rail(1)).ok());
  CHECK(host("ip rule").find("600") == std::string::npos);
  CHECK(changes_since(before, cluster.pod.path()) == "");
  ip("link set cluster0 down", cluster.pod.path());
  ip("link set cluster0 name eth0", cluster.pod.path());
}

TEST_CASE("underlay, dual stack, and a second rail that shares the Pod's veth0") {
  enter_sandbox();
  Rail one("rail1", {.addresses = {"172.16.11.1/24", "fd00:1::1/64"}});
  Rail two("rail2", {.addresses = {"172.16.12.1/24", "fd00:2::1/64"}});
  Pod pod;
  const std::string dir = make_folder("underlay2");
  Runtime runtime;
  const auto list = [&dir](int n, const char* mode) {
    const std::string id = std::to_string(n);
    Json plugin = macvlan_plugin(
        dir, "rail" + id,
        Json::object({{"name", "p" + id},
                      {"subnet", "172.16.1" + id + ".0/24"},
                      {"ips", Json::array({"172.16.1" + id + ".10-172.16.1" + id + ".20"})},
                      {"gateway", "172.16.1" + id + ".254"}}));
    plugin["ipam"]["pools"].push_back(
        Json::object({{"name", "six" + id},
                      {"subnet", "fd00:" + id + "::/64"},
                      {"ips", Json::array({"fd00:" + id + "::10-fd00:" + id + "::20"})},
                      {"gateway", "fd00:" + id + "::fe"}}));
    plugin["coordinator"] = Json::object({{"mode", mode}});
    return make_conflist("1.1.0", "underlay" + id, {with_applied_pools(dir, plugin)});
  };
  const Json host_before = snapshot();
  const Json pod_before = snapshot(pod.path());
  const Container first{.id = "c1", .netns = pod.path(), .ifname = "eth0"};
  const Container second{.id = "c1", .netns = pod.path(), .ifname = "net1"};
  const Call add = runtime.add(list(1, "auto"), first);
  INFO(add.describe());
  REQUIRE(add.ok());
  const Call more = runtime.add(list(2, "auto"), second);
  INFO(more.describe());
  REQUIRE(more.ok());
  CHECK_FALSE(link_of("veth0", pod.path()).is_null());
  for (const char* address : {"172.16.11.10", "172.16.12.10", "fd00:1::10", "fd00:2::10"}) {
    INFO(address);
    CHECK(reaches(address, ""));
  }
  for (const char* address : {"172.16.11.1", "172.16.12.1", "fd00:1::1", "fd00:2::1"}) {
    INFO(address);
    CHECK(reaches(address, pod.path()));
  }
  CHECK(runtime.check(list(1, "auto"), first).ok());
  CHECK(runtime.check(list(2, "auto"), second).ok());
  CHECK(runtime.del(list(2, "auto"), second).ok());
  CHECK(reaches("172.16.11.10", ""));
  CHECK(runtime.del(list(1, "auto"), first).ok());
  CHECK(changes_since(host_before) == "");
  CHECK(changes_since(pod_before, pod.path()) == "");
}

TEST_CASE("a malformed coordinator block is refused by key, and leaves nothing") {
  enter_sandbox();
  Rail rail("rail1");
  Cluster cluster;
  const Json before = snapshot(cluster.pod.path());
  for (const char* block :
       {R"({"mode":"overlai"})", R"({"tunePodRoutes":"yes"})",
        R"({"table":7,"tunePodRoutes":false})", R"({"rulePriority":7,"tunePodRoutes":false})",
        R"({"hijackCIDR":["10.0.0.1.2/8"]})", R"({"serviceCIDR":"10.0.0.0/8"})",
        R"({"policyRoutes":[{"to":"10.0.0.0/8"}]})", R"({"podRPFilter":3})", R"({"txQueueLen":-1})",
        R"({"podMACPrefix":"0a"})", R"({"podMACPrefix":"01:00"})", R"({"vethLinkAddress":"x"})",
        R"({"hostRuleTable":254})", R"({"table":255})", R"({"rulePriority":40000})",
        R"({"detectGatway":true})"}) {
    INFO(block);
    const Call add = cluster.runtime.add(cluster.rail_list(1, Json::parse(block)), cluster.rail(1));
    CHECK(add.code() == 7);
    const std::string key = Json::parse(block).as_object().front().first;
    CHECK_THAT(add.msg(), Catch::Contains("coordinator." + key));
  }
  CHECK(changes_since(before, cluster.pod.path()) == "");
}
