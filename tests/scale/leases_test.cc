// Many leases in a /8 and a /64, and a GC among many attachments.
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "src/store/lmdb_env.h"
#include "tests/netns/world.h"
#include "tests/scale/scale.h"
#include "tests/support/fill.h"

using namespace railcni;
using namespace railcni::test;

namespace {

Json dual_stack_list(const std::string& dir) {
  return make_conflist(
      "1.1.0", "net",
      {Json::object({{"type", "railcni"},
                     {"cniType", "macvlan"},
                     {"dataDir", dir},
                     {"macvlan", Json::object({{"master", Json::array({"rail0"})},
                                               {"ippools", Json::parse(R"({"ipv4": ["big4"],
                                                                   "ipv6": ["big6"]})")}})}})});
}

// The record that an ADD leaves, to make others of.
Attachment record_of_an_add(const std::string& dir, Runtime& runtime, const Pod& pod) {
  const Container container{.id = "model", .netns = pod.path()};
  const Json list = dual_stack_list(dir);
  const Call added = runtime.add(list, container);
  INFO(added.describe());
  REQUIRE(added.ok());
  std::optional<Attachment> record;
  open_state(dir)->read([&record](const Txn& txn) {
    record = get_attachment(txn, {"net", "model", "net1"});
  });
  REQUIRE(record);
  REQUIRE(runtime.del(list, container).ok());
  return *record;
}

uint64_t used_bytes(const std::string& dir) {
  struct stat info {};
  const std::string path = store_file_path(Store::File::kState, StorePaths::from_data_dir(dir));
  REQUIRE(stat(path.c_str(), &info) == 0);
  return static_cast<uint64_t>(info.st_blocks) * 512;
}

}  // namespace

TEST_CASE("many leases of a /8 and a /64: ADD and DEL are as ever, and the file has room") {
  enter_sandbox();
  const int count = full_scale() ? 1'000'000 : 20'000;
  Rail rail("rail0");
  const std::string dir = make_folder("leases");
  const Candidates candidates = apply_big_pools(dir);
  Runtime runtime;
  const Pod pod;
  const Pod other("other");
  const Attachment model = record_of_an_add(dir, runtime, other);
  const Json list = dual_stack_list(dir);
  int number = 0;
  const auto measure = [&](const std::string& what) {
    double del = 0;
    const double add = median_ms(9, [&] {
      const Container container{.id = "pod" + std::to_string(++number), .netns = pod.path()};
      REQUIRE(runtime.add(list, container).ok());
      const auto start = std::chrono::steady_clock::now();
      REQUIRE(runtime.del(list, container).ok());
      del = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
                .count();
    });
    report(what + ": ADD and DEL " + std::to_string(add) + " ms, the DEL " + std::to_string(del));
  };
  measure("no leases");
  const double filled = median_ms(1, [&] {
    fill_store(*open_state(dir), candidates, 0, count, [&](int i) { return like(model, i); });
  });
  const uint64_t size = used_bytes(dir);
  report(std::to_string(count) + " attachments with two leases each, in " +
         std::to_string(filled / 1000) + " s: " + megabytes(size) + ", " +
         std::to_string(size / static_cast<uint64_t>(count)) + " bytes each");
  // A record as JSON and four entries of an index for each lease, in pages that are half full: keys
  // come in no order.
  CHECK(size / static_cast<uint64_t>(count) < 4000);
  measure("many leases");

  double listed = median_ms(1, [&] { cli(dir, {"lease", "list"}); });
  report("lease list: " + std::to_string(listed) + " ms");
  listed = median_ms(1, [&] { cli(dir, {"lease", "list", "-o", "json"}); });
  report("lease list -o json: " + std::to_string(listed) + " ms");
  std::vector<std::string> all = leased(dir);
  CHECK(all.size() == static_cast<size_t>(count) * 2);
  CHECK(std::unique(all.begin(), all.end()) == all.end());
  const Json pools = cli_json(dir, {"pool", "list"});
  for (const Json& pool : pools.as_array()) {
    CHECK(pool.at("used").as_int() == count);
  }
  std::vector<std::string> wrong;
  open_state(dir)->read([&wrong](const Txn& txn) { wrong = check_invariants(txn); });
  CHECK(wrong.empty());
}

TEST_CASE("GC among many attachments undoes the one in a hundred whose Pod is gone") {
  enter_sandbox();
  const int count = full_scale() ? 100'000 : 10'000;
  Rail rail("rail0");
  const std::string dir = make_folder("gc");
  const Candidates candidates = apply_big_pools(dir);
  Runtime runtime;
  const Pod alive;
  Pod gone("gone");
  const Attachment living = record_of_an_add(dir, runtime, alive);
  const Attachment stale = record_of_an_add(dir, runtime, gone);
  gone.destroy();
  fill_store(*open_state(dir), candidates, 0, count,
             [&](int i) { return like(i % 100 == 7 ? stale : living, i); });
  const Json host_before = snapshot();

  SECTION("railcni gc") {
    std::string out;
    const double took = median_ms(1, [&] { out = cli(dir, {"gc", "--dry-run"}); });
    report(std::to_string(count) + " attachments: gc --dry-run " + std::to_string(took) + " ms");
    CHECK(leased(dir).size() == static_cast<size_t>(count) * 2);
    report("gc " + std::to_string(median_ms(1, [&] { cli(dir, {"gc"}); })) + " ms");
  }
  SECTION("the GC of a runtime") {
    std::vector<Container> valid;
    for (int i = 0; i < count; ++i) {
      if (i % 100 != 7) valid.push_back({.id = container_of(i), .netns = alive.path()});
    }
    Call collected;
    const double took = median_ms(1, [&] { collected = runtime.gc(dual_stack_list(dir), valid); });
    INFO(collected.describe());
    REQUIRE(collected.ok());
    report(std::to_string(count) + " attachments: GC " + std::to_string(took) + " ms");
  }

  CHECK(leased(dir).size() == static_cast<size_t>(count - count / 100) * 2);
  open_state(dir)->read([&](const Txn& txn) {
    for (int i = 0; i < count; i += 50) {
      const int number = i + 7;
      CHECK(get_attachment(txn, like(living, number).key).has_value() == (number % 100 != 7));
    }
    CHECK(check_invariants(txn).empty());
  });
  CHECK(snapshot() == host_before);
}
