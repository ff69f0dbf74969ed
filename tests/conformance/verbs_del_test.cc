// DEL: succeeds whatever is left, gives everything back, and touches nothing of anybody else's.
#include <catch2/catch.hpp>
#include <optional>

#include "tests/conformance/fixture.h"

using namespace railcni;
using namespace railcni::test;

TEST_CASE("DEL: leaves host and Pod as they were, and can be repeated") {
  const RailPlugin plugin;
  const Pod pod;
  const Json host = snapshot();
  const Json before = snapshot(pod.path());
  REQUIRE(plugin.call("ADD", plugin.config(), container_in(pod)).ok());
  CHECK(snapshot(pod.path()) != before);
  for (int i = 0; i < 3; ++i) {
    check_silent_success(plugin.call("DEL", plugin.config(), container_in(pod)));
    CHECK(changes_since(before, pod.path()) == "");
    CHECK(changes_since(host) == "");
    CHECK(plugin.leased().empty());
  }
}

TEST_CASE("DEL: of what was never added") {
  const Plugin plugin;
  const Pod pod;
  check_silent_success(plugin.call("DEL", plugin.config(), container_in(pod)));
  check_silent_success(plugin.call("DEL", plugin.config(), {"ctr-1", "", "net1"}));
}

TEST_CASE("DEL: whatever has gone before it") {
  const RailPlugin plugin;
  const Json host = snapshot();
  std::optional<Pod> pod(std::in_place);
  Json config = plugin.config();
  Container container = container_in(*pod);
  REQUIRE(plugin.call("ADD", config, container).ok());

  SECTION("the network namespace") { pod.reset(); }
  SECTION("the network namespace, and CNI_NETNS is empty") {
    pod.reset();
    container.netns.clear();
  }
  SECTION("the name of the network namespace: CNI_NETNS is empty, the Pod lives") {
    container.netns.clear();
  }
  SECTION("the link") { ip("link del net1", pod->path()); }
  SECTION("the addresses") { ip("addr flush dev net1", pod->path()); }
  SECTION("the name of the link") {
    ip("link set net1 down", pod->path());
    ip("link set net1 name other", pod->path());
  }
  SECTION("the configuration: nothing of it is right any more but name and dataDir") {
    config["macvlan"] = Json::parse(R"({"master":["nothere"],"unknown":1})");
    config["ipam"] = Json::parse(R"({"pools":[]})");
    config["cniType"] = "nothing";
    config["bad"] = "key";
  }
  SECTION("the version: another one than at ADD") { config["cniVersion"] = "0.2.0"; }
  SECTION("a prevResult that is wrong") {
    config["prevResult"] = Json::parse(R"({"cniVersion":"1.1.0","ips":[{"address":"x"}]})");
  }
  const Call deleted = plugin.call("DEL", config, container);
  check_silent_success(deleted);
  CHECK(plugin.leased().empty());
  CHECK(plugin.reclaim().at("undone").as_array().empty());
  CHECK(changes_since(host) == "");
  if (pod) {
    CHECK(link_of("net1", pod->path()).is_null());
    CHECK(link_of("other", pod->path()).is_null());
  }
}

TEST_CASE("DEL: the master has gone") {
  Plugin plugin;
  const Pod pod;
  {
    const Rail rail("rail9");
    REQUIRE(plugin.call("ADD", plugin.config(), container_in(pod)).ok());
  }
  CHECK(link_of("net1", pod.path()).is_null());
  check_silent_success(plugin.call("DEL", plugin.config(), container_in(pod)));
  CHECK(plugin.leased().empty());
}

TEST_CASE("DEL: another link has taken the name, another Pod the path") {
  const RailPlugin plugin;
  Pod pod;
  REQUIRE(plugin.call("ADD", plugin.config(), container_in(pod)).ok());
  SECTION("a link of the same name") {
    ip("link del net1", pod.path());
    ip("link add net1 type veth peer name other", pod.path());
    check_silent_success(plugin.call("DEL", plugin.config(), container_in(pod)));
    CHECK_FALSE(link_of("net1", pod.path()).is_null());
  }
  SECTION("CNI_NETNS is now another Pod's namespace") {
    const Pod other;
    ip("link add net1 type veth peer name other", other.path());
    const Json before = snapshot(other.path());
    Container container = container_in(pod);
    container.netns = other.path();
    check_silent_success(plugin.call("DEL", plugin.config(), container));
    CHECK(changes_since(before, other.path()) == "");
  }
  CHECK(plugin.leased().empty());
}

TEST_CASE("DEL: is for one attachment: network, container and interface") {
  const RailPlugin plugin;
  const Pod pod;
  const Pod other;
  REQUIRE(plugin.call("ADD", plugin.config(), container_in(pod)).ok());
  REQUIRE(plugin.call("ADD", plugin.config(), container_in(other, "ctr-2")).ok());
  check_silent_success(plugin.call("DEL", plugin.config("1.1.0", "net-b"), container_in(pod)));
  check_silent_success(plugin.call("DEL", plugin.config(), container_in(pod, "ctr-3")));
  check_silent_success(plugin.call("DEL", plugin.config(), container_in(pod, "ctr-1", "net2")));
  CHECK(plugin.leased().size() == 2);
  check_silent_success(plugin.call("DEL", plugin.config(), container_in(pod)));
  CHECK(plugin.leased() == std::vector<std::string>{"10.9.0.11/24"});
  CHECK_FALSE(link_of("net1", other.path()).is_null());
}
