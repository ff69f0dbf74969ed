// Probes against a real kernel, and against forged frames, at the other end of a link.
#include "railcni/probe.h"

#include <linux/if_arp.h>
#include <linux/if_ether.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "railcni/error.h"
#include "railcni/netns.h"
#include "src/probe/arp.h"
#include "src/probe/ndp.h"
#include "src/probe/neighbour.h"
#include "src/probe/packet_socket.h"
#include "tests/netns/probe_world.h"

using namespace railcni;
using namespace railcni::test;
using std::chrono::milliseconds;

namespace {

constexpr MacAddress kForger = {0x02, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa};

// Far more than is needed; a hang is what it is about.
constexpr milliseconds kAtMost{60000};

std::vector<IpAddress> ips(const std::vector<std::string>& texts) {
  std::vector<IpAddress> result;
  for (const std::string& text : texts) result.push_back(IpAddress::parse(text).value());
  return result;
}

IpAddress one(const std::string& text) { return ips({text}).front(); }

// "10.9.0.1 02:00:00:00:00:01" for each, in order.
std::vector<std::string> words(const std::vector<Conflict>& conflicts) {
  std::vector<std::string> result;
  for (const Conflict& c : conflicts) {
    result.push_back(c.address.to_string() + " " + to_string(c.owner));
  }
  return result;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("probe: nobody has the addresses") {
  ProbeWorld world;
  const auto [conflicts, took] =
      world.find_conflicts({"10.9.0.7", "fd09::7", "10.9.0.7", "10.9.0.8", "fd09::8"});
  CHECK(conflicts.empty());
  CHECK(took >= milliseconds(220));
  CHECK(took < kAtMost);
}

TEST_CASE("probe: empty lists need neither link nor socket") {
  ProbeWorld world;
  LinkInfo nowhere;
  world.in_pod([&] {
    RouteSocket netlink;
    Prober prober(netlink, nowhere);
    CHECK(prober.find_conflicts({}).empty());
    CHECK(prober.find_silent_gateways({}, {}).empty());
    prober.announce({});
  });
}

TEST_CASE("probe: an owner is found, with its MAC") {
  ProbeWorld world(GENERATE(ProbeWorld::kVeth, ProbeWorld::kMacvlan));
  world.own("10.9.0.1/24");
  world.own("fd09::1/64");
  const std::string mac = to_string(world.peer().address);
  for (const std::string address : {"10.9.0.1", "fd09::1"}) {
    const auto [conflicts, took] = world.find_conflicts({"10.9.0.7", "fd09::7", address});
    CHECK(words(conflicts) == Strings{address + " " + mac});
    CHECK(took < kAtMost);
  }
}

TEST_CASE("probe: what is asked changes nothing at the others") {
  ProbeWorld world;
  world.own("10.9.0.1/24");
  world.own("fd09::1/64");
  (void)world.find_conflicts({"10.9.0.1", "fd09::1"});
  for (const Json& entry : ip_json("neigh show dev peer", world.fabric().path()).as_array()) {
    const Json* mac = entry.find("lladdr");
    CHECK((mac == nullptr || mac->as_string() != to_string(world.link().address)));
  }
  CHECK(ip_json("neigh show dev net1", world.pod().path()).as_array().empty());
}

TEST_CASE("probe: forged frames that are a conflict") {
  ProbeWorld world;
  const std::string owner = to_string(to_hw_address(kForger));
  const IpAddress v4 = one("10.9.0.7");
  const IpAddress v6 = one("fd09::7");
  const Nonce nonce = {9, 9, 9, 9, 9, 9};
  const MacAddress mac = to_mac(world.link().address);
  Frame frame;
  std::string address = "10.9.0.7";
  SECTION("another host probes for the same IPv4 address") { frame = arp_probe(kForger, v4); }
  SECTION("a gratuitous ARP request") { frame = arp_announcement(kForger, v4); }
  SECTION("a gratuitous ARP reply") {
    frame = arp_frame(kBroadcastMac, {ARPOP_REPLY, kForger, v4, kBroadcastMac, v4});
  }
  SECTION("the owner asks for somebody else") {
    frame = arp_request(kForger, v4, one("10.9.0.99"));
  }
  SECTION("a reply to us alone") {
    frame = arp_frame(mac, {ARPOP_REPLY, kForger, v4, mac, one("0.0.0.0")});
  }
  SECTION("another host probes for the same IPv6 address") {
    frame = duplicate_solicitation(kForger, v6, nonce);
    address = "fd09::7";
  }
  SECTION("an unsolicited neighbour advertisement") {
    frame = unsolicited_advertisement(kForger, v6);
    address = "fd09::7";
  }
  const Forger forger(world, [&](PacketSocket& socket) {
    socket.send(frame);
    std::this_thread::sleep_for(milliseconds(10));
  });
  const auto [conflicts, took] = world.find_conflicts({"10.9.0.7", "fd09::7"});
  CHECK(words(conflicts) == Strings{address + " " + owner});
  CHECK(took < kAtMost);
}

TEST_CASE("probe: frames that are no conflict") {
  ProbeWorld world;
  const MacAddress mac = to_mac(world.link().address);
  const IpAddress v4 = one("10.9.0.7");
  const IpAddress v6 = one("fd09::7");
  std::vector<Frame> frames;
  SECTION("others look for the address") {
    frames = {arp_request(kForger, one("10.9.0.9"), v4), solicitation(kForger, one("fd09::9"), v6)};
  }
  SECTION("frames with our own MAC") {
    frames = {arp_probe(mac, v4), arp_announcement(mac, v4),
              duplicate_solicitation(mac, v6, {1, 1, 1, 1, 1, 1}),
              unsolicited_advertisement(mac, v6)};
  }
  SECTION("garbage that says it is ARP or NDP") {
    for (size_t size = 14; size < 120; ++size) {
      Frame junk(size, static_cast<uint8_t>(size));
      std::copy(kBroadcastMac.begin(), kBroadcastMac.end(), junk.begin());
      junk[12] = 0x08;
      junk[13] = 0x06;
      frames.push_back(junk);
      junk[12] = 0x86;
      junk[13] = 0xdd;
      frames.push_back(junk);
    }
    const Frame arp = arp_announcement(kForger, v4);
    const Frame advertisement = unsolicited_advertisement(kForger, v6);
    for (size_t i = 14; i < 32; ++i) {
      Frame damaged = arp;
      if (i >= 22 && i < 28) continue;  // the sender's MAC may be any
      damaged[i] ^= 0x55;
      frames.push_back(damaged);
    }
    for (size_t i = 14; i < advertisement.size(); ++i) {
      Frame damaged = advertisement;
      if (i < 18) continue;  // traffic class and flow label may be any
      damaged[i] ^= 0x05;
      frames.push_back(damaged);
    }
    for (size_t size = 15; size < 42; ++size) {
      frames.emplace_back(arp.begin(), arp.begin() + static_cast<ptrdiff_t>(size));
    }
  }
  SECTION("frames of a VLAN") {
    for (Frame frame : {arp_announcement(kForger, v4), unsolicited_advertisement(kForger, v6)}) {
      const std::array<uint8_t, 4> tag = {0x81, 0x00, 0x00, 0x05};
      frame.insert(frame.begin() + 12, tag.begin(), tag.end());
      frames.push_back(frame);
    }
  }
  SECTION("a long frame") {
    Frame frame = arp_announcement(kForger, one("10.9.0.8"));
    frame.resize(1514);
    frames.push_back(frame);
  }
  const Forger forger(world, [&](PacketSocket& socket) {
    for (const Frame& frame : frames) socket.send(frame);
    std::this_thread::sleep_for(milliseconds(5));
  });
  const auto [conflicts, took] = world.find_conflicts({"10.9.0.7", "fd09::7"});
  CHECK(words(conflicts) == Strings{});
  CHECK(took < kAtMost);
}

TEST_CASE("probe: our own probes, looped back by the switch, are no conflict") {
  ProbeWorld world;
  // Frames as they came, also with another MAC (some bonds do that): then the nonce tells.
  const bool new_mac = GENERATE(false, true);
  std::atomic<int> reflected = 0;
  const std::vector<sock_filter> all = {BPF_STMT(BPF_RET | BPF_K, UINT32_MAX)};
  const auto reflect = [&](PacketSocket& socket) {
    std::array<uint8_t, 2048> buffer;
    while (const auto frame = socket.receive(buffer)) {
      Frame copy(frame->begin(), frame->end());
      if (new_mac) std::copy(kForger.begin(), kForger.end(), copy.begin() + 6);
      socket.send(copy);
      ++reflected;
    }
  };
  const Forger forger(world, [&](PacketSocket& socket) {
    socket.listen(all);
    reflect(socket);
    std::this_thread::sleep_for(milliseconds(1));
  });
  const auto [conflicts, took] = world.find_conflicts({"10.9.0.7", "fd09::7"});
  CHECK(words(conflicts) == Strings{});
  CHECK(took < kAtMost);
  CHECK(reflected >= 2);
}

TEST_CASE("probe: a flood neither lengthens the probe nor hides the owner") {
  ProbeWorld world(GENERATE(ProbeWorld::kVeth, ProbeWorld::kMacvlan));
  world.own("10.9.0.1/24");
  world.own("fd09::1/64");
  const MacAddress mac = to_mac(world.link().address);
  std::atomic<uint64_t> sent = 0;
  const Forger forger(world, [&](PacketSocket& socket) {
    for (uint32_t i = 0; i < 200; ++i) {
      const U128 number = (sent / 3 + i) % 60000 + 1000;
      socket.send(arp_announcement(kForger, {Family::kV4, one("10.10.0.0").value + number}));
      socket.send(duplicate_solicitation(kForger, {Family::kV6, one("fd10::").value + number}, {}));
      // Of ours, and so neither dropped by the filter nor a conflict.
      socket.send(arp_announcement(mac, one("10.9.0.7")));
      sent += 3;
    }
  });
  std::this_thread::sleep_for(milliseconds(50));
  SECTION("nobody has it") {
    const auto [conflicts, took] = world.find_conflicts({"10.9.0.7", "fd09::7"});
    CHECK(words(conflicts) == Strings{});
    CHECK(took < kAtMost);
  }
  SECTION("somebody has it") {
    for (const std::string address : {"10.9.0.1", "fd09::1"}) {
      const auto [conflicts, took] = world.find_conflicts({"10.9.0.7", "fd09::7", address});
      CHECK(words(conflicts) == Strings{address + " " + to_string(world.peer().address)});
      CHECK(took < kAtMost);
    }
  }
  SECTION("the gateways answer") {
    world.configure();
    const auto [silent, took] = world.find_silent_gateways({"10.9.0.1", "fd09::1", "10.9.0.50"});
    CHECK(silent == ips({"10.9.0.50"}));
    CHECK(took < kAtMost);
  }
}

TEST_CASE("probe: gateways") {
  ProbeWorld world(GENERATE(ProbeWorld::kVeth, ProbeWorld::kMacvlan));
  world.own("10.9.0.1/24");
  world.own("fd09::1/64");
  world.own("fe80::1/64");
  world.configure();
  SECTION("all answer") {
    world.timing.gateway_limit = kAtMost;
    const auto [silent, took] =
        world.find_silent_gateways({"10.9.0.1", "fd09::1", "fe80::1", "10.9.0.1"});
    CHECK(silent.empty());
    CHECK(took < world.timing.gateway_limit);
  }
  SECTION("one of each family is silent") {
    const auto [silent, took] =
        world.find_silent_gateways({"10.9.0.254", "10.9.0.1", "fd09::fe", "fd09::1", "10.9.0.254"});
    CHECK(silent == ips({"10.9.0.254", "fd09::fe"}));
    CHECK(took >= milliseconds(500));
    CHECK(took < kAtMost);
  }
  SECTION("from a link without an address of the family") {
    world.sources = {};
    const auto [silent, took] = world.find_silent_gateways({"10.9.0.1", "fd09::1"});
    CHECK(silent.empty());
    CHECK(took < kAtMost);
  }
}
