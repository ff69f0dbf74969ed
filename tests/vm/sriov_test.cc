// VFs of a real SR-IOV NIC in Pods.
#include <catch2/catch.hpp>
#include <thread>

#include "tests/vm/machine.h"
#include "tests/vm/sriov_world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

struct World {
  Machine machine;
  std::vector<std::string> near = vfs_of("rail1");
  std::vector<std::string> far = vfs_of("rail1b");
  std::string dir = make_folder("sriov");
  Runtime runtime;
  Json before = machine_snapshot();
};

void add(World& world, const Json& list, const Container& container) {
  const Call call = world.runtime.add(list, container);
  INFO(call.describe());
  REQUIRE(call.ok());
}

void del(World& world, const Json& list, const Container& container) {
  const Call call = world.runtime.del(list, container);
  INFO(call.describe());
  REQUIRE(call.ok());
}

std::string address_of(const Pod& pod) {
  const auto addresses = addresses_of("net1", pod.path());
  REQUIRE(addresses.size() == 1);
  return addresses.front().substr(0, addresses.front().find('/'));
}

// Everything that a VF can be given on this NIC.
Json full_block(const char* mac) {
  return Json::object({{"resourceName", "example.com/vf"},
                       {"vlanID", 100},
                       {"vlanQoS", 3},
                       {"mac", mac},
                       {"trust", "on"},
                       {"spoofchk", "off"},
                       {"maxTxRateMbps", 200},
                       {"mtu", 1400}});
}

}  // namespace

TEST_CASE("two Pods with a VF each reach each other with all that is configured",
          "[ethernet][kernels]") {
  World world;
  Pod one("one");
  Pod two("two");
  const Json first =
      with_device(sriov_list(world.dir, full_block("02:00:00:00:0a:01")), world.near[0]);
  const Json second =
      with_device(sriov_list(world.dir, full_block("02:00:00:00:0a:02")), world.far[2]);
  const Container first_container{.id = "one", .netns = one.path()};
  const Container second_container{.id = "two", .netns = two.path()};
  add(world, first, first_container);
  add(world, second, second_container);

  const Json result = world.runtime.cached(first, first_container);
  const Json interface = result.at("interfaces").as_array().at(0);
  CHECK(interface.at("name") == "net1");
  CHECK(interface.at("mac") == "02:00:00:00:0a:01");
  CHECK(interface.at("mtu") == 1400);
  CHECK(interface.at("pciID") == world.near[0].c_str());

  const Json link = link_of("net1", one.path());
  CHECK(link.at("address") == "02:00:00:00:0a:01");
  CHECK(link.at("mtu") == 1400);
  CHECK(link.at("parentdev") == world.near[0].c_str());
  const Json vf = vf_of("rail1", 0);
  CHECK(vf.at("address") == "02:00:00:00:0a:01");
  CHECK(vf.at("vlan_list").as_array().at(0).at("vlan") == 100);
  CHECK(vf.at("vlan_list").as_array().at(0).at("qos") == 3);
  CHECK(vf.at("trust") == true);
  CHECK(vf.at("spoofchk") == false);
  CHECK(vf.at("rate").at("max_tx") == 200);

  CHECK(reaches(address_of(two), one.path()));
  CHECK(reaches(address_of(one), two.path()));
  const Call check = world.runtime.check(first, first_container);
  INFO(check.describe());
  CHECK(check.ok());

  del(world, first, first_container);
  del(world, second, second_container);
  CHECK(machine_changes_since(world.before) == "");
  del(world, first, first_container);
}

TEST_CASE("a VF keeps what is not configured, and gets it back when the Pod changed it",
          "[ethernet][kernels]") {
  World world;
  const std::string netdev = netdev_of(world.near[1]);
  ip("link set rail1 vf 1 vlan 7 qos 2");
  ip("link set rail1 vf 1 trust on");
  ip("link set " + netdev + " mtu 1450 txqueuelen 77 up");
  ip("link property add dev " + netdev + " altname railvf-alternative-name");
  ip("link set " + netdev + " promisc on");
  REQUIRE(eventually([&] { return has_settled(netdev); }));
  const Json before = machine_snapshot();
  Pod pod;
  // The name is free for a Pod's own link too: the alternative name is in the way there.
  ip("link add railvf-altern type dummy", pod.path());
  const Json list = with_device(sriov_list(world.dir), world.near[1]);
  const Container container{.id = "plain", .netns = pod.path()};
  add(world, list, container);
  CHECK(vf_of("rail1", 1).at("vlan_list").as_array().at(0).at("vlan") == 7);
  CHECK(link_of("net1", pod.path()).at("mtu") == 1450);
  // What a Pod with CAP_NET_ADMIN can do.
  ip("link set net1 mtu 1300 txqueuelen 5 promisc off allmulticast on group 9", pod.path());
  // Before Linux 6.2 a link must be down to be renamed.
  ip("link set net1 down", pod.path());
  ip("link set net1 name mine up", pod.path());
  // After the MTU: igbvf resets for that, and would take this address for the permanent one.
  ip("link set mine address 02:00:00:00:0b:0b", pod.path());
  ip("link property add dev mine altname another-name", pod.path());
  del(world, list, container);
  CHECK(machine_changes_since(before) == "");
  ip("link property del dev " + netdev + " altname railvf-alternative-name");
  ip("link set " + netdev + " mtu 1500 txqueuelen 1000 promisc off down");
  ip("link set rail1 vf 1 vlan 0");
  ip("link set rail1 vf 1 trust off");
}

TEST_CASE("a VF that its PF gave no MAC is reached in the next Pod, too", "[ethernet][kernels]") {
  World world;
  ip("link set rail1 vf 0 mac 00:00:00:00:00:00");
  const Json plain = with_device(sriov_list(world.dir), world.near[0]);
  const Json peer = with_device(sriov_list(world.dir), world.far[0]);
  const Pod pods[3];
  const auto container = [&](int i) {
    return Container{.id = "c" + std::to_string(i), .netns = pods[i].path()};
  };
  add(world, plain, container(0));
  // What a driver does by itself: the PF learns of the address when the VF has one set.
  const std::string own = link_of("net1", pods[0].path()).at("address").as_string();
  ip("link set net1 address 02:00:00:00:0d:09", pods[0].path());
  ip("link set net1 address " + own, pods[0].path());
  del(world, plain, container(0));
  add(world, plain, container(1));
  add(world, peer, container(2));
  CHECK(reaches(address_of(pods[1]), pods[2].path()));
  del(world, plain, container(1));
  del(world, peer, container(2));
}

TEST_CASE("vlan 0 clears the VLAN that a VF had", "[ethernet]") {
  World world;
  ip("link set rail1 vf 3 vlan 9");
  Pod pod;
  const Json list = with_device(sriov_list(world.dir, Json::object({{"vlan", 0}})), world.near[3]);
  const Container container{.id = "clear", .netns = pod.path()};
  add(world, list, container);
  CHECK(vf_of("rail1", 3).at("vlan_list").as_array().at(0).find("vlan") == nullptr);
  del(world, list, container);
  CHECK(vf_of("rail1", 3).at("vlan_list").as_array().at(0).at("vlan") == 9);
  ip("link set rail1 vf 3 vlan 0");
}

TEST_CASE("eight VFs go to eight Pods at once and come back", "[ethernet]") {
  World world;
  // This NIC has seven VFs: the eighth is the other PF's.
  std::vector<std::string> devices = world.near;
  devices.push_back(world.far[0]);
  const Json block = Json::object({{"vlanID", 200}, {"trust", "on"}});
  std::vector<Pod> pods;
  for (size_t i = 0; i < devices.size(); ++i) pods.emplace_back("many");
  for (int round = 0; round < 2; ++round) {
    std::vector<Child> children;
    const auto start_all = [&](const char* verb) {
      children.clear();
      for (size_t i = 0; i < devices.size(); ++i) {
        const Json list = with_device(sriov_list(world.dir, block), devices[i]);
        const Container container{.id = "many" + std::to_string(i), .netns = pods[i].path()};
        children.emplace_back(
            Command{.argv = {railcni_binary()},
                    .env = world.runtime.environment(verb, container),
                    .stdin_text = Runtime::plugin_config(list, 0, container, nullptr).dump()});
      }
      for (Child& child : children) {
        const Outcome outcome = child.wait();
        INFO(outcome.describe());
        CHECK(outcome.ok());
      }
    };
    start_all("ADD");
    for (size_t i = 1; i < pods.size(); ++i) CHECK(reaches(address_of(pods[i]), pods[0].path()));
    start_all("DEL");
    CHECK(machine_changes_since(world.before) == "");
  }
}

TEST_CASE("a hundred rounds of ADD and DEL leave no difference", "[ethernet]") {
  World world;
  Pod pod;
  const Json list =
      with_device(sriov_list(world.dir, full_block("02:00:00:00:0c:01")), world.near[4]);
  const Container container{.id = "rounds", .netns = pod.path()};
  for (int round = 0; round < 100; ++round) {
    INFO("round " << round);
    add(world, list, container);
    del(world, list, container);
  }
  CHECK(machine_changes_since(world.before) == "");
}
