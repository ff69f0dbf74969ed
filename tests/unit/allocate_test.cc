#include "ipam/pool_state.h"
#include "ipam_fixture.h"
#include "tests/support/sanitized.h"

namespace railcni {
namespace {

using test::error_of;
using test::Ipam;
using test::owner;
using test::pool;

TEST_CASE("new addresses in order, then the one that rested longest", "[allocate]") {
  Ipam ipam;
  Pool p = pool("p", "10.0.0.0/29", R"(,"gateway":"10.0.0.1")");
  CHECK(ipam.get(1, p) == "10.0.0.2");
  CHECK(ipam.get(2, p) == "10.0.0.3");
  ipam.del(owner(1));
  ipam.check();
  // .2 is free, and is not what the next one gets.
  CHECK(ipam.get(3, p) == "10.0.0.4");
  CHECK(ipam.get(4, p) == "10.0.0.5");
  CHECK(ipam.get(5, p) == "10.0.0.6");
  ipam.del(owner(4));
  ipam.del(owner(2));
  CHECK(ipam.usage(p).leased == 2);
  CHECK(ipam.usage(p).resting == 3);
  CHECK(ipam.get(6, p) == "10.0.0.2");
  CHECK(ipam.get(7, p) == "10.0.0.5");
  CHECK(ipam.get(8, p) == "10.0.0.3");
  ipam.check();
  Error full = error_of([&] { ipam.get(9, p); });
  CHECK(full.code() == Code::kTryAgainLater);
  CHECK(full.msg() == "no free IPv4 address: pool p: 5 of 5 in use");
  ipam.check();
}

TEST_CASE("pools serve in order, and exhaustion names them all", "[allocate]") {
  Ipam ipam;
  Pool a = pool("gpu1-net11", "172.16.0.0/16", R"(,"ips":["172.16.11.1-172.16.11.200"])");
  Pool b = pool("b", "10.0.0.0/24", R"(,"ips":["10.0.0.1-10.0.0.3"])");
  for (int i = 0; i < 203; ++i) {
    Lease lease = ipam.add(owner(i), {a, b}).at(0);
    REQUIRE(lease.pool == (i < 200 ? "gpu1-net11" : "b"));
    REQUIRE(lease.address.length == (i < 200 ? 16 : 24));
  }
  ipam.conflict(owner(201), 2000);
  CHECK(error_of([&] {
          ipam.add(owner(300), {a, b});
        }).msg() ==
        "no free IPv4 address: pool gpu1-net11: 200 of 200 in use; "
        "pool b: 3 of 3 in use (1 quarantined)");
  ipam.del(owner(7));
  CHECK(ipam.get(301, a) == "172.16.11.8");
  ipam.check();
}

TEST_CASE("both families or none", "[allocate]") {
  Ipam ipam;
  Pool v4 = pool("v4", "10.0.0.0/24");
  Pool v6 = pool("v6", "fd00::/126");
  auto leases = ipam.add(owner(1), {v4}, {v6});
  REQUIRE(leases.size() == 2);
  CHECK(leases[0].address.to_string() == "10.0.0.1/24");
  CHECK(leases[1].address.to_string() == "fd00::1/126");
  ipam.add(owner(2), {}, {v6});
  ipam.add(owner(3), {}, {v6});
  ipam.store().write([&](Txn& txn) {
    // Even when the caller catches the error inside of its transaction, nothing was written.
    CHECK(error_of([&] {
            allocate(txn, {{v4}, {v6}}, {}, owner(4), 1000);
          }).msg() == "no free IPv6 address: pool v6: 3 of 3 in use");
    CHECK(pool_usage(txn, v4).leased == 1);
  });
  CHECK(ipam.get(5, v4) == "10.0.0.2");
  ipam.check();
}

TEST_CASE("an owner gives back its own leases only", "[allocate]") {
  Ipam ipam;
  Pool p = pool("p", "10.0.0.0/24");
  auto leases = ipam.add(owner(1), {p});
  ipam.store().write([&](Txn& txn) {
    CHECK(holds_lease(txn, leases[0], owner(1)));
    CHECK_FALSE(holds_lease(txn, leases[0], owner(2)));
    release(txn, leases, owner(2));
    quarantine(txn, leases[0], owner(2), 9999);
    CHECK(holds_lease(txn, leases[0], owner(1)));
    Lease unknown{"nobody", leases[0].address};
    release(txn, {unknown}, owner(1));
    CHECK_FALSE(holds_lease(txn, unknown, owner(1)));
  });
  ipam.check();
  ipam.del(owner(1));
  ipam.store().write([&](Txn& txn) {
    release(txn, leases, owner(1));  // a second time: nothing happens
    CHECK(pool_usage(txn, p).resting == 1);
    CHECK_FALSE(holds_lease(txn, leases[0], owner(1)));
  });
  ipam.check();
}

TEST_CASE("requested addresses", "[allocate]") {
  Ipam ipam;
  Pool p = pool("p", "10.0.0.0/24", R"(,"gateway":"10.0.0.1","ips":["10.0.0.2-10.0.0.9"])");
  Pool q = pool("q", "10.0.1.0/24");
  Pool v6 = pool("v6", "fd00::/64");
  CHECK(ipam.add(owner(1), {p, q}, {}, {"10.0.1.77", "10.0.1.77/24"}).size() == 1);
  auto dual = ipam.add(owner(2), {p}, {v6}, {"10.0.0.5/24"});
  REQUIRE(dual.size() == 2);
  CHECK(dual[0].address.to_string() == "10.0.0.5/24");
  CHECK(dual[1].address.to_string() == "fd00::1/64");
  auto many = ipam.add(owner(3), {p, q}, {}, {"10.0.0.9", "10.0.1.9"});
  CHECK(many.size() == 2);

  auto error = [&](const std::string& want) {
    return error_of([&] { ipam.add(owner(9), {p, q}, {v6}, {want}); });
  };
  CHECK(error("10.0.0.5").code() == Code::kTryAgainLater);
  CHECK_THAT(error("10.0.0.5").msg(), Catch::Contains("in use by another attachment"));
  CHECK(error("10.0.0.1").code() == Code::kInvalidConfig);
  CHECK_THAT(error("10.0.0.1").msg(), Catch::Contains("gateway of pool p"));
  CHECK(error("10.0.0.10").code() == Code::kInvalidConfig);
  CHECK_THAT(error("10.0.0.10").msg(), Catch::Contains("10.0.0.2-10.0.0.9"));
  CHECK(error("10.0.0.6/16").code() == Code::kInvalidConfig);
  CHECK_THAT(error("10.0.0.6/16").msg(), Catch::Contains("prefix length"));
  CHECK(error_of([&] { ipam.add(owner(9), {p}, {}, {"fd00::5"}); }).code() == Code::kInvalidConfig);

  // A resting address may be asked for, and leaves its place in the queue.
  ipam.del(owner(2));
  CHECK(ipam.add(owner(4), {p}, {}, {"10.0.0.5"}).size() == 1);
  CHECK(ipam.usage(p).resting == 0);
  ipam.conflict(owner(4), 5000);
  CHECK_THAT(error("10.0.0.5").msg(), Catch::Contains("quarantined for another 4000 s"));
  CHECK(ipam.add(owner(5), {p}, {}, {"10.0.0.5"}, 5000).size() == 1);
  // The search for new addresses is not led astray by them.
  CHECK(ipam.get(6, p) == "10.0.0.2");
  ipam.check();
}

TEST_CASE("a quarantined address comes back when its time is over and nothing else is free",
          "[allocate]") {
  Ipam ipam;
  Pool p = pool("p", "10.0.0.0/30");
  CHECK(ipam.get(1, p) == "10.0.0.1");
  ipam.conflict(owner(1), 2000);
  CHECK(ipam.get(2, p, 1500) == "10.0.0.2");
  CHECK_THROWS_AS(ipam.get(3, p, 1999), Error);
  ipam.check();
  CHECK(ipam.get(3, p, 2000) == "10.0.0.1");
  CHECK(ipam.usage(p).quarantined == 0);
  ipam.check();
}

TEST_CASE("the smallest pools", "[allocate]") {
  for (const char* subnet : {"10.0.0.0/31", "10.0.0.7/32", "fd00::/127", "fd00::5/128",
                             "255.255.255.254/32", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
                             "feff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"}) {
    CAPTURE(subnet);
    Ipam ipam;
    Pool p = pool("p", subnet);
    bool v4 = p.family() == Family::kV4;
    int size = static_cast<int>(p.size());
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < size; ++i) {
        ipam.add(owner(i), v4 ? std::vector{p} : std::vector<Pool>{},
                 v4 ? std::vector<Pool>{} : std::vector{p});
      }
      CHECK_THROWS_AS(ipam.add(owner(9), v4 ? std::vector{p} : std::vector<Pool>{},
                               v4 ? std::vector<Pool>{} : std::vector{p}),
                      Error);
      ipam.check();
      for (int i = 0; i < size; ++i) ipam.del(owner(i));
      ipam.check();
    }
  }
}

TEST_CASE("the end of the IPv6 space", "[allocate]") {
  Ipam ipam;
  Pool p = pool("p", "::/0",
                R"(,"ips":["ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe-)"
                R"(ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"])");
  ipam.add(owner(1), {}, {p});
  ipam.add(owner(2), {}, {p});
  CHECK_THROWS_AS(ipam.add(owner(3), {}, {p}), Error);
  ipam.del(owner(1));
  ipam.add(owner(3), {}, {p});
  ipam.check();
}

TEST_CASE("an almost full /16 with one hole", "[allocate]") {
  Ipam ipam;
  // With sanitizers, all of a /16 takes a minute.
  const int length = test::kSanitized ? 20 : 16;
  const Pool p = pool("p", "10.0.0.0/" + std::to_string(length));
  ipam.store().write([&](Txn& txn) {
    for (int i = 0; i < (1 << (32 - length)) - 2; ++i) {
      auto leases = allocate(txn, {{p}, {}}, {}, owner(i), 1);
      Attachment record;
      record.key = owner(i);
      record.leases = leases;
      put_attachment(txn, record);
    }
  });
  CHECK_THROWS_AS(ipam.get(70000, p), Error);
  ipam.check();
  // As if never used: the search has to find it.
  ipam.store().write([&](Txn& txn) {
    const IpAddress hole = *IpAddress::parse("10.0.7.13");
    release(txn, {{"p", {hole, p.subnet.length}}}, owner(7 * 256 + 12));
    erase_attachment(txn, owner(7 * 256 + 12));
    PoolEditor(txn, "p", p.subnet).forget(hole);
  });
  ipam.check();
  CHECK(ipam.get(70000, p) == "10.0.7.13");
  CHECK_THROWS_AS(ipam.get(70001, p), Error);
  ipam.check();
}

TEST_CASE("/8 and /64 pools take no longer and no more room", "[allocate]") {
  Ipam ipam;
  Pool eight = pool("eight", "10.0.0.0/8");
  Pool sixty_four = pool("sixty-four", "fd00::/64");
  for (int i = 0; i < 300; ++i) {
    ipam.add(owner(i), {eight}, {sixty_four});
    if (i % 3 == 0) ipam.del(owner(i));
  }
  ipam.add(owner(1000), {eight}, {sixty_four}, {"10.255.255.254", "fd00::ffff:ffff:ffff:ffff"});
  ipam.check();
  // The cursor goes on in front of what was released.
  CHECK(ipam.get(1001, eight) == "10.0.1.45");
}

TEST_CASE("only so many addresses rest, the oldest is forgotten", "[allocate]") {
  Ipam ipam;
  Pool p = pool("p", "fd00::/64");
  ipam.store().write([&](Txn& txn) {
    for (uint64_t i = 0; i < PoolEditor::kMaxResting + 10; ++i) {
      auto leases = allocate(txn, {{}, {p}}, {}, owner(1), 1);
      release(txn, leases, owner(1));
    }
    CHECK(pool_usage(txn, p).resting == PoolEditor::kMaxResting);
    CHECK(check_invariants(txn).empty());
    auto next = allocate(txn, {{}, {p}}, {}, owner(1), 1);
    CHECK(next[0].address.to_string() == "fd00::1:b/64");
    release(txn, next, owner(1));
  });
}

TEST_CASE("a resting address that left the ranges is skipped and forgotten", "[allocate]") {
  Ipam ipam;
  Pool wide = pool("p", "10.0.0.0/24", R"(,"ips":["10.0.0.1-10.0.0.4"])");
  Pool narrow = pool("p", "10.0.0.0/24", R"(,"ips":["10.0.0.3-10.0.0.4"])");
  for (int i = 1; i <= 4; ++i) ipam.get(i, wide);
  for (int i = 1; i <= 3; ++i) ipam.del(owner(i));
  CHECK(ipam.get(5, narrow) == "10.0.0.3");
  CHECK(ipam.usage(narrow).resting == 0);
  ipam.check();
  CHECK_THROWS_AS(ipam.get(6, narrow), Error);
  CHECK(ipam.get(7, wide) == "10.0.0.1");
  ipam.check();
}

TEST_CASE("leases are listed by pool and address, and stranded ones are found", "[allocate]") {
  Ipam ipam;
  Pool a = pool("a", "10.0.0.0/24");
  Pool b = pool("b", "10.1.0.0/24");
  for (int i = 0; i < 12; ++i) ipam.get(i, b);
  ipam.get(100, a);
  ipam.del(owner(3));
  ipam.store().read([&](const Txn& txn) {
    std::vector<std::string> seen;
    scan_leases(txn, "", [&](const LeaseInfo& info) {
      seen.push_back(info.lease.pool + " " + info.lease.address.to_string());
      return seen.size() < 4;
    });
    CHECK(seen == std::vector<std::string>{"a 10.0.0.1/24", "b 10.1.0.1/24", "b 10.1.0.2/24",
                                           "b 10.1.0.3/24"});
    CHECK(stranded_leases(txn, "b", std::nullopt).size() == 11);
    CHECK(stranded_leases(txn, "b", b).empty());
    auto left =
        stranded_leases(txn, "b", pool("b", "10.1.0.0/24", R"(,"ips":["10.1.0.2-10.1.0.99"])"));
    REQUIRE(left.size() == 1);
    CHECK(left[0].owner == owner(0));
    CHECK(stranded_leases(txn, "b", pool("b", "10.1.0.0/16")).size() == 11);
    CHECK(stranded_leases(txn, "nobody", std::nullopt).empty());
  });
}

}  // namespace
}  // namespace railcni
