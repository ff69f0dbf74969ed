// detectIPConflict and detectGateway, through a whole ADD.
#include <catch2/catch.hpp>
#include <chrono>
#include <optional>

#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

// Far more than is needed; a flood that holds it up is what it is about.
constexpr std::chrono::seconds kAtMost{60};

struct World {
  explicit World(std::vector<std::string> neighbour)
      : rail("rail0", {.peer_addresses = std::move(neighbour)}) {
    Json& plugin = list["plugins"].as_array()[0];
    plugin["ipam"]["pools"] = Json::array(
        {Json::object({{"name", "p"},
                       {"subnet", "10.9.0.0/24"},
                       {"gateway", "10.9.0.1"},
                       {"ips", Json::array({"10.9.0.2-10.9.0.5"})}}),
         Json::object({{"name", "p6"}, {"subnet", "fd09::/64"}, {"gateway", "fd09::1"}})});
    plugin["coordinator"] = Json::object({{"detectIPConflict", true}, {"detectGateway", true}});
  }

  Call add() {
    const auto start = std::chrono::steady_clock::now();
    Call call = runtime.add(list, container);
    elapsed = std::chrono::steady_clock::now() - start;
    return call;
  }
  void require_nothing_left() {
    CHECK(changes_since(inside, pod.path()) == "");
    CHECK(leased(dir).empty());
    CHECK_NOTHROW(cli(dir, {"gc"}));
  }
  std::string mac_of_neighbour() const {
    for (const Json& link : ip_json("link show", rail.fabric()).as_array()) {
      if (link.at("ifname").as_string() != "lo") return link.at("address").as_string();
    }
    return "";
  }

  Rail rail;
  Pod pod;
  std::string dir = make_folder("detect");
  Runtime runtime;
  Container container{.id = "c1", .netns = pod.path()};
  Json list = macvlan_list(dir, "rail0", pool_v4());
  Json inside = snapshot(pod.path());
  std::chrono::steady_clock::duration elapsed{};
};

// Broadcasts ARP for other addresses, and garbage, as fast as it can until it is killed.
Child flood(const World& world) {
  return Child({.argv = {"/usr/bin/python3", "-c", R"(
import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
name = [n for _, n in socket.if_nameindex() if n != 'lo'][0]
s.bind((name, 0x0806))
mac = bytes.fromhex('020000000099')
arp = struct.pack('!HHBBH', 1, 0x0800, 6, 4, 1) + mac + bytes([203, 0, 113, 9]) + bytes(6)
i = 0
while True:
    i += 1
    s.send(b'\xff' * 6 + mac + b'\x08\x06' + arp + bytes([203, 0, 113, i % 256]) + bytes(18))
    s.send(b'\xff' * 6 + mac + b'\x08\x06' + bytes([i % 256]) * 46)
)"},
                .netns = world.rail.fabric()});
}

}  // namespace

TEST_CASE("detect: with nobody in the way both families come up, within bounds") {
  enter_sandbox();
  World world({"10.9.0.1/24", "fd09::1/64"});
  const bool flooded = GENERATE(false, true);
  INFO("flooded: " << flooded);
  std::optional<Child> noise;
  if (flooded) noise.emplace(flood(world));
  const Call add = world.add();
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(world.elapsed < kAtMost);
  CHECK(addresses_of("net1", world.pod.path()) ==
        std::vector<std::string>{"10.9.0.2/24", "fd09::2/64"});
  CHECK(world.runtime.check(world.list, world.container).ok());
  CHECK(world.runtime.del(world.list, world.container).ok());
  world.require_nothing_left();
}

TEST_CASE("detect: an address that another host has is passed over, and not offered again") {
  enter_sandbox();
  World world({"10.9.0.1/24", "fd09::1/64", "10.9.0.2/24", "fd09::2/64", "10.9.0.3/24"});
  const bool flooded = GENERATE(false, true);
  INFO("flooded: " << flooded);
  std::optional<Child> noise;
  if (flooded) noise.emplace(flood(world));
  const Call add = world.add();
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(addresses_of("net1", world.pod.path()) ==
        std::vector<std::string>{"10.9.0.4/24", "fd09::3/64"});
  CHECK(leased(world.dir) == std::vector<std::string>{"10.9.0.4/24", "fd09::3/64"});
  CHECK(world.elapsed < kAtMost);
  CHECK(world.runtime.check(world.list, world.container).ok());
  // The next Pod is not even offered those in quarantine.
  Pod second("second");
  const Container other{.id = "c2", .netns = second.path()};
  REQUIRE(world.runtime.add(world.list, other).ok());
  CHECK(addresses_of("net1", second.path()).front() == "10.9.0.5/24");
  CHECK(world.runtime.del(world.list, other).ok());
  CHECK(world.runtime.del(world.list, world.container).ok());
  world.require_nothing_left();
}

TEST_CASE("detect: after a few conflicts the error names the address and the other's MAC") {
  enter_sandbox();
  World world({"10.9.0.1/24", "10.9.0.2/24", "10.9.0.3/24", "10.9.0.4/24", "10.9.0.5/24"});
  const Call add = world.add();
  CHECK(add.code() == 11);
  INFO(add.describe());
  CHECK_THAT(add.msg(), Catch::Contains("10.9.0.") && Catch::Contains(world.mac_of_neighbour()));
  world.require_nothing_left();
}

TEST_CASE("detect: a requested address that is in use is an error at once") {
  enter_sandbox();
  World world({"10.9.0.1/24", "10.9.0.4/24"});
  world.container.args = "IgnoreUnknown=1;IP=10.9.0.4";
  const Call add = world.add();
  CHECK(add.code() == 11);
  CHECK_THAT(add.msg(), Catch::Contains("10.9.0.4") && Catch::Contains(world.mac_of_neighbour()));
  world.require_nothing_left();
}

TEST_CASE("detect: a silent gateway makes ADD fail by name, with everything undone") {
  enter_sandbox();
  std::string silent;
  std::vector<std::string> there;
  SECTION("IPv4") {
    silent = "10.9.0.1";
    there = {"fd09::1/64"};
  }
  SECTION("IPv6") {
    silent = "fd09::1";
    there = {"10.9.0.1/24"};
  }
  World world(there);
  const bool flooded = GENERATE(false, true);
  INFO("flooded: " << flooded);
  std::optional<Child> noise;
  if (flooded) noise.emplace(flood(world));
  const Call add = world.add();
  INFO(add.describe());
  CHECK(add.code() == 11);
  CHECK_THAT(add.msg(), Catch::Contains("gateway " + silent));
  CHECK(world.elapsed < kAtMost);
  world.require_nothing_left();
}
