// ADD: what it makes, what it refuses, and that a refusal leaves nothing behind.
#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/conformance/fixture.h"

using namespace railcni;
using namespace railcni::test;

TEST_CASE("ADD: the link, its addresses, and a fabric that answers") {
  const RailPlugin plugin;
  const Pod pod;
  Json config = plugin.config();
  config["macvlan"]["mode"] = "bridge";
  config["macvlan"]["mtu"] = 1400;
  config["macvlan"]["mac"] = "02:00:00:00:09:01";
  config["ipam"]["pools"].push_back(Json::parse(
      R"({"name": "p6", "subnet": "fd00:9::/64", "ips": ["fd00:9::10"], "gateway": "fd00:9::1"})"));
  const Call added = plugin.call("ADD", config, container_in(pod));
  INFO(added.describe());
  REQUIRE(added.ok());
  // An IPv6 address that is still being checked cannot be used: ADD must not return before.
  const Json links = ip_json("-6 addr show dev net1 scope global", pod.path());
  for (const Json& address : links.as_array().at(0).at("addr_info").as_array()) {
    CHECK((address.find("tentative") == nullptr || address.find("optimistic") != nullptr));
  }
  CHECK(reaches("fd00:9::1", pod.path()));
  CHECK(reaches("10.9.0.1", pod.path()));
  const Json link = link_of("net1", pod.path());
  CHECK(link.at("mtu") == Json(1400));
  CHECK(link.at("address").as_string() == "02:00:00:00:09:01");
  CHECK(link.at("linkinfo").at("info_kind").as_string() == "macvlan");
  CHECK(link.at("linkinfo").at("info_data").at("mode").as_string() == "bridge");
  CHECK(sysctl_of("ipv4/conf/net1/arp_notify", pod.path()) == "1");
  CHECK(sysctl_of("ipv6/conf/net1/ndisc_notify", pod.path()) == "1");
}

TEST_CASE("ADD: Pods on one rail reach each other") {
  const RailPlugin plugin;
  const Pod a;
  const Pod b;
  REQUIRE(plugin.call("ADD", plugin.config(), container_in(a, "ctr-a")).ok());
  REQUIRE(plugin.call("ADD", plugin.config(), container_in(b, "ctr-b")).ok());
  CHECK(plugin.leased() == std::vector<std::string>{"10.9.0.10/24", "10.9.0.11/24"});
  CHECK(reaches("10.9.0.11", a.path()));
  CHECK(reaches("10.9.0.10", b.path()));
}

TEST_CASE("ADD: an interface of that name that is not ours is an error, and stays") {
  const RailPlugin plugin;
  const Pod pod;
  ip("link add net1 type veth peer name other", pod.path());
  ip("addr add 10.7.0.1/24 dev net1", pod.path());
  ip("link set net1 up", pod.path());
  const Json before = snapshot(pod.path());
  check_error(plugin.call("ADD", plugin.config(), container_in(pod)), 0, {"net1"});
  CHECK(changes_since(before, pod.path()) == "");
  CHECK(plugin.leased().empty());
  // Also as a second network's interface.
  check_silent_success(plugin.call("DEL", plugin.config(), container_in(pod)));
  CHECK(changes_since(before, pod.path()) == "");
  ip("link del net1", pod.path());
  REQUIRE(plugin.call("ADD", plugin.config(), container_in(pod)).ok());
  const Json held = snapshot(pod.path());
  check_error(plugin.call("ADD", plugin.config("1.1.0", "net-b"), container_in(pod)), 0, {"net1"});
  check_error(plugin.call("ADD", plugin.config(), container_in(pod, "ctr-2")), 0, {"net1"});
  CHECK(changes_since(held, pod.path()) == "");
  CHECK(plugin.leased().size() == 1);
}

TEST_CASE("ADD: the same attachment again gives the same result") {
  const RailPlugin plugin;
  const Pod pod;
  const Call first = plugin.call("ADD", plugin.config(), container_in(pod));
  REQUIRE(first.ok());
  const Json state = snapshot(pod.path());
  for (int i = 0; i < 3; ++i) {
    const Call again = plugin.call("ADD", plugin.config(), container_in(pod));
    INFO(again.describe());
    REQUIRE(again.ok());
    CHECK(again.json == first.json);
  }
  CHECK(changes_since(state, pod.path()) == "");
  CHECK(plugin.leased().size() == 1);
  // When its link is gone it is made anew, and nothing is leased twice.
  ip("link del net1", pod.path());
  const Call anew = plugin.call("ADD", plugin.config(), container_in(pod));
  INFO(anew.describe());
  REQUIRE(anew.ok());
  CHECK_FALSE(link_of("net1", pod.path()).is_null());
  CHECK(plugin.leased().size() == 1);
}

TEST_CASE("ADD: several interfaces of one container on one pool") {
  const RailPlugin plugin;
  const Pod pod;
  for (const std::string ifname : {"net1", "net2", "net3"}) {
    REQUIRE(plugin.call("ADD", plugin.config(), container_in(pod, "ctr-1", ifname)).ok());
  }
  CHECK(plugin.leased().size() == 3);
  std::vector<std::string> addresses;
  for (const std::string ifname : {"net1", "net2", "net3"}) {
    const auto own = addresses_of(ifname, pod.path());
    addresses.insert(addresses.end(), own.begin(), own.end());
  }
  CHECK(plugin.leased() == addresses);
  // Each DEL is for one interface.
  check_silent_success(plugin.call("DEL", plugin.config(), container_in(pod, "ctr-1", "net2")));
  CHECK(plugin.leased().size() == 2);
  CHECK(link_of("net2", pod.path()).is_null());
  CHECK_FALSE(link_of("net1", pod.path()).is_null());
  CHECK_FALSE(link_of("net3", pod.path()).is_null());
}

TEST_CASE("ADD: an exhausted pool is code 11, names the pool, and leaves nothing") {
  const RailPlugin plugin;
  std::vector<Pod> pods(4);
  for (size_t i = 0; i < pods.size(); ++i) {
    REQUIRE(plugin.call("ADD", plugin.config(), container_in(pods[i], "ctr-" + std::to_string(i)))
                .ok());
  }
  const Pod late;
  const Json before = snapshot(late.path());
  check_error(plugin.call("ADD", plugin.config(), container_in(late, "late")), 11,
              {"pool-a", "4 of 4"});
  CHECK(changes_since(before, late.path()) == "");
  CHECK(plugin.leased().size() == 4);
  // The next pool in order serves.
  Json two = plugin.config();
  two["ipam"]["pools"].push_back(
      Json::parse(R"({"name": "pool-b", "subnet": "10.9.1.0/24", "ips": ["10.9.1.5"]})"));
  const Call added = plugin.call("ADD", two, container_in(late, "late"));
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(addresses_of("net1", late.path()) == std::vector<std::string>{"10.9.1.5/24"});
  const Pod later;
  check_error(plugin.call("ADD", two, container_in(later, "later")), 11,
              {"pool-a", "pool-b", "4 of 4", "1 of 1"});
}

TEST_CASE("ADD: an exhausted second family leaves the first one's address free") {
  const RailPlugin plugin;
  Json config = plugin.config();
  config["ipam"]["pools"].push_back(
      Json::parse(R"({"name": "p6", "subnet": "fd00:9::/64", "ips": ["fd00:9::10"]})"));
  const Pod a;
  const Pod b;
  REQUIRE(plugin.call("ADD", config, container_in(a, "ctr-a")).ok());
  check_error(plugin.call("ADD", config, container_in(b, "ctr-b")), 11, {"p6"});
  CHECK(plugin.leased().size() == 2);
  CHECK(link_of("net1", b.path()).is_null());
}

TEST_CASE("ADD: a configuration that cannot work leaves nothing") {
  const RailPlugin plugin;
  const Pod pod;
  const Json before = snapshot(pod.path());
  const Json host = snapshot();
  const Json good = plugin.config();
  const auto refuse = [&](const std::string& path, const Json& value,
                          const std::vector<std::string>& parts) {
    INFO(path << ": " << value.dump());
    check_error(plugin.call("ADD", with(good, path, value), container_in(pod)), 0, parts);
    CHECK(changes_since(before, pod.path()) == "");
    CHECK(changes_since(host) == "");
    CHECK(plugin.leased().empty());
  };
  refuse("macvlan.master", Json::strings({"nothere"}), {"nothere"});
  refuse("macvlan.master", Json::strings({"rail9", "nothere"}), {"bond"});
  refuse("macvlan.master", Json::strings({"a/b"}), {"a/b"});
  refuse("macvlan.master", Json::strings({std::string(300, 'a')}), {"aaa"});
  refuse("macvlan.mtu", 9000, {"mtu", "1500"});
  refuse("macvlan.mtu", 10, {"mtu"});
  refuse("macvlan.mode", "nonsense", {"nonsense", "bridge"});
  refuse("macvlan.mac", "nonsense", {"nonsense"});
  refuse("macvlan.mac", "ff:ff:ff:ff:ff:ff", {"ff:ff"});
  refuse("macvlan.vlanID", 4095, {"vlanID"});
  refuse("cniType", "macvaln", {"macvaln", "macvlan"});
  refuse("macvlan.ippools", Json::parse(R"({"ipv4":["nopool"]})"), {"nopool"});
  refuse("macvlan.ippools", Json::parse(R"({"ipv4":["no*"]})"), {"no*"});
  refuse("macvlan.ippools", Json::parse(R"({"ipv4":["pool-["]})"), {"pool-["});
  refuse("macvlan.ippools", Json::parse(R"({"ipv6":["pool-a"]})"), {"pool-a"});
  refuse("ipam.pools.0.subnet", "10.9.0.0/33", {"10.9.0.0/33"});
  refuse("ipam.pools.0.subnet", "300.9.0.0/24", {"300.9.0.0/24"});
  refuse("ipam.pools.0.ips", Json::strings({"10.9.0.9-10.9.0.5"}), {"10.9.0.9-10.9.0.5"});
  refuse("ipam.pools.0.ips", Json::strings({"10.10.0.9"}), {"10.10.0.9"});
  refuse("ipam.pools.0.gateway", "10.10.0.1", {"10.10.0.1"});
  refuse("ipam.pools.0.name", "", {"name"});
  refuse("ipam.pools.0.name", "a/b", {"a/b"});
  refuse("ipam.type", "../host-local", {"../host-local"});
  refuse("dataDir", "relative/path", {"dataDir"});
  refuse("dataDir", "/proc/nothing", {"/proc/nothing"});
  refuse("dataDir", "/etc/passwd", {"/etc/passwd"});
  refuse("logLevel", "loud", {"loud"});
  refuse("runtimeConfig", Json::parse(R"({"ips":["10.9.0.99"]})"), {"10.9.0.99"});
  refuse("runtimeConfig", Json::parse(R"({"ips":["10.9.0.1"]})"), {"10.9.0.1"});
  refuse("runtimeConfig", Json::parse(R"({"mac":"zz"})"), {"zz"});
}

TEST_CASE("ADD: a master that is down") {
  const RailPlugin plugin;
  const Pod pod;
  ip("link set rail9 down");
  check_error(plugin.call("ADD", plugin.config(), container_in(pod)), 0, {"rail9", "down"});
  CHECK(plugin.leased().empty());
  CHECK(link_of("net1", pod.path()).is_null());
}

TEST_CASE("ADD: released addresses are the last to be used again") {
  const RailPlugin plugin;
  const Pod pod;
  std::vector<std::string> seen;
  for (int i = 0; i < 4; ++i) {
    REQUIRE(plugin.call("ADD", plugin.config(), container_in(pod)).ok());
    seen.push_back(addresses_of("net1", pod.path()).at(0));
    check_silent_success(plugin.call("DEL", plugin.config(), container_in(pod)));
  }
  std::ranges::sort(seen);
  CHECK(std::ranges::unique(seen).empty());
}
