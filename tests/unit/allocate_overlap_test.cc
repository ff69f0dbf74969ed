// Pools that name the same addresses: each address is leased once.
#include <set>

#include "ipam/pool_state.h"
#include "ipam_fixture.h"

namespace railcni {
namespace {

using test::error_of;
using test::Ipam;
using test::owner;
using test::pool;

TEST_CASE("a pool whose subnet grows goes around the leases that last", "[allocate]") {
  Ipam ipam;
  const Pool small = pool("p1", "10.9.0.0/29");
  const Pool large = pool("p1", "10.9.0.0/28");
  for (int i = 1; i <= 4; ++i) ipam.get(i, small);
  ipam.del(owner(2));
  for (int i = 5; i <= 12; ++i) {
    CHECK(ipam.get(i, large) == "10.9.0." + std::to_string(i));
  }
  ipam.get(13, large);
  ipam.get(14, large);
  ipam.check();
  // Last comes what rests with the small one.
  CHECK(ipam.usage(small).resting == 1);
  CHECK(ipam.get(15, large) == "10.9.0.2");
  CHECK(ipam.usage(small).resting == 0);
  CHECK(ipam.usage(large).leased == 11);
  CHECK_THROWS_AS(ipam.get(16, large), Error);
  ipam.check();
  for (int i : {1, 3, 4, 15}) ipam.del(owner(i));
  ipam.check();
}

TEST_CASE("pools of different names over one subnet never give one address twice", "[allocate]") {
  Ipam ipam;
  const Pool a = pool("a", "10.0.0.0/28");
  const Pool b = pool("b", "10.0.0.0/28");
  const Pool wide = pool("wide", "10.0.0.0/8", R"(,"ips":["10.0.0.1-10.0.0.20"])");
  std::set<std::string> seen;
  for (int i = 0; i < 20; ++i) {
    const Pool& from = i % 3 == 0 && i < 14 ? a : i % 3 == 1 && i < 14 ? b : wide;
    CHECK(seen.insert(ipam.get(i, from)).second);
  }
  for (const Pool& full : {a, b, wide}) CHECK_THROWS_AS(ipam.get(99, full), Error);
  ipam.check();

  Error taken = error_of([&] { ipam.add(owner(99), {b}, {}, {"10.0.0.1"}); });
  CHECK(taken.code() == Code::kTryAgainLater);
  CHECK_THAT(taken.msg(), Catch::Contains("is in use by another attachment"));
  // What rests or is over its quarantine in one pool, another may take.
  ipam.del(owner(0));
  CHECK(ipam.add(owner(30), {b}, {}, {"10.0.0.1"}).size() == 1);
  CHECK(ipam.usage(a).resting == 0);
  ipam.conflict(owner(30), 2000);
  CHECK_THROWS_AS(ipam.get(31, wide, 1999), Error);
  CHECK(ipam.get(31, wide, 2000) == "10.0.0.1");
  CHECK(ipam.usage(b).quarantined == 0);
  ipam.check();
  ipam.store().read([&](const Txn& txn) {
    size_t leases = 0;
    for (const char* name : {"a", "b", "wide"}) {
      scan_leases(txn, name, [&](const LeaseInfo& info) {
        CHECK(info.lease.pool == name);
        return ++leases > 0;
      });
    }
    CHECK(leases == 20);
    CHECK(stranded_leases(txn, "wide", std::nullopt).size() == ipam.usage(wide).leased);
  });
}

TEST_CASE("a pool that has no new address is searched again after one was forgotten",
          "[allocate]") {
  Ipam ipam;
  const Pool p = pool("p", "10.0.0.0/24", R"(,"ips":["10.0.0.1","10.0.0.3","10.0.0.5"])");
  const Pool more = pool("p", "10.0.0.0/24", R"(,"ips":["10.0.0.1","10.0.0.3","10.0.0.7"])");
  const Pool next = pool("q", "10.0.1.0/24");
  auto none_new = [&] {
    uint64_t mark = 0;
    ipam.store().read([&](const Txn& txn) { mark = pool_counters(txn, "p", p.subnet)->none_new; });
    return mark;
  };
  for (int i = 1; i <= 3; ++i) ipam.get(i, p);
  CHECK(none_new() == 0);
  CHECK(ipam.add(owner(4), {p, next}).at(0).pool == "q");
  const uint64_t mark = none_new();
  CHECK(mark != 0);
  ipam.del(owner(1));
  CHECK(ipam.get(5, p) == "10.0.0.1");
  CHECK(none_new() == mark);
  // Other ranges are other ones to search.
  CHECK(ipam.get(6, more) == "10.0.0.7");
  // Whoever forgets an address of them.
  ipam.del(owner(3));
  ipam.store().write(
      [&](Txn& txn) { PoolEditor(txn, "other", p.subnet).forget(*IpAddress::parse("10.0.0.5")); });
  CHECK(ipam.get(7, p) == "10.0.0.5");
  ipam.check();
}

}  // namespace
}  // namespace railcni
