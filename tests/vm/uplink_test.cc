// VLAN and bond masters, which railcni makes when they are missing and removes with their last Pod.
#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/netns/world.h"
#include "tests/support/kill_at.h"
#include "tests/vm/machine.h"

using namespace railcni;
using namespace railcni::test;

namespace {

// A node of the cluster: a Pod, and a macvlan configuration of its own. The VM is all nodes at
// once, so each has its own NICs, store and addresses.
struct Node {
  Node(Json masters, int number)
      : dir(make_folder("uplink")),
        container{.id = "c" + std::to_string(number), .netns = pod.path()} {
    const std::string first = std::to_string(number * 16 + 1);
    list = macvlan_list(dir, "",
                        Json::object({{"name", "p"},
                                      {"subnet", "10.9.0.0/24"},
                                      {"ips", Json::array({"10.9.0." + first + "-10.9.0." +
                                                           std::to_string(number * 16 + 14)})}}));
    block()["master"] = std::move(masters);
  }

  Json& block() { return list["plugins"].as_array()[0]["macvlan"]; }
  Call add() { return runtime.add(list, container); }
  Call del() { return runtime.del(list, container); }

  void require_added() {
    const Call call = add();
    INFO(call.describe());
    REQUIRE(call.ok());
    address = call.json.at("ips").as_array()[0].at("address").as_string();
    address.erase(address.find('/'));
  }
  void require_deleted() { require_deleted_but(0); }
  // With so many other Pods that stay.
  void require_deleted_but(size_t others) {
    const Call call = del();
    INFO(call.describe());
    REQUIRE(call.ok());
    CHECK(leased(dir).size() == others);
  }
  // Refused with this in the message; no link, address or port has changed, nothing is leased.
  void require_refused(int64_t code, const std::string& part) {
    const Json before = machine_snapshot();
    const Call call = add();
    INFO(call.describe());
    CHECK_FALSE(call.ok());
    CHECK(call.code() == code);
    CHECK_THAT(call.msg(), Catch::Contains(part));
    CHECK(machine_changes_since(before) == "");
    CHECK(leased(dir).empty());
  }

  Pod pod;
  std::string dir;
  Runtime runtime;
  Container container;
  Json list;
  std::string address;  // of the last ADD
};

bool reaches(const Node& from, const Node& to) {
  return test::reaches(to.address, from.pod.path());
}

bool is_up(const std::string& ifname) {
  const Json link = link_of(ifname);
  for (const Json& flag : link.at("flags").as_array()) {
    if (flag == Json("UP")) return true;
  }
  return false;
}

const Json& info_data(const Json& link) { return link.at("linkinfo").at("info_data"); }

std::string master_of(const std::string& ifname) {
  const Json link = link_of(ifname);
  const Json* master = link.find("master");
  return master == nullptr ? "" : master->as_string();
}

// Two dummies as the ports, where no packet has to pass: an igb takes half a second to come up.
struct Ports {
  Ports() {
    enter_sandbox();
    for (const char* name : {"port1", "port2"}) {
      ip(std::string("link add ") + name + " type dummy");
      ip(std::string("link set ") + name + " up");
    }
  }
  Ports(const Ports&) = delete;
  Ports& operator=(const Ports&) = delete;
  ~Ports() { remove_virtual_links(); }
};

Json bond_block(const std::string& name, int mode, const std::string& options = "miimon=100") {
  return Json::object({{"name", name}, {"mode", mode}, {"options", options}});
}

}  // namespace

TEST_CASE("uplink: a missing VLAN is made, carries its Pods' packets and goes with them",
          "[ethernet]") {
  const Machine machine(false);
  Node a(Json::array({"rail1"}), 1);
  Node b(Json::array({"rail1b"}), 2);
  Node untagged(Json::array({"rail1b"}), 3);
  a.block()["vlanID"] = 100;
  b.block()["vlanID"] = 100;
  const Json before = machine_snapshot();
  a.require_added();
  b.require_added();
  untagged.require_added();
  const Json vlan = link_of("rail1.100");
  REQUIRE_FALSE(vlan.is_null());
  CHECK(vlan.at("link").as_string() == "rail1");
  CHECK(info_data(vlan).at("id").as_int() == 100);
  CHECK(info_data(vlan).at("protocol").as_string() == "802.1Q");
  CHECK(is_up("rail1.100"));
  CHECK(link_of("net1", a.pod.path()).at("link_index") == vlan.at("ifindex"));
  CHECK(reaches(a, b));
  CHECK_FALSE(can_ping(untagged.address, a.pod.path()));
  CHECK(a.runtime.check(a.list, a.container).ok());
  CHECK(a.runtime.status(a.list).ok());

  a.require_deleted();
  CHECK(link_of("rail1.100").is_null());
  a.require_added();
  CHECK(reaches(b, a));
  for (Node* node : {&a, &b, &untagged}) node->require_deleted();
  CHECK(machine_changes_since(before) == "");
}

TEST_CASE("uplink: a VLAN that was left down is brought up, with its base", "[ethernet]") {
  const Machine machine(false);
  Node a(Json::array({"rail1"}), 1);
  Node b(Json::array({"rail1b"}), 2);
  a.block()["vlanID"] = 100;
  b.block()["vlanID"] = 100;
  const bool made = GENERATE(true, false);
  if (made) ip("link add rail1.100 link rail1 type vlan id 100");
  ip("link set rail1 down");
  a.require_added();
  b.require_added();
  CHECK(is_up("rail1"));
  CHECK(is_up("rail1.100"));
  CHECK(reaches(a, b));
  a.require_deleted();
  b.require_deleted();
}

TEST_CASE("uplink: a missing bond is made of its ports, and fails over", "[ethernet]") {
  const Machine machine(false);
  Node a(Json::array({"rail1", "rail2"}), 1);
  Node b(Json::array({"rail1b", "rail2b"}), 2);
  a.block()["bond"] = bond_block("bond0", 1, "miimon=100;primary=rail1");
  b.block()["bond"] = bond_block("bond1", 1, "miimon=100;primary=rail1b");
  a.block()["vlanID"] = 100;
  b.block()["vlanID"] = 100;
  a.require_added();
  b.require_added();
  const Json bond = link_of("bond0");
  CHECK(info_data(bond).at("mode").as_string() == "active-backup");
  CHECK(info_data(bond).at("miimon").as_int() == 100);
  CHECK(info_data(bond).at("primary").as_string() == "rail1");
  CHECK(master_of("rail1") == "bond0");
  CHECK(master_of("rail2") == "bond0");
  CHECK(link_of("bond0.100").at("link").as_string() == "bond0");
  CHECK(reaches(a, b));
  for (const char* nic : {"rail1", "rail1b"}) ip(std::string("link set ") + nic + " down");
  CHECK(reaches(a, b));
  CHECK(info_data(link_of("bond0")).at("active_slave").as_string() == "rail2");
  CHECK(a.runtime.check(a.list, a.container).ok());

  a.require_deleted();
  b.require_deleted();
  for (const char* name : {"bond0", "bond1", "bond0.100", "bond1.100"}) {
    CHECK(link_of(name).is_null());
  }
  for (const char* nic : kNics) {
    CHECK(master_of(nic).empty());
    ip(std::string("link set ") + nic + " up");
  }
  // The next test must not see them come up.
  CHECK(eventually(
      [] { return std::ranges::all_of(kNics, [](const char* nic) { return has_settled(nic); }); }));
}

TEST_CASE("uplink: a link of the VLAN's name that is none of the VLAN is refused", "[ethernet]") {
  const Ports ports;
  Node a(Json::array({"port1"}), 1);
  a.block()["vlanID"] = 100;
  const std::string part = "port1.100 exists and is not VLAN 100 of port1";
  SECTION("another id") {
    ip("link add port1.100 link port1 type vlan id 101");
    a.require_refused(7, part);
  }
  SECTION("another base") {
    ip("link add port1.100 link port2 type vlan id 100");
    a.require_refused(7, part);
  }
  SECTION("no VLAN at all") {
    ip("link add port1.100 type dummy");
    a.require_refused(7, part);
    ip("link del port1.100");
  }
  SECTION("the id is there under another name") {
    ip("link add storage link port1 type vlan id 100");
    a.require_refused(100, "port1.100");
  }
}

TEST_CASE("uplink: a half-made bond is completed", "[ethernet]") {
  const Ports ports;
  Node a(Json::array({"port1", "port2"}), 1);
  a.block()["bond"] = bond_block("bond0", 1);
  a.block()["vlanID"] = 100;
  const int joined = GENERATE(0, 1, 2);
  const bool up = GENERATE(false, true);
  INFO(joined << " ports, " << (up ? "up" : "down"));
  ip("link add bond0 type bond mode active-backup miimon 100");
  const std::string names[] = {"port1", "port2"};
  for (int i = 0; i < joined; ++i) {
    ip("link set " + names[i] + " down");
    ip("link set " + names[i] + " master bond0");
  }
  if (up) ip("link set bond0 up");
  const Json made = link_of("bond0");
  a.require_added();
  CHECK(link_of("bond0").at("ifindex") == made.at("ifindex"));
  CHECK(is_up("bond0"));
  CHECK(is_up("bond0.100"));
  for (const std::string& name : names) {
    CHECK(master_of(name) == "bond0");
    CHECK(is_up(name));
  }
  a.require_deleted();
}

TEST_CASE("uplink: what cannot become the bond is refused, and changes nothing", "[ethernet]") {
  const Ports ports;
  Node a(Json::array({"port1", "port2"}), 1);
  a.block()["bond"] = bond_block("bond0", 1);
  SECTION("the name is another link's") {
    ip("link add bond0 type dummy");
    a.require_refused(7, "is not a bond");
    ip("link del bond0");
  }
  SECTION("a port of another bond") {
    ip("link add other type bond");
    ip("link set port2 down");
    ip("link set port2 master other");
    a.require_refused(7, "port2 is already a port");
  }
  SECTION("a bond of another mode") {
    ip("link add bond0 type bond mode 802.3ad");
    a.require_refused(7, "exists with mode 4");
  }
  SECTION("a missing port") {
    a.block()["master"] = Json::array({"port1", "nowhere0"});
    a.require_refused(7, "nowhere0");
  }
  SECTION("an option that the kernel refuses in this mode") {
    a.block()["bond"] = bond_block("bond0", 1, "miimon=100;lacp_rate=fast");
    a.require_refused(100, "bond0");
  }
  SECTION("a primary port that does not exist") {
    a.block()["bond"] = bond_block("bond0", 1, "miimon=100;primary=nowhere0");
    a.require_refused(7, "nowhere0");
  }
  SECTION("a port that the kernel refuses, after one that it took") {
    ip("link add tunnel9 type ipip remote 192.0.2.1 local 192.0.2.2");
    a.block()["master"] = Json::array({"port1", "tunnel9"});
    a.require_refused(100, "tunnel9");
    ip("link del tunnel9");
  }
  SECTION("an MTU above that of the bond to be") {
    a.block()["mtu"] = 9000;
    a.require_refused(7, "1500");
  }
}

TEST_CASE("uplink: a bond has the MTU of its ports", "[ethernet]") {
  const Ports ports;
  ip("link set port1 mtu 9000");
  ip("link set port2 mtu 9000");
  Node a(Json::array({"port1", "port2"}), 1);
  a.block()["bond"] = bond_block("bond0", 1);
  a.block()["vlanID"] = 100;
  a.block()["mtu"] = 8000;
  a.require_added();
  for (const char* name : {"port1", "port2", "bond0", "bond0.100"}) {
    INFO(name);
    CHECK(link_of(name).at("mtu").as_int() == 9000);
  }
  CHECK(link_of("net1", a.pod.path()).at("mtu").as_int() == 8000);
  a.require_deleted();
}

TEST_CASE("uplink: every bond option arrives at the kernel", "[ethernet][kernels]") {
  const Ports ports;
  struct Wanted {
    int mode;
    const char* option;
    const char* key;  // in `ip -d -j link`
    Json value;
  };
  const Wanted all[] = {
      {0, "miimon=50", "miimon", 50},
      {0, "miimon=50;updelay=100", "updelay", 100},
      {0, "miimon=50;downdelay=150", "downdelay", 150},
      {0, "arp_interval=1000", "arp_interval", 1000},
      {0, "packets_per_slave=5", "packets_per_slave", 5},
      {0, "resend_igmp=3", "resend_igmp", 3},
      {0, "all_slaves_active=1", "all_slaves_active", 1},
      {0, "min_links=1", "min_links", 1},
      {0, "lp_interval=3", "lp_interval", 3},
      {0, "use_carrier=0", "use_carrier", 0},
      {1, "miimon=100;primary=port2", "primary", "port2"},
      {1, "miimon=100;primary_reselect=better", "primary_reselect", "better"},
      {1, "fail_over_mac=follow", "fail_over_mac", "follow"},
      {1, "num_grat_arp=4", "num_peer_notif", 4},
      {2, "xmit_hash_policy=layer3+4", "xmit_hash_policy", "layer3+4"},
      {2, "xmit_hash_policy=vlan+srcmac", "xmit_hash_policy", "vlan+srcmac"},
      {4, "miimon=100;lacp_rate=fast", "ad_lacp_rate", "fast"},
      {4, "miimon=100;ad_select=bandwidth", "ad_select", "bandwidth"},
      {5, "miimon=100;tlb_dynamic_lb=0", "tlb_dynamic_lb", 0},
  };
  Node a(Json::array({"port1", "port2"}), 1);
  for (const Wanted& wanted : all) {
    INFO(wanted.option);
    a.block()["bond"] = bond_block("bond0", wanted.mode, wanted.option);
    const Call call = a.add();
    INFO(call.describe());
    CHECK(call.ok());
    const Json link = link_of("bond0");
    if (link.is_null()) continue;
    const Json& data = info_data(link);
    if (call.process.err.find("this kernel has no use_carrier=0") != std::string::npos) {
      CHECK(wanted.option == std::string("use_carrier=0"));
      a.require_deleted();
      CHECK(link_of("bond0").is_null());
      continue;
    }
    const Json* value = data.find(wanted.key);
    if (value == nullptr) {
      // Shown under the 802.3ad's own part in some versions.
      FAIL_CHECK("no " << wanted.key << " in " << data.dump());
    } else {
      CHECK(value->dump() == wanted.value.dump());
    }
    a.require_deleted();
    CHECK(link_of("bond0").is_null());
  }
}

TEST_CASE("uplink: eight Pods at once make one bond and one VLAN", "[ethernet]") {
  const Ports ports;
  Node a(Json::array({"port1", "port2"}), 1);
  a.block()["bond"] = bond_block("bond0", 1);
  a.block()["vlanID"] = 100;
  std::vector<Pod> pods;
  std::vector<Container> containers;
  std::vector<Child> running;
  for (int i = 0; i < 8; ++i) {
    pods.emplace_back();
    containers.push_back({.id = "p" + std::to_string(i), .netns = pods.back().path()});
    running.emplace_back(Command{
        .argv = {railcni_binary()},
        .env = a.runtime.environment("ADD", containers.back()),
        .stdin_text = Runtime::plugin_config(a.list, 0, containers.back(), nullptr).dump()});
  }
  for (Child& child : running) {
    const Outcome outcome = child.wait();
    INFO(outcome.describe());
    CHECK(outcome.ok());
  }
  CHECK(ip_json("link show type bond").as_array().size() == 1);
  CHECK(ip_json("link show type vlan").as_array().size() == 1);
  // In any order, whoever has made them: the last one takes them away.
  for (size_t i = 1; i < containers.size(); ++i) {
    CHECK(is_up("bond0.100"));
    CHECK(a.runtime.del(a.list, containers[i - 1]).ok());
  }
  CHECK(is_up("bond0.100"));
  CHECK(a.runtime.del(a.list, containers.back()).ok());
  CHECK(link_of("bond0.100").is_null());
  CHECK(link_of("bond0").is_null());
  CHECK(is_up("port1"));
  CHECK(leased(a.dir).empty());
}

TEST_CASE("uplink: whatever a killed ADD left of bond and VLAN goes, or serves the next one",
          "[ethernet]") {
  const Ports ports;
  Node a(Json::array({"port1", "port2"}), 1);
  a.block()["bond"] = bond_block("bond0", 1);
  a.block()["vlanID"] = 100;
  const Pod other("other");
  const Container second{.id = "c2", .netns = other.path()};
  const Command command{
      .argv = {railcni_binary()},
      .env = a.runtime.environment("ADD", a.container),
      .stdin_text = Runtime::plugin_config(a.list, 0, a.container, nullptr).dump()};
  const Json before = machine_snapshot();
  int n = 1;
  int left = 0;
  while (run_and_kill_at(command, n)) {
    INFO("killed at system call " << n);
    const bool was_made = !link_of("bond0").is_null();
    if (was_made && ++left % 2 == 0) {
      // Another Pod completes and inherits it.
      const Call add = a.runtime.add(a.list, second);
      INFO(add.describe());
      REQUIRE(add.ok());
      a.require_deleted_but(1);
      CHECK(is_up("bond0.100"));
      CHECK(master_of("port1") == "bond0");
      CHECK(master_of("port2") == "bond0");
      CHECK(a.runtime.del(a.list, second).ok());
    } else {
      a.require_deleted();
    }
    CHECK(link_of("bond0").is_null());
    n += was_made ? 3 : 7;
  }
  CHECK(n > 50);
  CHECK(left > 3);
  a.require_deleted();
  CHECK(machine_changes_since(before) == "");
}
