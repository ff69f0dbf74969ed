// kill -9 at every system call of ADD and of DEL: whatever is left, the next DEL, GC or ADD cleans.
#include <catch2/catch.hpp>

#include "tests/netns/world.h"
#include "tests/support/kill_at.h"
#include "tests/support/sanitized.h"

using namespace railcni;
using namespace railcni::test;

namespace {

struct Bench {
  Rail rail{"rail0"};
  Pod pod;
  std::string dir = make_folder("kill");
  Json list = macvlan_list(dir, "rail0", pool_v4());
  Runtime runtime;
  Container container{.id = "victim", .netns = pod.path()};
  Json host_before = snapshot();
  Json pod_before = snapshot(pod.path());

  Bench() {
    // An IPv6 address too: it has steps of its own.
    list["plugins"].as_array()[0]["ipam"]["pools"].push_back(pool_v6());
  }

  Command command(const std::string& verb) const {
    return {.argv = {railcni_binary()},
            .env = runtime.environment(verb, container),
            .stdin_text = Runtime::plugin_config(list, 0, container, nullptr).dump()};
  }

  void require_nothing_left() {
    CHECK(leased(dir).empty());
    CHECK(snapshot(pod.path()) == pod_before);
    // The kernel takes a dead namespace's links down in the background.
    CHECK(changes_since(host_before) == "");
    // `gc` also compares every index of the store with the records.
    CHECK_NOTHROW(cli(dir, {"gc"}));
  }
};

}  // namespace

TEST_CASE("an ADD killed at any system call is undone by DEL") {
  enter_sandbox();
  Bench bench;
  int n = 1;
  while (run_and_kill_at(bench.command("ADD"), n)) {
    INFO("killed at system call " << n);
    const Call del = bench.runtime.del(bench.list, bench.container);
    INFO(del.describe());
    REQUIRE(del.ok());
    bench.require_nothing_left();
    ++n;
  }
  // It was not killed this time, so the walk went over all of it.
  CHECK(n > (kSanitized ? 10 : 50));
  REQUIRE(bench.runtime.del(bench.list, bench.container).ok());
  bench.require_nothing_left();
}

TEST_CASE("an ADD killed at any system call is undone by GC") {
  enter_sandbox();
  Bench bench;
  int n = 1;
  // Every third call is enough here: each is covered by the DEL test, by the same road.
  while (run_and_kill_at(bench.command("ADD"), n)) {
    INFO("killed at system call " << n);
    const Call gc = bench.runtime.gc(bench.list, {});
    INFO(gc.describe());
    REQUIRE(gc.ok());
    bench.require_nothing_left();
    n += 3;
  }
}

TEST_CASE("an ADD killed at any system call is undone by the next ADD of the same Pod") {
  enter_sandbox();
  Bench bench;
  int n = 1;
  while (run_and_kill_at(bench.command("ADD"), n)) {
    INFO("killed at system call " << n);
    const Call add = bench.runtime.add(bench.list, bench.container);
    INFO(add.describe());
    REQUIRE(add.ok());
    CHECK(leased(bench.dir).size() == 2);
    CHECK(addresses_of("net1", bench.pod.path()).size() == 2);
    REQUIRE(bench.runtime.check(bench.list, bench.container).ok());
    REQUIRE(bench.runtime.del(bench.list, bench.container).ok());
    bench.require_nothing_left();
    n += 3;
  }
}

TEST_CASE("an ADD killed at any system call whose Pod then dies is reclaimed by railcni gc") {
  enter_sandbox();
  Bench bench;
  for (int n = 1;; n += 7) {
    Pod pod("short");
    Container container{.id = "short", .netns = pod.path()};
    Command command = bench.command("ADD");
    command.env = bench.runtime.environment("ADD", container);
    const bool killed = run_and_kill_at(command, n);
    pod.destroy();
    INFO("killed at system call " << n);
    cli(bench.dir, {"gc"});
    bench.require_nothing_left();
    if (!killed) break;
  }
}

TEST_CASE("a DEL killed at any system call is completed by the next DEL") {
  enter_sandbox();
  Bench bench;
  for (int n = 1;; ++n) {
    const Call add = bench.runtime.add(bench.list, bench.container);
    INFO(add.describe());
    REQUIRE(add.ok());
    const bool killed = run_and_kill_at(bench.command("DEL"), n);
    INFO("killed at system call " << n);
    REQUIRE(bench.runtime.del(bench.list, bench.container).ok());
    bench.require_nothing_left();
    if (!killed) break;
  }
}

TEST_CASE("an ADD with a whole coordinator, killed at any system call, is undone by DEL") {
  enter_sandbox();
  Bench bench;
  ip("addr add 10.9.0.200/24 dev rail0");
  bench.host_before = snapshot();
  bench.container.ifname = "eth0";
  bench.list["plugins"].as_array()[0]["coordinator"] =
      Json::object({{"mode", "underlay"}, {"vethLinkAddress", "169.254.100.1"}});
  Json& plugin = bench.list["plugins"].as_array()[0];
  plugin = with_applied_pools(bench.dir, plugin);
  int n = 1;
  while (run_and_kill_at(bench.command("ADD"), n)) {
    INFO("killed at system call " << n);
    const Call del = bench.runtime.del(bench.list, bench.container);
    INFO(del.describe());
    REQUIRE(del.ok());
    bench.require_nothing_left();
    n += kSanitized ? 4 : 2;
  }
  CHECK(n > (kSanitized ? 20 : 100));
  REQUIRE(bench.runtime.del(bench.list, bench.container).ok());
  bench.require_nothing_left();
}
