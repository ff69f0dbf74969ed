// CHECK: sees what was lost, and lets pass what later plugins of a chain have changed.
#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/conformance/fixture.h"

using namespace railcni;
using namespace railcni::test;

namespace {

struct Checked : RailPlugin {
  Pod pod;
  Json config;

  Checked() {
    config = RailPlugin::config();
    config["ipam"]["pools"].as_array()[0]["routes"] =
        Json::parse(R"([{"to": "172.16.0.0/16", "via": "10.9.0.1"}])");
    const Call added = call("ADD", config, container_in(pod));
    INFO(added.describe());
    REQUIRE(added.ok());
    config["prevResult"] = added.json;
    check_silent_success(check());
  }

  Call check() const { return call("CHECK", config, container_in(pod)); }
};

}  // namespace

TEST_CASE("CHECK: what was lost is found") {
  Checked checked;
  const std::string pod = checked.pod.path();
  SECTION("the link") {
    ip("link del net1", pod);
    check_error(checked.check(), 0, {"net1"});
  }
  SECTION("the link is down") {
    ip("link set net1 down", pod);
    check_error(checked.check(), 0, {"net1", "down"});
  }
  SECTION("the address") {
    ip("addr del 10.9.0.10/24 dev net1", pod);
    check_error(checked.check(), 0, {"10.9.0.10"});
  }
  SECTION("the address has another prefix length") {
    ip("addr del 10.9.0.10/24 dev net1", pod);
    ip("addr add 10.9.0.10/25 dev net1", pod);
    check_error(checked.check(), 0, {"10.9.0.10"});
  }
  SECTION("a route of the pool") {
    ip("route del 172.16.0.0/16", pod);
    check_error(checked.check(), 0, {"172.16.0.0/16"});
  }
  SECTION("the default route") {
    ip("route del default", pod);
    check_error(checked.check(), 0, {"0.0.0.0/0"});
  }
  SECTION("the lease and the record") {
    std::filesystem::remove_all(checked.data_dir);
    check_error(checked.check(), 0);
  }
  SECTION("the link is another one") {
    ip("link del net1", pod);
    ip("link add net1 type veth peer name other", pod);
    ip("link set net1 up", pod);
    ip("addr add 10.9.0.10/24 dev net1", pod);
    check_error(checked.check(), 0, {"net1"});
  }
  SECTION("the Pod is another one") {
    const Pod other;
    check_error(checked.call("CHECK", checked.config, container_in(other)), 0);
  }
  SECTION("it was never added") {
    check_error(checked.call("CHECK", checked.config, container_in(checked.pod, "ctr-2")), 0);
    check_error(checked.call("CHECK", checked.config, container_in(checked.pod, "ctr-1", "net2")),
                0);
  }
  SECTION("prevResult") {
    checked.config.erase("prevResult");
    check_error(checked.check(), 7, {"prevResult"});
  }
  SECTION("it was deleted") {
    check_silent_success(checked.call("DEL", checked.config, container_in(checked.pod)));
    check_error(checked.check(), 0);
  }
}

TEST_CASE("CHECK: what others have added or changed is theirs") {
  Checked checked;
  const std::string pod = checked.pod.path();
  SECTION("an address") { ip("addr add 10.77.0.1/24 dev net1", pod); }
  SECTION("a route") { ip("route add 10.78.0.0/16 dev net1", pod); }
  SECTION("the MTU and the queue") {
    ip("link set net1 mtu 1300", pod);
    ip("link set net1 txqueuelen 77", pod);
  }
  SECTION("the MAC, as prevResult has it") {
    ip("link set net1 address 02:00:00:00:77:01", pod);
    checked.config["prevResult"]["interfaces"].as_array()[0]["mac"] = "02:00:00:00:77:01";
  }
  SECTION("an interface in prevResult") {
    checked.config["prevResult"]["interfaces"].push_back(
        Json::object({{"name", "veth77"}, {"mac", "02:00:00:00:77:02"}}));
  }
  SECTION("another interface of the Pod") {
    ip("link add other type veth peer name otherpeer", pod);
  }
  SECTION("alias and group of the link") { ip("link set net1 alias mine", pod); }
  check_silent_success(checked.check());
  // And it has changed nothing itself.
  const Json before = snapshot(pod);
  check_silent_success(checked.check());
  CHECK(changes_since(before, pod) == "");
  CHECK(checked.leased().size() == 1);
}

TEST_CASE("CHECK: a chain with Debian's tuning plugin") {
  RailPlugin plugin;
  const Pod pod;
  const Json before = snapshot(pod.path());
  Json main = plugin.config();
  main.erase("name");
  main.erase("cniVersion");
  const Json tuning = Json::parse(
      R"({"type": "tuning", "mtu": 1300, "sysctl": {"net.ipv4.conf.net1.log_martians": "1"}})");
  for (const std::string version : {"0.4.0", "1.0.0"}) {
    INFO(version);
    const Json conflist = make_conflist(version, "net-chain", {main, tuning});
    const Call added = plugin.runtime.add(conflist, container_in(pod));
    INFO(added.describe());
    REQUIRE(added.ok());
    CHECK(link_of("net1", pod.path()).at("mtu") == Json(1300));
    const Call checked = plugin.runtime.check(conflist, container_in(pod));
    INFO(checked.describe());
    CHECK(checked.ok());
    const Call deleted = plugin.runtime.del(conflist, container_in(pod));
    INFO(deleted.describe());
    CHECK(deleted.ok());
    CHECK(changes_since(before, pod.path()) == "");
    CHECK(plugin.leased().empty());
  }
}
