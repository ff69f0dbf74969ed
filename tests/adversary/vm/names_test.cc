// Interfaces of the host that are called like a Pod's: up to Linux 6.13 the kernel looked for the
// name of a new link in the host as well as in the Pod.
#include <catch2/catch.hpp>

#include "tests/netns/world.h"
#include "tests/vm/machine.h"
#include "tests/vm/sriov_world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

Json child_list(const std::string& dir, const std::string& type) {
  const Json pool = Json::object({{"name", "pool"}, {"subnet", "10.7.0.0/24"}});
  return make_conflist("1.1.0", "names",
                       {Json::object({{"type", "railcni"},
                                      {"cniType", type},
                                      {"dataDir", dir},
                                      {type, Json::object({{"master", "rail1"}})},
                                      {"ipam", Json::object({{"pools", Json::array({pool})}})}})});
}

void require(const Call& call) {
  INFO(call.describe());
  REQUIRE(call.ok());
}

}  // namespace

TEST_CASE("an interface of the host called like the Pod's is in no link's way", "[ethernet]") {
  Machine machine;
  const std::string type = GENERATE("macvlan", "ipvlan");
  const bool as_alternative = GENERATE(false, true);
  INFO(type << (as_alternative ? ", an alternative name" : ", a name"));
  ip(std::string("link add ") + (as_alternative ? "other9" : "net1") + " type dummy");
  if (as_alternative) ip("link property add dev other9 altname net1");
  const Json before = machine_snapshot();
  const std::string dir = make_folder("names");
  const Json list = child_list(dir, type);
  Runtime runtime;
  std::vector<Pod> pods;
  std::vector<Container> containers;
  std::vector<Child> running;
  for (int i = 0; i < 4; ++i) {
    pods.emplace_back("names");
    containers.push_back({.id = "c" + std::to_string(i), .netns = pods.back().path()});
    running.emplace_back(
        Command{.argv = {railcni_binary()},
                .env = runtime.environment("ADD", containers.back()),
                .stdin_text = Runtime::plugin_config(list, 0, containers.back(), nullptr).dump()});
  }
  for (Child& child : running) {
    const Outcome outcome = child.wait();
    INFO(outcome.describe());
    CHECK(outcome.ok());
  }
  for (const Pod& pod : pods) {
    CHECK(link_of("net1", pod.path()).at("linkinfo").at("info_kind") == Json(type));
    CHECK(sysctl_of("ipv4/conf/net1/arp_notify", pod.path()) == "1");
  }
  for (const Container& container : containers) require(runtime.del(list, container));
  for (const Pod& pod : pods) CHECK(ip_json("link show", pod.path()).as_array().size() == 1);
  CHECK(leased(dir).empty());
  CHECK(machine_changes_since(before) == "");
}

TEST_CASE("a name that is taken in the Pod and in the host is refused", "[ethernet]") {
  Machine machine;
  const std::string type = GENERATE("macvlan", "ipvlan");
  ip("link add net1 type dummy");
  const std::string dir = make_folder("names");
  Runtime runtime;
  const Pod pod;
  ip("link add net1 type dummy", pod.path());
  const Json before = machine_snapshot();
  const Call add = runtime.add(child_list(dir, type), {.id = "c1", .netns = pod.path()});
  INFO(add.describe());
  CHECK(add.code() == 7);
  CHECK_THAT(add.msg(), Catch::Contains("net1 already exists in the container"));
  CHECK(leased(dir).empty());
  CHECK(machine_changes_since(before) == "");
}

TEST_CASE("a VF that came home under its Pod's name gets its own back", "[ethernet]") {
  Machine machine;
  const std::string vf = vfs_of("rail1").at(0);
  const Json before = machine_snapshot();
  const std::string dir = make_folder("names");
  Runtime runtime;
  Pod dead("dead");
  const Pod pod("next");
  const Json list = with_device(sriov_list(dir), vf);
  require(runtime.add(list, {.id = "dead", .netns = dead.path()}));
  dead.destroy();
  REQUIRE(eventually([&] { return netdev_of(vf) == "net1"; }));
  SECTION("by the next ADD, whatever it makes") {
    const Container next{.id = "next", .netns = pod.path()};
    const Json macvlan = child_list(dir, "macvlan");
    require(runtime.add(macvlan, next));
    CHECK(netdev_of(vf) != "net1");
    require(runtime.del(macvlan, next));
  }
  SECTION("by railcni gc") { cli(dir, {"gc"}); }
  SECTION("and keeps what the host has made of it meanwhile") {
    ip("link add link net1 name storage type vlan id 9");
    cli(dir, {"gc"});
    CHECK(link_of("storage").at("link") == Json(netdev_of(vf)));
    ip("link del storage");
  }
  CHECK(machine_changes_since(before) == "");
  CHECK(leased(dir).empty());
}
