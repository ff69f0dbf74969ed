// The way from the host to a Pod: the host's own routing is not the configuration's to change.
#include <catch2/catch.hpp>

#include "railcni/attachment.h"
#include "railcni/store.h"
#include "tests/netns/cluster.h"

using namespace railcni;
using namespace railcni::test;

namespace {

std::string host(const std::string& command) {
  return run({.argv = {"/bin/sh", "-c", "ip " + command}}).out;
}

// The host's node, with a table of the administrator's that leads elsewhere.
struct World {
  World() {
    ip("link add node0 type veth peer name node0-peer");
    ip("addr add 192.0.2.50/24 dev node0");
    ip("link set node0-peer up");
    ip("link set node0 up");
    ip("route add default via 192.0.2.1 table 100");
    ip("rule add from 203.0.113.0/24 lookup 100 priority 5000");
    ip("route add 198.51.100.0/24 via 192.0.2.2");
  }
  ~World() {
    ip("rule del priority 5000");
    ip("link del node0");
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Json list(int n, uint32_t table) const {
    return cluster.rail_list(n, Json::object({{"mode", "overlay"}, {"hostRuleTable", table}}));
  }

  Rail one{"rail1"};
  Rail two{"rail2"};
  Cluster cluster;
};

}  // namespace

TEST_CASE("a table that is in use does not become the node's: rules are for the Pods' addresses") {
  enter_sandbox();
  World world;
  const std::string rules = host("rule; ip -6 rule");
  const std::string table = host("route show table 100; ip -6 route show table 100");
  for (const int n : {1, 2}) {
    const Call add = world.cluster.runtime.add(world.list(n, 100), world.cluster.rail(n));
    INFO(add.describe());
    REQUIRE(add.ok());
  }
  // The node goes where it went; only the Pod's address is looked up there.
  CHECK_THAT(host("route get 198.51.100.7"), Catch::Contains("via 192.0.2.2"));
  CHECK_THAT(host("route get 172.16.11.10"), Catch::Contains("cni0"));
  CHECK_THAT(host("rule"), Catch::Contains("from all to 172.16.11.10 lookup 100") &&
                               Catch::Contains("from all to 172.16.12.10 lookup 100"));
  CHECK(can_ping("172.16.11.10", ""));
  // Each takes its own away.
  REQUIRE(world.cluster.runtime.del(world.list(1, 100), world.cluster.rail(1)).ok());
  CHECK(host("rule").find("172.16.11.10") == std::string::npos);
  CHECK_THAT(host("rule"), Catch::Contains("to 172.16.12.10 lookup 100"));
  CHECK(can_ping("172.16.12.10", ""));
  REQUIRE(world.cluster.runtime.del(world.list(2, 100), world.cluster.rail(2)).ok());
  CHECK(host("rule; ip -6 rule") == rules);
  CHECK(host("route show table 100; ip -6 route show table 100") == table);
}

TEST_CASE("the rule that the Pods of an earlier version share goes with the last of them") {
  enter_sandbox();
  World world;
  const std::string rules = host("rule; ip -6 rule");
  for (const int n : {1, 2}) {
    REQUIRE(world.cluster.runtime.add(world.list(n, 500), world.cluster.rail(n)).ok());
  }
  // What such a version left of a Pod: one rule for all, and no word of it in the record.
  const auto make_old = [&](int n) {
    const std::string id = std::to_string(n);
    ip("rule del to 172.16.1" + id + ".10 lookup 500");
    const StorePaths paths = StorePaths::from_data_dir(world.cluster.dir);
    Store::open(Store::File::kState, paths, Store::Mode::kExisting)->write([&](Txn& txn) {
      auto record = get_attachment(txn, {"rail" + id, "c1", "net" + id});
      REQUIRE(record);
      record->routing.erase("hostRules");
      put_attachment(txn, *record);
    });
  };
  const int old = GENERATE(1, 2);
  INFO(old << " of two Pods are of an earlier version");
  for (int n = 1; n <= old; ++n) make_old(n);
  ip("rule add lookup 500 priority 1000");
  REQUIRE(world.cluster.runtime.del(world.list(1, 500), world.cluster.rail(1)).ok());
  // The other Pod is reached as before, by the rule that it needs.
  CHECK_THAT(host("rule"), Catch::Contains(old == 1 ? "to 172.16.12.10" : "from all lookup 500"));
  CHECK((host("rule").find("from all lookup 500") != std::string::npos) == (old == 2));
  CHECK(can_ping("172.16.12.10", ""));
  REQUIRE(world.cluster.runtime.del(world.list(2, 500), world.cluster.rail(2)).ok());
  CHECK(host("rule; ip -6 rule") == rules);
}

TEST_CASE("veth0 whose other end is in a third namespace is no way to the host") {
  enter_sandbox();
  const Rail rail("rail1", {.addresses = {"172.16.11.1/24"}});
  const Pod pod;
  const Pod third("third");
  // The other end has an index that some interface of the host has, too.
  ip("link add decoy type veth peer name decoy-peer");
  const std::string index = std::to_string(link_of("decoy").at("ifindex").as_int());
  ip("link add peer0 index " + index + " type veth peer name veth0 netns " + pod.path(),
     third.path());
  ip("link set veth0 up", pod.path());
  ip("link set peer0 up", third.path());
  REQUIRE(link_of("veth0", pod.path()).at("link_index").as_int() == std::stoi(index));
  const std::string dir = make_folder("third");
  Json plugin = macvlan_plugin(dir, "rail1",
                               Json::object({{"name", "p"},
                                             {"subnet", "172.16.11.0/24"},
                                             {"ips", Json::array({"172.16.11.10"})},
                                             {"gateway", "172.16.11.254"}}));
  plugin["coordinator"] = Json::object({{"mode", "underlay"}});
  const Json list = make_conflist("1.1.0", "third", {plugin});
  const Container container{.id = "c1", .netns = pod.path(), .ifname = "eth0"};
  Runtime runtime;
  const Json before = snapshot();
  const std::string routing = host("neigh show nud permanent; ip rule; ip route show table all");
  const Call add = runtime.add(list, container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(host("neigh show nud permanent; ip rule; ip route show table all") == routing);
  CHECK_THAT(add.process.err, Catch::Contains("veth0"));
  REQUIRE(runtime.del(list, container).ok());
  CHECK(changes_since(before) == "");
  ip("link del decoy");
}
