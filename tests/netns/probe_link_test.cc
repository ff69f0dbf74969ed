// Announcements, links that go down, and probing by the kernel's neighbour resolution.
#include <linux/if_ether.h>

#include <catch2/catch.hpp>
#include <thread>

#include "railcni/error.h"
#include "railcni/probe.h"
#include "src/probe/arp.h"
#include "src/probe/ndp.h"
#include "src/probe/neighbour.h"
#include "tests/netns/probe_world.h"

using namespace railcni;
using namespace railcni::test;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kAtMost{60000};

IpAddress one(const std::string& text) { return IpAddress::parse(text).value(); }

std::string neighbour_of(const std::string& address, const std::string& ifname,
                         const std::string& netns) {
  for (const Json& entry : ip_json("neigh show dev " + ifname, netns).as_array()) {
    if (entry.at("dst").as_string() != address) continue;
    const Json* mac = entry.find("lladdr");
    return mac != nullptr ? mac->as_string() : "unknown";
  }
  return "none";
}

// Waits until `frame` arrives, among others.
bool arrives(PacketSocket& socket, const Frame& frame) {
  std::array<uint8_t, 2048> buffer;
  for (int i = 0; i < 200; ++i) {
    while (const auto got = socket.receive(buffer)) {
      if (Frame(got->begin(), got->end()) == frame) return true;
    }
    std::this_thread::sleep_for(milliseconds(5));
  }
  return false;
}

// As IPoIB has it; the link itself stays an Ethernet one, so that there is somebody to answer.
LinkInfo with_long_address(LinkInfo link) {
  link.address.resize(20);
  return link;
}

void give_link_local(const ProbeWorld& world) {
  ip("addr add fe80::77/64 dev net1 nodad", world.pod().path());
}

}  // namespace

TEST_CASE("probe: announcements reach the others and correct their neighbour tables") {
  ProbeWorld world;
  const std::string fabric = world.fabric().path();
  const std::string mac = to_string(world.link().address);
  for (const char* address : {"10.9.0.2", "fd09::2"}) {
    ip("neigh replace " + std::string(address) + " lladdr 02:00:00:00:00:99 nud stale dev peer",
       fabric);
  }
  world.own("10.9.0.1/24");
  world.own("fd09::1/64");
  std::optional<PacketSocket> listener;
  world.in_fabric([&] {
    listener.emplace(world.peer());
    listener->listen({BPF_STMT(BPF_RET | BPF_K, UINT32_MAX)});
  });
  world.configure();
  world.in_pod([&] {
    RouteSocket netlink;
    Prober(netlink, world.link()).announce({one("10.9.0.2"), one("fd09::2")});
  });
  const MacAddress ours = to_mac(world.link().address);
  CHECK(arrives(*listener, arp_announcement(ours, one("10.9.0.2"))));
  CHECK(arrives(*listener, unsolicited_advertisement(ours, one("fd09::2"))));
  CHECK(neighbour_of("10.9.0.2", "peer", fabric) == mac);
  CHECK(neighbour_of("fd09::2", "peer", fabric) == mac);
}

TEST_CASE("probe: an announcement that cannot be sent is no failure") {
  ProbeWorld world;
  ip("link set net1 down", world.pod().path());
  world.in_pod([&] {
    RouteSocket netlink;
    CHECK_NOTHROW(Prober(netlink, world.link()).announce({one("10.9.0.2"), one("fd09::2")}));
    LinkInfo gone = world.link();
    gone.index = 9999;
    CHECK_NOTHROW(Prober(netlink, gone).announce({one("10.9.0.2")}));
    CHECK_NOTHROW(Prober(netlink, with_long_address(world.link())).announce({one("10.9.0.2")}));
  });
}

TEST_CASE("probe: a link that is down is an error") {
  ProbeWorld world;
  const bool frames = GENERATE(true, false);
  const LinkInfo link = frames ? world.link() : with_long_address(world.link());
  const std::string address = GENERATE("10.9.0.7", "fd09::7");
  ip("link set net1 down", world.pod().path());
  world.in_pod([&] {
    RouteSocket netlink;
    try {
      (void)Prober(netlink, link).find_conflicts({one(address)});
      FAIL("no error");
    } catch (const Error& error) {
      CHECK(error.code() == Code::kKernel);
      CHECK_THAT(error.msg(), Catch::Contains("net1") && Catch::Contains("down"));
    }
    CHECK_THROWS_AS(Prober(netlink, link).find_silent_gateways({}, {one(address)}), Error);
  });
}

TEST_CASE("probe: a link that goes down or away meanwhile ends the probe") {
  ProbeWorld world;
  const std::string command = GENERATE("link set net1 down", "link del net1");
  world.timing.last_wait = milliseconds(300000);
  const auto start = std::chrono::steady_clock::now();
  std::thread saboteur([&] {
    std::this_thread::sleep_for(milliseconds(300));
    (void)ip_succeeds(command, world.pod().path());
  });
  CHECK_THROWS_AS(world.find_conflicts({"10.9.0.7", "fd09::7"}), Error);
  saboteur.join();
  CHECK(std::chrono::steady_clock::now() - start < milliseconds(150000));
}

TEST_CASE("probe: by the kernel: owners, on a link whose address has not 6 bytes") {
  ProbeWorld world;
  world.own("10.9.0.1/24");
  world.own("fd09::1/64");
  give_link_local(world);
  const LinkInfo link = with_long_address(world.link());
  const std::string address = GENERATE("10.9.0.1", "fd09::1");
  world.in_pod([&] {
    RouteSocket netlink;
    const auto conflicts =
        Prober(netlink, link).find_conflicts({one("10.9.0.7"), one(address), one("fd09::7")});
    REQUIRE(conflicts.size() == 1);
    CHECK(conflicts[0].address == one(address));
    CHECK(conflicts[0].owner == world.peer().address);
  });
  CHECK(ip_json("neigh show dev net1", world.pod().path()).as_array().empty());
}

TEST_CASE("probe: by the kernel: nobody answers") {
  ProbeWorld world;
  give_link_local(world);
  world.in_pod([&] {
    RouteSocket netlink;
    const auto start = std::chrono::steady_clock::now();
    CHECK(ask_kernel(netlink, world.link(), {one("10.9.0.7"), one("fd09::7")},
                     conflict_rounds(world.timing), true)
              .empty());
    const auto took = std::chrono::steady_clock::now() - start;
    CHECK(took >= milliseconds(220));
    CHECK(took < kAtMost);
  });
  CHECK(ip_json("neigh show dev net1", world.pod().path()).as_array().empty());
}

TEST_CASE("probe: by the kernel: an owner that comes after the first question") {
  ProbeWorld world;
  world.timing.probes = 20;
  world.timing.interval = milliseconds(100);
  std::thread late([&] {
    std::this_thread::sleep_for(milliseconds(250));
    world.own("10.9.0.1/24");
  });
  world.in_pod([&] {
    RouteSocket netlink;
    CHECK(Prober(netlink, with_long_address(world.link()), world.timing)
              .find_conflicts({one("10.9.0.1")})
              .size() == 1);
  });
  late.join();
}

TEST_CASE("probe: by the kernel: an entry from before says nothing about now") {
  ProbeWorld world;
  ip("neigh add 10.9.0.7 lladdr 02:00:00:00:00:99 nud stale dev net1", world.pod().path());
  ip("neigh add 10.9.0.8 lladdr 02:00:00:00:00:98 nud permanent dev net1", world.pod().path());
  world.in_pod([&] {
    RouteSocket netlink;
    const LinkInfo link = with_long_address(world.link());
    CHECK(Prober(netlink, link).find_conflicts({one("10.9.0.7")}).empty());
    // Written by the administrator, who knows.
    CHECK(Prober(netlink, link).find_conflicts({one("10.9.0.8")}).size() == 1);
  });
  CHECK(neighbour_of("10.9.0.8", "net1", world.pod().path()) == "02:00:00:00:00:98");
}

TEST_CASE("probe: by the kernel: gateways") {
  ProbeWorld world;
  world.own("10.9.0.1/24");
  world.own("fd09::1/64");
  world.own("fe80::1/64");
  give_link_local(world);
  world.configure();
  world.in_pod([&] {
    RouteSocket netlink;
    const LinkInfo link = with_long_address(world.link());
    Prober prober(netlink, link);
    CHECK(prober.find_silent_gateways(world.sources, {one("10.9.0.1"), one("10.9.0.254"),
                                                      one("fd09::1"), one("fd09::fe")}) ==
          std::vector<IpAddress>{one("10.9.0.254"), one("fd09::fe")});
    CHECK(prober.find_silent_gateways(world.sources, {one("10.9.0.1"), one("fe80::1")}).empty());
  });
}

TEST_CASE("probe: all steps of an ADD on one socket") {
  ProbeWorld world;
  world.own("10.9.0.1/24");
  world.own("fd09::1/64");
  const std::vector<IpAddress> ours = {one("10.9.0.2"), one("fd09::2")};
  world.in_pod([&] {
    RouteSocket netlink;
    Prober prober(netlink, world.link());
    CHECK(prober.find_conflicts({one("10.9.0.1"), one("fd09::3")}).size() == 1);
    CHECK(prober.find_conflicts(ours).empty());
    world.configure();
    const auto start = std::chrono::steady_clock::now();
    CHECK(prober.find_silent_gateways(ours, {one("10.9.0.1"), one("fd09::1")}).empty());
    prober.announce(ours);
    const auto took = std::chrono::steady_clock::now() - start;
    CHECK(took < kAtMost);
    CHECK(prober.find_silent_gateways(ours, {one("10.9.0.99")}).size() == 1);
  });
}
