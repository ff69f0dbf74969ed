// Pools of a tenant's own beside those that were applied, requests without measure, and what error
// messages tell.
#include <catch2/catch.hpp>

#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

constexpr const char* kOthersPool = R"(apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata:
  name: secret-pool
spec:
  subnet: 10.20.0.0/24
  excludeIPs: [10.20.0.200-10.20.0.220]
  namespaceName: [team-blue]
  multusName: [blue/net]
)";

Json inline_pool(const std::string& subnet, const std::string& ips = "") {
  Json pool = Json::object({{"name", "mine"}, {"subnet", subnet}});
  if (!ips.empty()) pool["ips"] = Json::array({ips});
  return pool;
}

struct World {
  Rail rail{"rail0"};
  Pod pod;
  std::string dir = make_folder("inline");
  Runtime runtime;
  Container container{
      .id = "c1", .netns = pod.path(), .args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=team-red"};

  Call add(const Json& list) { return runtime.add(list, container); }
  void expect_refused(const Json& list, const std::string& data_dir) {
    const Call call = add(list);
    INFO(call.describe());
    CHECK(call.code() == 7);
    CHECK_THAT(call.msg(), Catch::Contains("pool mine") && Catch::Contains("inlinePools"));
    for (const char* secret : {"secret-pool", "team-blue", "blue/net"}) {
      CHECK_THAT(call.msg(), !Catch::Contains(secret));
    }
    CHECK_THAT(call.process.err, Catch::Contains("secret-pool"));
    CHECK(link_of("net1", pod.path()).is_null());
    CHECK(leased(data_dir).empty());
  }
};

}  // namespace

TEST_CASE("an inline pool gives no address of an applied pool's subnet") {
  enter_sandbox();
  World world;
  apply_pools(world.dir, kOthersPool);
  // The whole, a part, around it, and just what the applied one excludes.
  for (const Json& pool :
       {inline_pool("10.20.0.0/24"), inline_pool("10.20.0.128/25"), inline_pool("10.0.0.0/8"),
        inline_pool("10.20.0.0/24", "10.20.0.200-10.20.0.220")}) {
    world.expect_refused(macvlan_list(world.dir, "rail0", pool), world.dir);
  }
  // As another plugin's IPAM, and STATUS.
  const Json outer = Json::object(
      {{"type", "bridge"},
       {"ipam", Json::object({{"type", "railcni"},
                              {"dataDir", world.dir},
                              {"pools", Json::array({inline_pool("10.20.0.0/24")})}})}});
  const Json config =
      Runtime::plugin_config(make_conflist("1.1.0", "net", {outer}), 0, world.container, nullptr);
  for (const char* verb : {"ADD", "STATUS"}) {
    const Call call = exec_plugin(railcni_binary(),
                                  world.runtime.environment(verb, world.container), config.dump());
    INFO(call.describe());
    CHECK(call.code() == 7);
    CHECK_THAT(call.msg(), !Catch::Contains("secret-pool"));
  }
  CHECK(
      world.runtime.status(macvlan_list(world.dir, "rail0", inline_pool("10.20.0.0/24"))).code() ==
      7);
  // Beside it.
  const Json beside = macvlan_list(world.dir, "rail0", inline_pool("10.21.0.0/24"));
  CHECK(world.add(beside).ok());
  CHECK(world.runtime.del(beside, world.container).ok());
  const NodePolicyFile policy("inlinePools: overlap\n", "policy.yaml");
  const Json over = macvlan_list(world.dir, "rail0", inline_pool("10.20.0.0/24"));
  CHECK(world.add(over).ok());
  CHECK(world.runtime.del(over, world.container).ok());
}

TEST_CASE("nor by a dataDir of its own: the node's pools count everywhere") {
  enter_sandbox();
  World world;
  const Outcome applied =
      run({.argv = {railcni_binary(), "apply", "-f", "-"}, .stdin_text = kOthersPool});
  REQUIRE(applied.ok());
  world.expect_refused(macvlan_list(world.dir, "rail0", inline_pool("10.20.0.0/24")), world.dir);
  REQUIRE(run({.argv = {railcni_binary(), "pool", "delete", "secret-pool"}}).ok());
}

TEST_CASE("an interface asks for one address of a family, by whatever key") {
  enter_sandbox();
  World world;
  Json list = macvlan_list(world.dir, "rail0", pool_v4());
  Json& plugin = list["plugins"].as_array()[0];
  plugin["ipam"]["pools"].push_back(pool_v6());
  Json ips = Json::array();
  for (int n = 10; n < 61; ++n) ips.push_back("10.9.0." + std::to_string(n));
  plugin["args"] = Json::object({{"cni", Json::object({{"ips", ips}})}});
  const Call all = world.add(list);
  INFO(all.describe());
  CHECK(all.code() == 7);
  CHECK_THAT(all.msg(),
             Catch::Contains("51 IPv4 addresses") && Catch::Contains("maxAddressesPerFamily"));
  CHECK(leased(world.dir).empty());
  // One by each key are several, too; the same one by all of them, and one of each family, are one.
  plugin["args"] = Json::parse(R"({"cni": {"ips": ["10.9.0.77"]}})");
  world.container.args += ";IP=10.9.0.78";
  CHECK(world.add(list).code() == 7);
  world.container.args += ";IP=10.9.0.77,fd09::77";
  CHECK(world.add(list).ok());
  CHECK(leased(world.dir) == std::vector<std::string>{"10.9.0.77/24", "fd09::77/64"});
  CHECK(world.runtime.del(list, world.container).ok());
  const NodePolicyFile policy(R"({"maxAddressesPerFamily": 2})");
  world.container.args += ";IP=10.9.0.78";
  CHECK(world.add(list).ok());
  CHECK(world.runtime.del(list, world.container).ok());
}

TEST_CASE("what another plugin is asked for is that plugin's to weigh") {
  enter_sandbox();
  World world;
  Json list = macvlan_list(world.dir, "rail0", pool_v4());
  list["cniVersion"] = "1.0.0";
  Json& plugin = list["plugins"].as_array()[0];
  plugin["ipam"] = Json::parse(R"({"type": "host-local", "dataDir": ")" + world.dir +
                               R"(/hl", "ranges": [[{"subnet": "10.1.0.0/24"}],
                                                   [{"subnet": "10.2.0.0/24"}]]})");
  plugin["args"] = Json::parse(R"({"cni": {"ips": ["10.1.0.9", "10.2.0.9"]}})");
  const Call add = world.add(list);
  INFO(add.describe());
  CHECK(add.ok());
  CHECK(addresses_of("net1", world.pod.path()) ==
        std::vector<std::string>{"10.1.0.9/24", "10.2.0.9/24"});
  CHECK(world.runtime.del(list, world.container).ok());
}

TEST_CASE("messages name nobody else's pool, namespace, network or container; the log does") {
  enter_sandbox();
  World world;
  apply_pools(world.dir, kOthersPool);
  const auto naming = [&](const Json& ippools) {
    Json list = macvlan_list(world.dir, "rail0", nullptr);
    list["plugins"].as_array()[0]["ipam"] =
        Json::object({{"type", "railcni"}, {"ippools", Json::object({{"ipv4", ippools}})}});
    return list;
  };
  for (const char* glob : {"*", "secret*", "nothing", "secret-poo", "*-pool"}) {
    INFO(glob);
    const Call call = world.add(naming(Json::array({glob})));
    INFO(call.describe());
    CHECK(call.code() == 7);
    for (const char* secret : {"secret-pool", "team-blue", "blue/net", "10.20."}) {
      CHECK_THAT(call.process.out, !Catch::Contains(secret));
    }
  }
  CHECK_THAT(world.add(naming(Json::array({"*"}))).process.err,
             Catch::Contains("secret-pool") && Catch::Contains("team-blue"));
  // Who has named it knows its name, and not whom it is for.
  const Call named = world.add(naming(Json::array({"secret-pool"})));
  CHECK_THAT(named.msg(), Catch::Contains("secret-pool") && !Catch::Contains("team-blue"));
  // An address that another Pod has.
  const Json own = macvlan_list(world.dir, "rail0", pool_v4());
  const Pod other;
  const Container blue{
      .id = "blue-container", .netns = other.path(), .args = "IgnoreUnknown=1;IP=10.9.0.66"};
  REQUIRE(world.runtime.add(own, blue).ok());
  world.container.args += ";IP=10.9.0.66";
  const Call taken = world.add(own);
  CHECK(taken.code() == 11);
  CHECK_THAT(taken.process.out, !Catch::Contains("blue-container"));
  CHECK_THAT(taken.process.err, Catch::Contains("blue-container"));
  CHECK(world.runtime.del(own, blue).ok());
}
