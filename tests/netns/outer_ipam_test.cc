// railcni as the IPAM of Debian's plugins.
#include <catch2/catch.hpp>

#include "tests/netns/plugin_names.h"
#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

struct World {
  Rail rail{"rail0", {.addresses = {"10.9.0.250/24"}}};
  Pod pod;
  std::string dir = make_folder("outer");
  Runtime runtime;
  Container container{.id = "c1", .netns = pod.path(), .ifname = "eth0"};

  Json list(const std::string& plugin, const Json& ipam_keys, const Json& plugin_keys) const {
    Json ipam = Json::object({{"type", "railcni"}, {"dataDir", dir}});
    for (const auto& [key, value] : ipam_keys.as_object()) ipam[key] = value;
    Json config = Json::object({{"type", plugin}, {"ipam", ipam}});
    for (const auto& [key, value] : plugin_keys.as_object()) config[key] = value;
    return make_conflist("1.0.0", "outer", {config});
  }
  Json pools(Json::Array list) const {
    return Json::object({{"pools", Json::array(std::move(list))}});
  }
  Json macvlan(const Json& ipam_keys) const {
    return list("macvlan", ipam_keys, Json::object({{"master", "rail0"}}));
  }
  // railcni called as an outer plugin would call it.
  Call direct(const std::string& verb, Json config) const {
    if (verb == "GC" || verb == "STATUS") config["cniVersion"] = "1.1.0";
    return exec_plugin(runtime.find_plugin("railcni"), runtime.environment(verb, container),
                       config.dump());
  }
  Json config_of(const Json& list) const {
    return Runtime::plugin_config(list, 0, container, nullptr);
  }
};

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("macvlan, bridge and ptp take their addresses from railcni: ADD, CHECK, DEL") {
  enter_sandbox();
  World world;
  const Json pod_before = snapshot(world.pod.path());
  const Json both = world.pools({pool_v4(), pool_v6()});
  Json list;
  SECTION("macvlan") { list = world.macvlan(both); }
  SECTION("bridge") {
    list = world.list("bridge", both, Json::object({{"bridge", "br7"}, {"isGateway", true}}));
  }
  SECTION("ptp") { list = world.list("ptp", both, Json::object()); }
  const Call add = world.runtime.add(list, world.container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(addresses_of("eth0", world.pod.path()).size() == 2);
  CHECK(leased(world.dir) == Strings{"10.9.0.2/24", "fd09::2/64"});
  const Json route = ip_json("route show default", world.pod.path());
  REQUIRE(route.as_array().size() == 1);
  CHECK(route.as_array()[0].at("gateway").as_string() == "10.9.0.1");
  const Call check = world.runtime.check(list, world.container);
  INFO(check.describe());
  CHECK(check.ok());
  const Call del = world.runtime.del(list, world.container);
  INFO(del.describe());
  CHECK(del.ok());
  CHECK(leased(world.dir).empty());
  CHECK(changes_since(pod_before, world.pod.path()).empty());
  CHECK_NOTHROW(cli(world.dir, {"gc"}));
  if (ip_succeeds("link show br7")) ip("link del br7");
}

TEST_CASE("as an IPAM railcni gives addresses without an interface, and touches none") {
  enter_sandbox();
  World world;
  const Json host_before = snapshot();
  const Json pod_before = snapshot(world.pod.path());
  Json pool = pool_v4();
  pool["routes"] = Json::parse(R"([{"to": "10.0.0.0/8", "via": "10.9.0.7"}])");
  const Json config = world.config_of(world.macvlan(world.pools({pool})));
  const Call add = world.direct("ADD", config);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(add.json == Json::parse(R"({
    "cniVersion": "1.0.0",
    "ips": [{"address": "10.9.0.2/24", "gateway": "10.9.0.1"}],
    "routes": [{"dst": "0.0.0.0/0", "gw": "10.9.0.1"}, {"dst": "10.0.0.0/8", "gw": "10.9.0.7"}],
    "dns": {}})"));
  CHECK(snapshot() == host_before);
  CHECK(snapshot(world.pod.path()) == pod_before);
  // Again: the same addresses, not two more.
  const Call again = world.direct("ADD", config);
  CHECK(again.json == add.json);
  CHECK(leased(world.dir) == Strings{"10.9.0.2/24"});
  CHECK(world.direct("CHECK", config).ok());
  CHECK(world.direct("DEL", config).ok());
  CHECK(world.direct("DEL", config).ok());
  CHECK(leased(world.dir).empty());
  const Call check = world.direct("CHECK", config);
  CHECK_FALSE(check.ok());
  CHECK_THAT(check.msg(), Catch::Contains("outer/c1/eth0:ipam"));
}

TEST_CASE("an IPAM's ADD in another namespace takes the place of the one before") {
  enter_sandbox();
  World world;
  const Json config = world.config_of(world.macvlan(world.pools({pool_v4()})));
  REQUIRE(world.direct("ADD", config).ok());
  Pod other("other");
  world.container.netns = other.path();
  const Call check = world.direct("CHECK", config);
  CHECK(check.code() == 101);
  REQUIRE(world.direct("ADD", config).ok());
  CHECK(leased(world.dir) == Strings{"10.9.0.3/24"});
  CHECK(world.direct("CHECK", config).ok());
}

TEST_CASE("an IPAM's pools are chosen as elsewhere: applied ones, globs, requested addresses") {
  enter_sandbox();
  World world;
  apply_pools(world.dir, kSeedPool);
  Json config = world.config_of(world.macvlan(Json::parse(R"({"ippools": {"ipv4": ["gpu1-*"]}})")));
  config["args"] = Json::parse(R"({"cni": {"ips": ["172.16.11.77"]}})");
  const Call add = world.direct("ADD", config);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(leased(world.dir) == Strings{"172.16.11.77/16"});
  world.container.id = "c2";
  const Call taken = world.direct("ADD", config);
  CHECK(taken.code() == 11);
  CHECK_THAT(taken.msg(), Catch::Contains("172.16.11.77"));
  config["ipam"]["ippools"] = Json::parse(R"({"ipv4": ["no-such"]})");
  CHECK_THAT(world.direct("ADD", config).msg(), Catch::Contains("no-such"));
  config["ipam"].erase("ippools");
  CHECK_THAT(world.direct("ADD", config).msg(), Catch::Contains("pool"));
  config["ipam"]["ipools"] = Json::object();
  CHECK_THAT(world.direct("ADD", config).msg(), Catch::Contains("ipam.ipools"));
}

TEST_CASE("an IPAM's matchMasterSubnet goes by the outer plugin's master") {
  enter_sandbox();
  World world;
  Json other = pool_v4();
  other["name"] = "other";
  other["subnet"] = "10.8.0.0/24";
  other["gateway"] = "10.8.0.1";
  Json keys = world.pools({other, pool_v4()});
  keys["matchMasterSubnet"] = true;
  const Call add = world.runtime.add(world.macvlan(keys), world.container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(leased(world.dir) == Strings{"10.9.0.2/24"});
  CHECK(world.runtime.del(world.macvlan(keys), world.container).ok());

  const auto refused = [&](const Json& list, const char* part) {
    const Call call = world.direct("ADD", world.config_of(list));
    CHECK(call.code() == 7);
    CHECK_THAT(call.msg(), Catch::Contains(part));
  };
  Json only_other = world.pools({other});
  only_other["matchMasterSubnet"] = true;
  refused(world.macvlan(only_other), "10.9.0.250/24");
  refused(world.list("ptp", keys, Json::object()), "neither \"master\" nor \"deviceID\"");
  refused(world.list("macvlan", keys, Json::object({{"master", "nosuch0"}})), "nosuch0");
  refused(world.list("sriov", keys, Json::object({{"deviceID", "0000:ff:1f.7"}})), "0000:ff:1f.7");
  CHECK(leased(world.dir).empty());
}

TEST_CASE("an IPAM's STATUS and GC") {
  enter_sandbox();
  World world;
  Json config = world.config_of(world.macvlan(world.pools({pool_v4()})));
  CHECK(world.direct("STATUS", config).ok());
  Json wrong = config;
  wrong["ipam"]["pools"].as_array()[0]["subnet"] = "10.9.0.0/33";
  CHECK(world.direct("STATUS", wrong).code() == 7);
  for (const char* id : {"c1", "c2", "c3"}) {
    world.container.id = id;
    REQUIRE(world.direct("ADD", config).ok());
  }
  // Nothing is said of what is valid: nothing is freed.
  CHECK(world.direct("GC", config).ok());
  CHECK(leased(world.dir).size() == 3);
  config["cni.dev/valid-attachments"] = Json::parse(R"([{"containerID": "c2", "ifname": "eth0"}])");
  const Call gc = world.direct("GC", config);
  INFO(gc.describe());
  CHECK(gc.ok());
  CHECK(leased(world.dir) == Strings{"10.9.0.3/24"});
}

TEST_CASE("an IPAM takes a full pool's addresses back from Pods that are gone") {
  enter_sandbox();
  World world;
  Json pool = Json::parse(R"({"name": "tiny", "subnet": "10.9.0.0/24", "ips": ["10.9.0.9"]})");
  const Json config = world.config_of(world.macvlan(world.pools({pool})));
  {
    Pod gone("gone");
    world.container = {.id = "old", .netns = gone.path(), .ifname = "eth0"};
    REQUIRE(world.direct("ADD", config).ok());
    world.container = {.id = "new", .netns = world.pod.path(), .ifname = "eth0"};
    CHECK(world.direct("ADD", config).code() == 11);
  }
  CHECK(world.direct("ADD", config).ok());
  // A caller without a namespace holds on to its address until its DEL.
  REQUIRE(world.direct("DEL", config).ok());
  world.container = {.id = "none", .netns = "/dev/null", .ifname = "eth0"};
  REQUIRE(world.direct("ADD", config).ok());
  cli(world.dir, {"gc"});
  world.container = {.id = "new", .netns = world.pod.path(), .ifname = "eth0"};
  CHECK(world.direct("ADD", config).code() == 11);
}

TEST_CASE("a chain: bridge with railcni's addresses, railcni's routing, tuning") {
  enter_sandbox();
  World world;
  const Json pod_before = snapshot(world.pod.path());
  const Json ipam = world.pools({pool_v4()});
  Json list = world.list("bridge", ipam, Json::object({{"bridge", "br8"}, {"isGateway", true}}));
  Json::Array plugins = list.at("plugins").as_array();
  plugins.push_back(Json::object({{"type", "railcni"},
                                  {"dataDir", world.dir},
                                  {"coordinator", Json::object({{"mode", "overlay"}})}}));
  plugins.push_back(Json::object({{"type", "tuning"}, {"mtu", 1400}}));
  list["plugins"] = Json::array(plugins);
  const Call add = world.runtime.add(list, world.container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(leased(world.dir) == Strings{"10.9.0.2/24"});
  const Call check = world.runtime.check(list, world.container);
  INFO(check.describe());
  CHECK(check.ok());
  // GC that knows the Pod leaves it alone, in both of railcni's roles.
  Json gc =
      Json::parse(R"({"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}]})");
  Json config = world.config_of(list);
  config["cni.dev/valid-attachments"] = gc.at("cni.dev/valid-attachments");
  CHECK(world.direct("GC", config).ok());
  CHECK(world.runtime.check(list, world.container).ok());
  const Call del = world.runtime.del(list, world.container);
  INFO(del.describe());
  CHECK(del.ok());
  CHECK(leased(world.dir).empty());
  CHECK(changes_since(pod_before, world.pod.path()).empty());
  ip("link del br8");
}
