// The packet filters of the probes, run by the kernel on whole frames.
#include <linux/if_arp.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>

#include "railcni/fd.h"
#include "src/probe/arp.h"
#include "src/probe/filter.h"
#include "src/probe/ndp.h"

using namespace railcni;

namespace {

constexpr MacAddress kMac = {0x02, 0x00, 0x00, 0x00, 0x00, 0x07};
constexpr MacAddress kOther = {0x02, 0x00, 0x00, 0x00, 0x00, 0x08};
constexpr Nonce kNonce = {1, 2, 3, 4, 5, 6};

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

// Any kind of socket takes a filter: here one end of a pair, to which the frame is sent.
bool passes(const Filter& filter, const Frame& frame) {
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0);
  const Fd sender(ends[0]);
  const Fd receiver(ends[1]);
  sock_fprog program{};
  program.len = static_cast<unsigned short>(filter.size());
  program.filter = const_cast<sock_filter*>(filter.data());
  REQUIRE(setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0);
  (void)::send(ends[0], frame.data(), frame.size(), MSG_DONTWAIT);
  uint8_t buffer[2048];
  const ssize_t count = recv(ends[1], buffer, sizeof buffer, MSG_DONTWAIT);
  if (count < 0) return false;
  CHECK(static_cast<size_t>(count) == frame.size());
  return true;
}

}  // namespace

TEST_CASE("probe filter: the ARP filter passes what concerns the addresses") {
  const std::vector<IpAddress> two = {ip("10.1.2.3"), ip("10.1.2.4")};
  const Filter conflict = probe_filter(two, true);
  const Filter gateway = probe_filter(two, false);
  const auto reply = [](std::string_view sender, std::string_view target) {
    return arp_frame(kMac, {ARPOP_REPLY, kOther, ip(sender), kMac, ip(target)});
  };
  for (const std::string_view address : {"10.1.2.3", "10.1.2.4"}) {
    CHECK(passes(conflict, reply(address, "0.0.0.0")));
    CHECK(passes(gateway, reply(address, "10.9.9.9")));
    CHECK(passes(conflict, arp_announcement(kOther, ip(address))));
    CHECK(passes(conflict, arp_probe(kOther, ip(address))));
    CHECK_FALSE(passes(gateway, arp_probe(kOther, ip(address))));
    // Somebody looks for the address.
    CHECK_FALSE(passes(conflict, arp_request(kOther, ip("10.1.2.9"), ip(address))));
  }
  CHECK_FALSE(passes(conflict, reply("10.1.2.5", "10.1.2.3")));
  CHECK_FALSE(passes(conflict, arp_probe(kOther, ip("10.1.2.5"))));
  const Frame good = arp_probe(kOther, ip("10.1.2.3"));
  for (size_t size = 1; size < good.size(); ++size) {
    CHECK_FALSE(passes(conflict, Frame(good.begin(), good.begin() + static_cast<ptrdiff_t>(size))));
  }
}

TEST_CASE("probe filter: the NDP filter passes what concerns the addresses") {
  const std::vector<IpAddress> two = {ip("fd09::1:3"), ip("fd09::2:3")};
  const Filter conflict = probe_filter(two, true);
  const Filter gateway = probe_filter(two, false);
  for (const IpAddress& address : two) {
    CHECK(passes(conflict, duplicate_solicitation(kOther, address, kNonce)));
    CHECK_FALSE(passes(gateway, duplicate_solicitation(kOther, address, kNonce)));
    CHECK(passes(conflict, unsolicited_advertisement(kOther, address)));
    CHECK(passes(gateway, unsolicited_advertisement(kOther, address)));
    CHECK_FALSE(passes(conflict, solicitation(kOther, ip("fd09::9"), address)));
    // Only one byte of :: is not 0.
    for (size_t i = 22; i < 38; ++i) {
      Frame frame = duplicate_solicitation(kOther, address, kNonce);
      frame[i] = 1;
      CHECK_FALSE(passes(conflict, frame));
    }
  }
  for (const std::string_view other : {"fd09::3:3", "fd09::2:4", "fd0a::1:3", "fd09:0:0:1::1:3"}) {
    CHECK_FALSE(passes(conflict, unsolicited_advertisement(kOther, ip(other))));
    CHECK_FALSE(passes(gateway, unsolicited_advertisement(kOther, ip(other))));
    CHECK_FALSE(passes(conflict, duplicate_solicitation(kOther, ip(other), kNonce)));
  }
  Frame tcp = unsolicited_advertisement(kOther, two[0]);
  tcp[20] = 6;
  CHECK_FALSE(passes(conflict, tcp));
  Frame echo = unsolicited_advertisement(kOther, two[0]);
  echo[54] = 128;
  CHECK_FALSE(passes(conflict, echo));
  CHECK_FALSE(passes(gateway, echo));
}

TEST_CASE("probe filter: both families at once, and nothing else") {
  const bool probes = GENERATE(true, false);
  const Filter both = probe_filter({ip("10.1.2.3"), ip("fd09::3")}, probes);
  CHECK(passes(both, arp_announcement(kOther, ip("10.1.2.3"))));
  CHECK(passes(both, unsolicited_advertisement(kOther, ip("fd09::3"))));
  CHECK(passes(both, arp_probe(kOther, ip("10.1.2.3"))) == probes);
  CHECK(passes(both, duplicate_solicitation(kOther, ip("fd09::3"), kNonce)) == probes);
  // The same bytes under another EtherType.
  for (const Frame& good : {arp_announcement(kOther, ip("10.1.2.3")),
                            unsolicited_advertisement(kOther, ip("fd09::3"))}) {
    Frame other = good;
    other[13] ^= 1;
    CHECK_FALSE(passes(both, other));
  }
  const Filter v6_only = probe_filter({ip("fd09::3")}, probes);
  CHECK_FALSE(passes(v6_only, arp_announcement(kOther, ip("10.1.2.3"))));
  CHECK_FALSE(passes(v6_only, arp_announcement(kOther, ip("0.0.0.0"))));
}

TEST_CASE("probe filter: the kernel takes the filter of any number of addresses") {
  std::vector<IpAddress> addresses;
  const size_t count = GENERATE(63, 64, 65, 5000);
  for (size_t i = 1; i <= count; ++i) {
    addresses.push_back({Family::kV4, ip("10.0.0.0").value + i});
    addresses.push_back({Family::kV6, ip("fd09::").value + i});
  }
  const IpAddress v4 = addresses[2 * count - 2];
  const IpAddress v6 = addresses[2 * count - 1];
  const Filter filter = probe_filter(addresses, true);
  CHECK(passes(filter, arp_probe(kOther, v4)));
  CHECK(passes(filter, arp_announcement(kOther, v4)));
  CHECK(passes(filter, unsolicited_advertisement(kOther, v6)));
  CHECK(passes(filter, duplicate_solicitation(kOther, v6, kNonce)));
}
