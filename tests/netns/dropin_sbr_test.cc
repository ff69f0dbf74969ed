// railcni under the name sbr, beside Debian's original: the same configuration to both. Where they
// differ, and why: the table is 100 + N for netN, where the original counts up from 100: the number
// is the same at each ADD. The rules have a priority of their own instead of the next below main's.
// The connected route and the link-local one stay in table main, where the original takes them
// away and makes the subnet unreachable from sockets without an address. A default route that is
// the Pod's only one stays, too.
#include <catch2/catch.hpp>

#include "tests/netns/dropin_world.h"
#include "tests/support/kill_at.h"

using namespace railcni;
using namespace railcni::test;

TEST_CASE("dropin: sbr beside the original, behind Debian's bridge") {
  enter_sandbox();
  const Names names;
  Cluster theirs;
  const Bridge remove("br7");
  const Json list = make_conflist("1.0.0", "second",
                                  {bridge("br7", "10.7.0.0/24"), Json::object({{"type", "sbr"}})});
  const Pod pod("mine");
  Runtime debian = names.debian;
  Runtime ours = names.ours;
  const Container there = theirs.rail(1);
  const Container eth0{.id = "c2", .netns = pod.path(), .ifname = "eth0"};
  const Container here{.id = "c2", .netns = pod.path()};
  make_settled("eth0", pod.path(), [&] { REQUIRE(debian.add(theirs.list, eth0).ok()); });
  const Json before = snapshot(pod.path());

  const Call original = debian.add(list, there);
  INFO(original.describe());
  REQUIRE(original.ok());
  const Call added = ours.add(list, here);
  INFO(added.describe());
  REQUIRE(added.ok());
  // The result is the plugin's before; the addresses are host-local's next ones.
  const auto shape = [](const Json& result) {
    Json found = parts(result, {"cniVersion", "routes", "dns"});
    found["interfaces"] = result.at("interfaces").as_array().size();
    found["ips"] = result.at("ips").as_array().size();
    return found;
  };
  CHECK(shape(added.json) == shape(original.json));
  CHECK(added.json.at("ips").as_array().at(0).at("interface") ==
        original.json.at("ips").as_array().at(0).at("interface"));

  // The same table, from the original's number to ours.
  CHECK(routes("net1", pod.path(), "101") == routes("net1", theirs.pod.path(), "100"));
  CHECK(routes("net1", pod.path(), "101") == std::vector<std::string>{"10.7.0.0/24",
                                                                      "10.77.0.0/16 via 10.7.0.1",
                                                                      "default via 10.7.0.1"});
  const std::string rule = "from " + addresses_of("net1", pod.path()).at(0);
  const std::string rules = run({.argv = {"/bin/sh", "-c", "ip rule"}, .netns = pod.path()}).out;
  CHECK_THAT(rules, Catch::Contains(rule.substr(0, rule.find('/')) + " lookup 101"));
  CHECK_THAT(theirs.text("rule"), Catch::Contains("lookup 100"));
  // Table main keeps the connected route, which the original takes away.
  CHECK(routes("net1", theirs.pod.path()).empty());
  CHECK(routes("net1", pod.path()) == std::vector<std::string>{"10.7.0.0/24"});
  CHECK(routes("eth0", pod.path()) == routes("eth0", theirs.pod.path()));
  CHECK(reaches("10.7.0.1", pod.path()));

  // Neither can be added twice over by the next one's undoing.
  CHECK(ours.del(list, here).ok());
  CHECK(ours.del(list, here).ok());
  CHECK(changes_since(before, pod.path()) == "");
  CHECK(debian.del(list, there).ok());
  CHECK(debian.del(theirs.list, eth0).ok());
}

TEST_CASE("dropin: sbr on the Pod's only interface, with two gateways") {
  enter_sandbox();
  const Names names;
  Rail rail("rail1");
  const Pod pod;
  const std::string dir = make_folder("dropin");
  const Json macvlan = Json::parse(R"({"type": "macvlan", "master": "rail1", "dataDir": ")" + dir +
                                   R"(", "ipam": {"type": "railcni", "pools": [
      {"name": "four", "subnet": "10.9.0.0/24", "gateway": "10.9.0.1"},
      {"name": "six", "subnet": "fd09::/64", "gateway": "fd09::1"}]}})");
  const Json sbr = Json::object({{"type", "sbr"}, {"dataDir", dir}});
  Json list = make_conflist("1.0.0", "n", {macvlan, sbr});
  Runtime ours = names.ours;
  const Container net1{.id = "c1", .netns = pod.path()};
  const Json before = snapshot(pod.path());
  const Call added = ours.add(list, net1);
  INFO(added.describe());
  REQUIRE(added.ok());
  const std::vector<std::string> all = {"10.9.0.0/24", "default via 10.9.0.1",
                                        "default via fd09::1", "fd09::/64"};
  CHECK(routes("net1", pod.path(), "101") == all);
  CHECK(routes("net1", pod.path()) == all);
  CHECK(ours.check(list, net1).ok());
  CHECK(ours.del(list, net1).ok());
  CHECK(changes_since(before, pod.path()) == "");
  // A network without a version has a result of the oldest.
  list.erase("cniVersion");
  const Call oldest = ours.add(list, net1);
  INFO(oldest.describe());
  REQUIRE(oldest.ok());
  CHECK(oldest.json.at("cniVersion") == "0.1.0");
  CHECK(oldest.json.at("ip4").at("gateway") == "10.9.0.1");
  CHECK(oldest.json.find("interfaces") == nullptr);
  CHECK(ours.del(list, net1).ok());
  CHECK(changes_since(before, pod.path()) == "");
}

TEST_CASE("dropin: sbr gives addresses with gateways of their own a table each") {
  enter_sandbox();
  const Names names;
  const Pod pod;
  ip("link add net1 type veth peer name far", pod.path());
  // Link-local addresses would be usable after a second, and change the picture by themselves.
  ip("link set far addrgenmode none up", pod.path());
  ip("link set net1 addrgenmode none up", pod.path());
  ip("address add 10.9.0.2/24 dev net1", pod.path());
  ip("address add 10.8.0.2/24 dev net1", pod.path());
  ip("route add 10.77.0.0/16 via 10.8.0.1", pod.path());
  Json config = Json::parse(R"({"cniVersion": "1.0.0", "name": "n", "type": "sbr", "prevResult": {
      "cniVersion": "1.0.0", "interfaces": [{"name": "net1", "sandbox": "/x"}], "ips": [
      {"address": "10.9.0.2/24", "gateway": "10.9.0.1", "interface": 0},
      {"address": "10.8.0.2/24", "gateway": "10.8.0.1", "interface": 0}], "routes": []}})");
  config["dataDir"] = make_folder("dropin");
  const Container net1{.id = "c1", .netns = pod.path()};
  const Json before = snapshot(pod.path());
  const auto call = [&](const std::string& verb) {
    return exec_plugin(names.folder + "/sbr", names.ours.environment(verb, net1), config.dump());
  };
  const Call added = call("ADD");
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(routes("net1", pod.path(), "101") ==
        std::vector<std::string>{"10.8.0.0/24", "10.9.0.0/24", "default via 10.9.0.1"});
  const std::string rules = run({.argv = {"/bin/sh", "-c", "ip rule"}, .netns = pod.path()}).out;
  const size_t at = rules.find("from 10.8.0.2 lookup ");
  REQUIRE(at != std::string::npos);
  const std::string table = rules.substr(at + 21, rules.find_first_of(" \n", at + 21) - at - 21);
  CHECK(table != "101");
  CHECK(routes("net1", pod.path(), table) == std::vector<std::string>{"10.77.0.0/16 via 10.8.0.1",
                                                                      "10.8.0.0/24", "10.9.0.0/24",
                                                                      "default via 10.8.0.1"});
  CHECK(routes("net1", pod.path()) == std::vector<std::string>{"10.8.0.0/24", "10.9.0.0/24"});
  CHECK(call("DEL").ok());
  CHECK(changes_since(before, pod.path()) == "");
  int n = 1;
  while (run_and_kill_at({.argv = {names.folder + "/sbr"},
                          .env = names.ours.environment("ADD", net1),
                          .stdin_text = config.dump()},
                         n, KillPoints::kEffects)) {
    INFO("killed at call " << n++);
    REQUIRE(call("DEL").ok());
    REQUIRE(changes_since(before, pod.path()) == "");
  }
  CHECK(n > 3);
  REQUIRE(call("DEL").ok());
  config["prevResult"]["ips"] = Json::array();
  CHECK_THAT(call("ADD").msg(), Catch::Contains("no addresses of interface net1"));
}
