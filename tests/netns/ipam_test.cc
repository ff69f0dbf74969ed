// The IPAM through the whole program: pools of documents, selection, reclaim.
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

struct World {
  Rail rail{"rail0", {.addresses = {"172.16.1.34/27"}}};
  Pod pod;
  std::string dir = make_folder("ipam");
  Runtime runtime;
  Container container{.id = "c1", .netns = pod.path()};

  Json list(const Json& plugin_keys, const Json& block_keys = Json::object()) const {
    Json plugin = Json::object({{"type", "railcni"},
                                {"cniType", "macvlan"},
                                {"dataDir", dir},
                                {"macvlan", Json::object({{"master", Json::array({"rail0"})}})}});
    for (const auto& [key, value] : plugin_keys.as_object()) plugin[key] = value;
    for (const auto& [key, value] : block_keys.as_object()) plugin["macvlan"][key] = value;
    return make_conflist("1.1.0", "rails", {plugin});
  }
};

Json ipv4(const std::string& name) { return Json::object({{"ipv4", Json::array({name})}}); }

// The per-node /27 pools of the AI-cluster documents, ranges past the subnet included.
const char* const kNodePools = R"(
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {name: eno3np1-rail1-node1}
spec:
  ipVersion: ipv4
  subnet: 172.16.1.0/27
  gateway: 172.16.1.1
  ips: [172.16.1.2-172.16.1.32]
  routes:
    - {to: 172.16.0.0/16, via: 172.16.1.1}
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {name: eno3np1-rail1-node2}
spec:
  ipVersion: ipv4
  subnet: 172.16.1.32/27
  gateway: 172.16.1.33
  ips: [172.16.1.34-172.16.1.64]
  excludeIPs: [172.16.1.34]
  routes:
    - {to: 172.16.0.0/16, via: 172.16.1.33}
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {name: eno3np8-rail8-node1}
spec:
  ipVersion: ipv4
  subnet: 172.16.1.224/27
  gateway: 172.16.1.225
  ips: [172.16.1.226-172.16.1.256]
)";

}  // namespace

TEST_CASE("matchMasterSubnet picks the pool of the master's subnet, wherever the keys stand") {
  enter_sandbox();
  World world;
  apply_pools(world.dir, kNodePools);
  Json inside = ipv4("eno3np1-rail1*");
  Json list;
  SECTION("both in the type's block") {
    list = world.list(Json::object(),
                      Json::object({{"ippools", inside}, {"matchMasterSubnet", true}}));
  }
  SECTION("both at the top") {
    list = world.list(Json::object({{"ippools", inside}, {"matchMasterSubnet", true}}));
  }
  SECTION("the flag inside ippools") {
    inside["matchMasterSubnet"] = true;
    list = world.list(Json::object(), Json::object({{"ippools", inside}}));
  }
  SECTION("ippools in the block, the flag at the top") {
    list = world.list(Json::object({{"matchMasterSubnet", true}}),
                      Json::object({{"ippools", inside}}));
  }
  const Call add = world.runtime.add(list, world.container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(leased(world.dir) == std::vector<std::string>{"172.16.1.35/27"});
  const Json routes = ip_json("route show 172.16.0.0/16", world.pod.path());
  REQUIRE(routes.as_array().size() == 1);
  CHECK(routes.as_array()[0].at("gateway").as_string() == "172.16.1.33");
  CHECK(world.runtime.del(list, world.container).ok());
}

TEST_CASE("matchMasterSubnet without a match names pools, master and its addresses") {
  enter_sandbox();
  World world;
  apply_pools(world.dir, kNodePools);
  const Json list = world.list(
      Json::object(), Json::object({{"ippools", ipv4("eno3np8-*")}, {"matchMasterSubnet", true}}));
  const Call add = world.runtime.add(list, world.container);
  CHECK(add.code() == 7);
  for (const char* part : {"eno3np8-rail8-node1", "172.16.1.224/27", "rail0", "172.16.1.34/27"}) {
    CHECK_THAT(add.msg(), Catch::Contains(part));
  }
  CHECK(link_of("net1", world.pod.path()).is_null());
}

TEST_CASE("requested addresses come from all three places") {
  enter_sandbox();
  World world;
  Json keys =
      Json::object({{"ipam", Json::object({{"pools", Json::array({pool_v4(), pool_v6()})}})}});
  std::vector<std::string> expected = {"10.9.0.77/24", "fd09::2/64"};
  SECTION("CNI_ARGS") { world.container.args = "IgnoreUnknown=true;IP=10.9.0.77"; }
  SECTION("CNI_ARGS, both families, and K8s keys twice") {
    world.container.args = "IgnoreUnknown=true;K8S_POD_NAME=a;K8S_POD_NAME=b;IP=10.9.0.77,fd09::77";
    expected[1] = "fd09::77/64";
  }
  SECTION("args.cni.ips") {
    keys["args"] = Json::object({{"cni", Json::object({{"ips", Json::array({"10.9.0.77/24"})}})}});
  }
  SECTION("runtimeConfig.ips") {
    keys["capabilities"] = Json::object({{"ips", true}});
    world.container.capabilities = Json::object({{"ips", Json::array({"10.9.0.77/24"})}});
  }
  const Json list = world.list(keys);
  const Call add = world.runtime.add(list, world.container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(addresses_of("net1", world.pod.path()) == expected);
  // Taken: a second Pod that asks for it is told so, and the log who has it.
  Pod second("second");
  Container other = world.container;
  other.id = "c2";
  other.netns = second.path();
  const Call taken = world.runtime.add(list, other);
  CHECK(taken.code() == 11);
  CHECK_THAT(taken.msg(), Catch::Contains("10.9.0.77") && !Catch::Contains("c1"));
  CHECK_THAT(taken.process.err, Catch::Contains("rails/c1/net1"));
  CHECK(world.runtime.del(list, world.container).ok());
}

TEST_CASE("several NICs of one Pod on one pool have their own leases") {
  enter_sandbox();
  World world;
  apply_pools(world.dir, kSeedPool);
  const Json list = world.list(Json::object(), Json::object({{"ippools", ipv4("gpu1-net11")}}));
  Container first = world.container;
  Container second = world.container;
  second.ifname = "net2";
  REQUIRE(world.runtime.add(list, first).ok());
  REQUIRE(world.runtime.add(list, second).ok());
  CHECK(leased(world.dir) == std::vector<std::string>{"172.16.11.1/16", "172.16.11.2/16"});
  REQUIRE(world.runtime.del(list, first).ok());
  CHECK(leased(world.dir) == std::vector<std::string>{"172.16.11.2/16"});
  CHECK(addresses_of("net2", world.pod.path()) == std::vector<std::string>{"172.16.11.2/16"});
  REQUIRE(world.runtime.del(list, second).ok());
}

TEST_CASE("a full pool is reclaimed from Pods that are gone, and from no other") {
  enter_sandbox();
  World world;
  const Json tiny = Json::object({{"name", "tiny"},
                                  {"subnet", "10.9.0.0/29"},
                                  {"ips", Json::array({"10.9.0.2-10.9.0.3"})},
                                  {"gateway", "10.9.0.1"}});
  const Json list =
      world.list(Json::object({{"ipam", Json::object({{"pools", Json::array({tiny})}})}}));
  Pod dead("dead");
  const Container gone{.id = "gone", .netns = dead.path()};
  REQUIRE(world.runtime.add(list, world.container).ok());
  REQUIRE(world.runtime.add(list, gone).ok());
  Pod third("third");
  const Container next{.id = "next", .netns = third.path()};
  const Call full = world.runtime.add(list, next);
  CHECK(full.code() == 11);
  CHECK_THAT(full.msg(), Catch::Contains("tiny") && Catch::Contains("2 of 2"));
  dead.destroy();  // no DEL: Multus lost its cache
  const Call add = world.runtime.add(list, next);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(addresses_of("net1", third.path()) == std::vector<std::string>{"10.9.0.3/29"});
  CHECK(addresses_of("net1", world.pod.path()) == std::vector<std::string>{"10.9.0.2/29"});
  // The dead Pod's DEL comes after all: it must not take the address from its new owner.
  CHECK(world.runtime.del(list, gone).ok());
  CHECK(leased(world.dir) == std::vector<std::string>{"10.9.0.2/29", "10.9.0.3/29"});
}

TEST_CASE("railcni gc undoes Pods that are gone, says so before with --dry-run") {
  enter_sandbox();
  World world;
  const Json list =
      world.list(Json::object({{"ipam", Json::object({{"pools", Json::array({pool_v4()})}})}}));
  Pod dead("dead");
  REQUIRE(world.runtime.add(list, world.container).ok());
  REQUIRE(world.runtime.add(list, {.id = "gone", .netns = dead.path()}).ok());
  dead.destroy();
  CHECK_THAT(cli(world.dir, {"gc", "--dry-run"}), Catch::Contains("gone"));
  CHECK(leased(world.dir).size() == 2);
  CHECK_THAT(cli(world.dir, {"gc"}), Catch::Contains("gone"));
  CHECK(leased(world.dir) == std::vector<std::string>{"10.9.0.2/24"});
}

TEST_CASE("a namespace whose path was taken over by another Pod is gone; one that moved is not") {
  enter_sandbox();
  World world;
  const Json list =
      world.list(Json::object({{"ipam", Json::object({{"pools", Json::array({pool_v4()})}})}}));
  REQUIRE(world.runtime.add(list, world.container).ok());
  // Mounted elsewhere as well, and no longer where the record says.
  const std::string elsewhere = world.pod.path() + "-moved";
  REQUIRE(run({.argv = {"/bin/sh", "-c",
                        "touch " + elsewhere + " && mount --bind " + world.pod.path() + " " +
                            elsewhere + " && umount " + world.pod.path()}})
              .ok());
  CHECK(cli_json(world.dir, {"gc"}).dump().find("c1") == std::string::npos);
  CHECK(leased(world.dir).size() == 1);
  // DEL finds it there, too.
  CHECK(world.runtime.del(list, world.container).ok());
  CHECK(leased(world.dir).empty());
  CHECK(link_of("net1", elsewhere).is_null());
  run({.argv = {"/bin/sh", "-c", "umount " + elsewhere + " && rm " + elsewhere}});
}

TEST_CASE("no pool, no address: a link alone, when the configuration asks for none") {
  enter_sandbox();
  World world;
  Json keys = Json::object();
  SECTION("nothing said, and no default pool") {}
  SECTION("ipam is empty") { keys["ipam"] = Json::object(); }
  SECTION("disableIPAM") { keys["disableIPAM"] = true; }
  const Json list = world.list(keys);
  const Call add = world.runtime.add(list, world.container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(addresses_of("net1", world.pod.path()).empty());
  CHECK(world.runtime.check(list, world.container).ok());
  CHECK(world.runtime.del(list, world.container).ok());
}

TEST_CASE("the DEL of a dead Pod leaves the Pod alone that got its namespace's inode") {
  enter_sandbox();
  World world;
  const Json list =
      world.list(Json::object({{"ipam", Json::object({{"pools", Json::array({pool_v4()})}})}}));
  // The kernel gives the inode of a dead namespace to the next one; a few tries make it sure.
  for (int round = 0; round < 5; ++round) {
    Pod dead("dead");
    const Container gone{.id = "gone" + std::to_string(round), .netns = dead.path()};
    REQUIRE(world.runtime.add(list, gone).ok());
    dead.destroy();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    Pod heir("heir");
    Container alive{.id = "alive", .netns = heir.path()};
    REQUIRE(world.runtime.add(list, alive).ok());
    Container without_netns = gone;
    without_netns.netns = "";
    CHECK(world.runtime.del(list, without_netns).ok());
    CHECK_FALSE(link_of("net1", heir.path()).is_null());
    CHECK(leased(world.dir).size() == 1);
    CHECK(world.runtime.del(list, alive).ok());
  }
}

TEST_CASE("a DEL works although its logging keys have become wrong") {
  enter_sandbox();
  World world;
  Json list =
      world.list(Json::object({{"ipam", Json::object({{"pools", Json::array({pool_v4()})}})}}));
  REQUIRE(world.runtime.add(list, world.container).ok());
  Json& plugin = list["plugins"].as_array()[0];
  SECTION("no such level") { plugin["logLevel"] = "verbose"; }
  SECTION("not even a string") { plugin["logLevel"] = 3; }
  CHECK_FALSE(world.runtime.check(list, world.container).ok());
  CHECK(world.runtime.del(list, world.container).ok());
  CHECK(leased(world.dir).empty());
}

TEST_CASE("a FIFO in place of a namespace or a log keeps nobody waiting") {
  enter_sandbox();
  World world;
  Json list =
      world.list(Json::object({{"ipam", Json::object({{"pools", Json::array({pool_v4()})}})}}));
  const std::string fifo = world.dir + "-fifo";
  REQUIRE(run({.argv = {"/usr/bin/mkfifo", fifo}}).ok());
  Container container = world.container;
  container.netns = fifo;
  CHECK(world.runtime.add(list, container).code() == 4);
  REQUIRE(world.runtime.add(list, world.container).ok());
  container.id = world.container.id;
  const std::string log = "/var/log/fifo";
  REQUIRE(run({.argv = {"/usr/bin/mkfifo", log}}).ok());
  list["plugins"].as_array()[0]["logFile"] = log;
  CHECK(world.runtime.del(list, container).ok());
  CHECK(leased(world.dir).empty());
  CHECK(world.runtime.add(list, world.container).ok());
  CHECK(world.runtime.del(list, world.container).ok());
  unlink(log.c_str());
}

TEST_CASE("an ADD whose result nobody can read is undone") {
  enter_sandbox();
  World world;
  const Json list =
      world.list(Json::object({{"ipam", Json::object({{"pools", Json::array({pool_v4()})}})}}));
  const Outcome outcome =
      run({.argv = {railcni_binary()},
           .env = world.runtime.environment("ADD", world.container),
           .stdin_text = Runtime::plugin_config(list, 0, world.container, nullptr).dump(),
           .stdout_path = GENERATE("/dev/full", "-")});
  CHECK(outcome.exit_code == 1);
  CHECK(link_of("net1", world.pod.path()).is_null());
  CHECK(leased(world.dir).empty());
}
