// A Pod that gets what is meant for the host, for its gateway or for the cluster's services.
#include <catch2/catch.hpp>

#include "tests/netns/plugin_names.h"
#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

// The Pod's only interface, in underlay: the host routes to its address through veth0.
struct World {
  Rail rail{"rail0", {.addresses = {"172.16.11.1/24", "fd00:11::1/64"}}};
  Pod pod;
  std::string dir = make_folder("host-route");
  std::string path = path_with_names({"railcni"});
  Runtime runtime{path};
  Container container{.id = "c1", .netns = pod.path(), .ifname = "eth0"};
  Json host_before = snapshot();
  Json pod_before = snapshot(pod.path());

  Json underlay(Json plugin, const Json& more = Json::object()) const {
    plugin["coordinator"] = Json::object({{"mode", "underlay"}});
    for (const auto& [key, value] : more.as_object()) plugin["coordinator"][key] = value;
    return make_conflist("1.0.0", "net", {plugin});
  }
  // One address, from an inline pool.
  Json plugin(const std::string& subnet, const std::string& address) const {
    return macvlan_plugin(
        dir, "rail0",
        Json::object({{"name", "p"}, {"subnet", subnet}, {"ips", Json::array({address})}}));
  }
  void expect_refused(const Json& list, const std::string& why) {
    const Call add = runtime.add(list, container);
    INFO(add.describe());
    CHECK(add.code() == 7);
    CHECK_THAT(add.msg(), Catch::Contains(why));
    CHECK(changes_since(host_before) == "");
    CHECK(changes_since(pod_before, pod.path()) == "");
    CHECK(leased(dir).empty());
  }
  void expect_allowed(const Json& list) {
    const Call add = runtime.add(list, container);
    INFO(add.describe());
    CHECK(add.ok());
    CHECK(runtime.del(list, container).ok());
    CHECK(changes_since(host_before) == "");
  }
};

const char* const kNoPool = "no applied pool that is for this attachment has the address";

}  // namespace

TEST_CASE("the host routes to no address that no applied pool has") {
  enter_sandbox();
  World world;
  const Json own = world.plugin("172.16.11.0/24", "172.16.11.10");
  world.expect_refused(world.underlay(own), kNoPool);
  world.expect_refused(world.underlay(world.plugin("fd00:11::/64", "fd00:11::10")), kNoPool);
  SECTION("a pool that is for others counts as none") {
    apply_pools(world.dir, R"({"apiVersion": "spiderpool.spidernet.io/v2beta1",
        "kind": "SpiderIPPool", "metadata": {"name": "blue"}, "spec": {"subnet": "172.16.11.0/24",
        "namespaceName": ["team-blue"]}})");
    const NodePolicyFile policy(R"({"inlinePools": "overlap"})");
    world.expect_refused(world.underlay(own), kNoPool);
  }
  SECTION("applied") { world.expect_allowed(world.underlay(with_applied_pools(world.dir, own))); }
  SECTION("the policy allows any") {
    const NodePolicyFile policy("hostRoutes: any\n", "policy.yaml");
    world.expect_allowed(world.underlay(own));
  }
  SECTION("the policy allows none, and one without goes on") {
    const NodePolicyFile policy("hostRoutes: none\n", "policy.yaml");
    const Json applied = with_applied_pools(world.dir, own);
    world.expect_refused(world.underlay(applied), "hostRoutes");
    world.expect_allowed(world.underlay(applied, Json::object({{"mode", "disable"}})));
  }
}

TEST_CASE("nor by an address that another IPAM gives") {
  enter_sandbox();
  World world;
  for (const std::string address :
       {"172.16.11.10/24", "169.254.169.254/32", "10.96.0.1/32", "172.16.11.1/24"}) {
    INFO(address);
    put_script(world.path, "any",
               R"([ $CNI_COMMAND != ADD ] || echo '{"cniVersion":"1.0.0","ips":
        [{"address":")" +
                   address + R"("}]}'
        echo $CNI_COMMAND >>)" +
                   world.dir + "/calls\n");
    Json plugin = world.plugin("10.0.0.0/8", "10.0.0.1");
    plugin["ipam"] = Json::object({{"type", "any"}});
    world.expect_refused(world.underlay(plugin), "the host would send what is for");
    // The way back is the usual one: the other plugin gets its DEL.
    CHECK_THAT(text_of_file(world.dir + "/calls"), Catch::EndsWith("ADD\nDEL\n"));
  }
}

TEST_CASE("an address that another Pod has is not routed to a second one") {
  enter_sandbox();
  World world;
  const Json applied =
      with_applied_pools(world.dir, world.plugin("172.16.11.0/24", "172.16.11.10"));
  const Pod other;
  const Container victim{.id = "victim", .netns = other.path(), .ifname = "net1"};
  Json list = make_conflist("1.0.0", "net", {applied});
  REQUIRE(world.runtime.add(list, victim).ok());
  put_script(world.path, "any", R"([ $CNI_COMMAND != ADD ] || echo '{"cniVersion":"1.0.0","ips":
        [{"address":"172.16.11.10/24"}]}'
)");
  Json plugin = applied;
  plugin["ipam"] = Json::object({{"type", "any"}});
  const Json host_before = snapshot();
  const Call add = world.runtime.add(world.underlay(plugin), world.container);
  INFO(add.describe());
  CHECK(add.code() == 11);
  CHECK_THAT(add.process.out, !Catch::Contains("victim"));
  CHECK(changes_since(host_before) == "");
  CHECK(world.runtime.del(list, victim).ok());
}

TEST_CASE("whatever pool it is of: never the host's own, its gateways', special or the cluster's") {
  enter_sandbox();
  World world;
  ip("route add default via 172.16.11.254");
  ip("route add 10.77.0.0/16 nexthop via 172.16.11.252 nexthop via 172.16.11.253");
  ip("-6 route add default via fd00:11::fe");
  world.host_before = snapshot();
  const NodePolicyFile policy(
      R"({"clusterCIDRs": ["10.96.0.0/12", "fd00:96::/112"], "hostRoutes": "any"})");
  struct Case {
    const char* subnet;
    const char* address;
    const char* why;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"172.16.11.0/24", "172.16.11.1", "the host's own address"},
           {"fd00:11::/64", "fd00:11::1", "the host's own address"},
           {"172.16.11.0/24", "172.16.11.254", "a gateway of the host"},
           {"172.16.11.0/24", "172.16.11.253", "a gateway of the host"},
           {"fd00:11::/64", "fd00:11::fe", "a gateway of the host"},
           {"169.254.169.0/24", "169.254.169.254", "a link-local address"},
           {"240.0.0.0/8", "240.0.0.1", "a reserved address"},
           {"10.96.0.0/24", "10.96.0.1", "service or Pod network 10.96.0.0/12"},
           {"fd00:96::/112", "fd00:96::a", "service or Pod network fd00:96::/112"}}) {
    INFO(c.address);
    const Json plugin = world.plugin(c.subnet, c.address);
    world.expect_refused(world.underlay(plugin), c.why);
    world.expect_refused(world.underlay(with_applied_pools(world.dir, plugin)), c.why);
    REQUIRE(run({.argv = {railcni_binary(), "pool", "delete", "p", "--data-dir", world.dir}}).ok());
  }
  // The coordinator's own word for the cluster's networks counts as well.
  world.expect_refused(
      world.underlay(world.plugin("10.128.0.0/24", "10.128.0.9"),
                     Json::object({{"serviceCIDR", Json::array({"10.128.0.0/16"})}})),
      "service or Pod network 10.128.0.0/16");
  world.expect_allowed(world.underlay(world.plugin("172.16.11.0/24", "172.16.11.10")));
}
