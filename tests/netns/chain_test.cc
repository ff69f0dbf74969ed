// Debian's own plugins in a chain with railcni.
#include <catch2/catch.hpp>

#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

// Debian's containernetworking-plugins speak 1.0.0 and older.
Json chain(const std::string& dir, const Json& tuning) {
  Json config = tuning;
  config["type"] = "tuning";
  return make_conflist("1.0.0", "chained", {macvlan_plugin(dir, "rail0", pool_v4()), config});
}

}  // namespace

TEST_CASE("tuning works after railcni: ADD, CHECK, DEL") {
  enter_sandbox();
  Rail rail("rail0");
  const Json host_before = snapshot();
  Pod pod;
  const Json pod_before = snapshot(pod.path());
  const std::string dir = make_folder("chain");
  Runtime runtime;
  const Container container{.id = "c1", .netns = pod.path()};
  const Json list =
      chain(dir, Json::object({{"sysctl", Json::object({{"net.ipv4.conf.net1.log_martians", "1"}})},
                               {"mac", "02:00:00:00:be:ef"},
                               {"mtu", 1400}}));
  const Call add = runtime.add(list, container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(addresses_of("net1", pod.path()) == std::vector<std::string>{"10.9.0.2/24"});
  CHECK(link_of("net1", pod.path()).at("address").as_string() == "02:00:00:00:be:ef");
  CHECK(sysctl_of("ipv4/conf/net1/log_martians", pod.path()) == "1");
  const Call check = runtime.check(list, container);
  INFO(check.describe());
  CHECK(check.ok());
  const Call del = runtime.del(list, container);
  INFO(del.describe());
  CHECK(del.ok());
  CHECK(leased(dir).empty());
  CHECK(snapshot(pod.path()) == pod_before);
  CHECK(snapshot() == host_before);
}

TEST_CASE("a link whose MAC a later plugin changed is still ours to delete") {
  enter_sandbox();
  Rail rail("rail0");
  Pod pod;
  const std::string dir = make_folder("chain-mac");
  Runtime runtime;
  const Container container{.id = "c1", .netns = pod.path()};
  const Json list = macvlan_list(dir, "rail0", pool_v4());
  REQUIRE(runtime.add(list, container).ok());
  ip("link set net1 address 02:00:00:00:be:ef", pod.path());
  ip("link set net1 down", pod.path());
  ip("link set net1 name other", pod.path());
  REQUIRE(runtime.del(list, container).ok());
  CHECK(link_of("other", pod.path()).is_null());
  CHECK(leased(dir).empty());
}

TEST_CASE("a later plugin's failure is followed by a DEL that leaves nothing") {
  enter_sandbox();
  Rail rail("rail0");
  Pod pod;
  const Json pod_before = snapshot(pod.path());
  const std::string dir = make_folder("chain-fail");
  Runtime runtime;
  const Container container{.id = "c1", .netns = pod.path()};
  const Json list =
      chain(dir, Json::object({{"sysctl", Json::object({{"net.ipv4.no_such_key", "1"}})}}));
  CHECK_FALSE(runtime.add(list, container).ok());
  CHECK(runtime.del(list, container).ok());
  CHECK(leased(dir).empty());
  CHECK(snapshot(pod.path()) == pod_before);
}
