#include <sys/stat.h>

#include <chrono>
#include <deque>
#include <map>
#include <random>
#include <set>

#include "ipam/bitmap.h"
#include "ipam/free_addresses.h"
#include "ipam_fixture.h"
#include "src/store/schema.h"

namespace railcni {
namespace {

using test::Ipam;
using test::owner;
using test::pool;
using test::TempDir;

TEST_CASE("the bitmap agrees with a set at every level", "[allocate]") {
  std::mt19937_64 random(2);
  for (int host_bits : {1, 8, 12, 13, 24, 25, 32, 64, 127, 128}) {
    CAPTURE(host_bits);
    Ipam ipam;
    const Family family = host_bits <= 32 ? Family::kV4 : Family::kV6;
    const U128 last = host_bits == 128 ? ~U128{0} : (U128{1} << host_bits) - 1;
    std::set<U128> used;
    ipam.store().write([&](Txn& txn) {
      // Three pages in a row get full, elsewhere some bits are set.
      const U128 start = last < 20000 ? 0 : (last / 3) & ~U128{4095};
      for (U128 i = start; i <= std::min(last, start + 3 * 4096 - 1); ++i) {
        bitmap_set(txn, family, i);
        used.insert(i);
      }
      for (int step = 0; step < 400; ++step) {
        U128 any = (U128{random()} << 64 | random()) & last;
        U128 near = std::min(last, start + random() % (3 * 4096 + 50));
        U128 at = random() % 3 == 0 ? any : near;
        if (random() % 2 == 0) {
          bitmap_set(txn, family, at);
          used.insert(at);
        } else {
          bitmap_clear(txn, family, at);
          used.erase(at);
        }
        U128 from = random() % 2 == 0 ? start : near;
        U128 limit = random() % 4 == 0 ? std::min(last, from + random() % 9000) : last;
        U128 model = from;
        while (model < limit && used.count(model) > 0) ++model;
        auto found = bitmap_next_clear(txn, family, from, limit);
        if (used.count(model) > 0) {
          REQUIRE_FALSE(found);
        } else {
          REQUIRE(found);
          REQUIRE(*found == model);
        }
      }
    });
  }
}

TEST_CASE("free addresses are those without a row, across blocks that are used up", "[allocate]") {
  std::mt19937_64 random(3);
  for (const Family family : {Family::kV4, Family::kV6}) {
    Ipam ipam;
    // Four blocks, at the very end of the family's addresses.
    const U128 last = family == Family::kV4 ? 0xffffffff : ~U128{0};
    const U128 first = last - 4 * 256 + 1;
    std::set<U128> used;
    ipam.store().write([&](Txn& txn) {
      const auto set = [&](U128 at, bool is_used) {
        const IpAddress address{family, at};
        if (is_used == (used.count(at) > 0)) return;
        if (is_used) {
          used.insert(at);
          txn.put(schema::lease_key(address), "row");
          note_row(txn, address);
        } else {
          used.erase(at);
          txn.erase(schema::lease_key(address));
          note_no_row(txn, address);
        }
      };
      for (U128 at = first; at < last - 256; ++at) set(at, true);
      for (int step = 0; step < 3000; ++step) {
        // Mostly used, so that blocks become full and cease to be.
        set(first + random() % (4 * 256), random() % 8 != 0);
        const U128 from = first + random() % (4 * 256);
        const U128 limit = random() % 3 == 0 ? from + random() % U128(last - from + 1) : last;
        U128 model = from;
        while (model < limit && used.count(model) > 0) ++model;
        const auto found = next_free_address(txn, {family, from}, {family, limit});
        REQUIRE(found.has_value() == (used.count(model) == 0));
        if (found) REQUIRE(*found == IpAddress{family, model});
      }
    });
  }
}

// The allocator against a model that is as simple as can be: a set of used addresses, a queue of
// resting ones, a cursor.
void run_against_model(uint32_t seed, const Pool& p, int steps) {
  Ipam ipam;
  std::mt19937 random(seed);
  std::vector<std::string> all;
  for (const AddressRange& range : p.ranges) {
    for (U128 n = range.first.value; n <= range.last.value; ++n) {
      all.push_back(IpAddress{p.family(), n}.to_string());
    }
  }
  std::set<std::string> unused(all.begin(), all.end());
  std::deque<std::string> resting;
  std::map<std::string, int64_t> quarantined;
  std::map<int, std::string> leased;
  size_t cursor = 0;
  int64_t now = 1000;
  for (int step = 0; step < steps; ++step) {
    ++now;
    auto what = random() % 100;
    // Phases of growing and shrinking, so that full and empty pools are met.
    bool grow = step / 100 % 2 == 0 ? what < 70 : what < 35;
    if (grow) {
      std::optional<std::string> expected;
      for (size_t i = 0; i < all.size() && !expected; ++i) {
        const std::string& candidate = all[(cursor + i) % all.size()];
        if (unused.count(candidate) > 0) {
          expected = candidate;
          cursor = (cursor + i + 1) % all.size();
          unused.erase(candidate);
        }
      }
      if (!expected && !resting.empty()) {
        expected = resting.front();
        resting.pop_front();
      }
      if (!expected) {
        std::pair<int64_t, std::string> first{now + 1, ""};
        for (const auto& [address, until] : quarantined) {
          if (until < first.first) first = {until, address};
        }
        if (!first.second.empty()) {
          expected = first.second;
          quarantined.erase(first.second);
        }
      }
      std::optional<std::string> got;
      try {
        got = ipam.get(step, p, now);
      } catch (const Error& error) {
        REQUIRE(error.code() == Code::kTryAgainLater);
      }
      REQUIRE(got == expected);
      if (got) leased[step] = *got;
    } else if (what < 95 && !leased.empty()) {
      auto victim =
          std::next(leased.begin(), static_cast<std::ptrdiff_t>(random() % leased.size()));
      ipam.del(owner(victim->first));
      resting.push_back(victim->second);
      leased.erase(victim);
    } else if (!leased.empty() && what < 97) {
      auto victim =
          std::next(leased.begin(), static_cast<std::ptrdiff_t>(random() % leased.size()));
      // Different ends, so that the order of equal ones does not matter.
      ipam.conflict(owner(victim->first), now + 50 * 10000 + step);
      quarantined[victim->second] = now + 50 * 10000 + step;
      leased.erase(victim);
      if (random() % 2 == 0) now += 20000;
    } else if (!resting.empty()) {
      size_t index = random() % resting.size();
      std::string wanted = resting[index];
      ipam.add(owner(step), {p}, {}, {wanted}, now);
      resting.erase(resting.begin() + static_cast<std::ptrdiff_t>(index));
      leased[step] = wanted;
    }
    PoolUsage usage = ipam.usage(p);
    REQUIRE(usage.leased == leased.size());
    REQUIRE(usage.resting == resting.size());
    REQUIRE(usage.quarantined == quarantined.size());
    if (step % 50 == 0) ipam.check();
  }
  ipam.check();
}

TEST_CASE("thousands of random operations agree with a naive model", "[allocate]") {
  run_against_model(1, pool("p", "10.0.0.0/28"), 3000);
  run_against_model(
      2, pool("p", "10.0.0.0/26", R"(,"excludeIPs":["10.0.0.5","10.0.0.9-10.0.0.20"])"), 4000);
  run_against_model(3,
                    pool("p", "10.0.0.0/16",
                         R"(,"ips":["10.0.0.9-10.0.0.30","10.0.200.1-10.0.200.20","10.0.15.250-)"
                         R"(10.0.16.6"])"),
                    4000);
}

TEST_CASE("32 processes never get the same address", "[allocate]") {
  constexpr int kProcesses = 32;
  constexpr int kEach = 20;
  TempDir dir;
  Pool p = pool("p", "172.16.0.0/16", R"(,"ips":["172.16.11.1-172.16.13.128"])");  // 640 of them
  REQUIRE(p.size() == kProcesses * kEach);
  std::vector<pid_t> children;
  for (int c = 0; c < kProcesses; ++c) {
    children.push_back(test::in_child([&, c] {
      for (int i = 0; i < kEach; ++i) {
        auto store = test::open_state(dir);  // as each ADD is a process of its own
        store->write([&](Txn& txn) {
          Attachment record;
          record.key = owner(c * kEach + i);
          record.leases = allocate(txn, {{p}, {}}, {}, record.key, 1);
          put_attachment(txn, record);
        });
      }
      return 0;
    }));
  }
  for (pid_t pid : children) REQUIRE(test::wait_for(pid) == 0);
  auto store = test::open_state(dir);
  store->read([&](const Txn& txn) {
    std::set<std::string> addresses;
    scan_leases(txn, "p", [&](const LeaseInfo& info) {
      return addresses.insert(info.lease.address.to_string()).second;
    });
    CHECK(addresses.size() == kProcesses * kEach);
    CHECK(check_invariants(txn).empty());
  });
}

// Not run by default: ./tests "[bench]"
TEST_CASE("time of an allocation", "[.][bench]") {
  using Clock = std::chrono::steady_clock;
  auto us_since = [](Clock::time_point start, int n) {
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count() / n;
  };
  Pool p = pool("p", "10.0.0.0/8");
  const AttachmentKey who{"net", std::string(64, 'c'), "net1"};
  for (int leases : {10, 1'000'000}) {
    Ipam ipam;
    auto start = Clock::now();
    for (int done = 0; done < leases; done += 10000) {
      ipam.store().write([&](Txn& txn) {
        for (int i = 0; i < std::min(10000, leases); ++i) allocate(txn, {{p}, {}}, {}, who, 1);
      });
    }
    double fill = us_since(start, leases);
    constexpr int kRounds = 2000;
    std::vector<Lease> last;
    start = Clock::now();
    for (int i = 0; i < kRounds; ++i) {
      ipam.store().write([&](Txn& txn) { last = allocate(txn, {{p}, {}}, {}, who, 1); });
    }
    double add = us_since(start, kRounds);
    start = Clock::now();
    for (int i = 0; i < kRounds; ++i) {
      ipam.store().write([&](Txn& txn) {
        release(txn, last, who);
        last = allocate(txn, {{p}, {}}, {}, who, 1);
      });
    }
    double churn = us_since(start, kRounds);
    struct stat info;
    stat(ipam.path().c_str(), &info);
    WARN(leases << " leases: allocate+commit " << add << " us, release+allocate+commit " << churn
                << " us, fill " << fill << " us each; file " << info.st_blocks / 2 << " KiB");
  }
  // 30,000 ranges of one address each: all new ones used, ten of them resting.
  std::string ips;
  for (int i = 0; i < 30000; ++i) {
    ips += (i == 0 ? "\"" : ",\"") + IpAddress{Family::kV4, 0x0a000001 + U128(i) * 2}.to_string() +
           "\"";
  }
  const std::string spec = R"({"subnet":"10.0.0.0/16","ips":[)" + ips + "]}";
  std::vector<std::string> warnings;
  auto start = Clock::now();
  const Json json = Json::parse(spec);
  double parse_json = us_since(start, 1);
  start = Clock::now();
  const Candidates singles{{parse_pool("singles", json, warnings)}, {}};
  double parse = us_since(start, 1);
  Ipam ipam;
  start = Clock::now();
  ipam.store().write([&](Txn& txn) {
    for (int i = 0; i < 30000; ++i) {
      auto leases = allocate(txn, singles, {}, who, 1);
      if (i < 10) release(txn, leases, who);
    }
  });
  double fill = us_since(start, 30000);
  start = Clock::now();
  ipam.store().write([&](Txn& txn) { allocate(txn, singles, {}, who, 1); });
  double first = us_since(start, 1);
  start = Clock::now();
  ipam.store().write([&](Txn& txn) { allocate(txn, singles, {}, who, 1); });
  WARN("30000 ranges: JSON " << parse_json << " us, parse_pool " << parse << " us, fill " << fill
                             << " us each, resting " << first << " us, again " << us_since(start, 1)
                             << " us");
  TempDir dir;
  test::open_state(dir);
  start = Clock::now();
  for (int i = 0; i < 500; ++i) test::open_state(dir);
  WARN("open+close " << us_since(start, 500) << " us");
}

}  // namespace
}  // namespace railcni
