// kill -9 at every system call where railcni is an IPAM, and where another plugin is its own.
#include <catch2/catch.hpp>

#include "tests/netns/plugin_names.h"
#include "tests/netns/world.h"
#include "tests/support/kill_at.h"
#include "tests/support/sanitized.h"

using namespace railcni;
using namespace railcni::test;

namespace {

struct OuterBench {
  Pod pod;
  std::string dir = make_folder("outer-kill");
  Runtime runtime;
  Container container{.id = "victim", .netns = pod.path()};
  Json config =
      Json::object({{"cniVersion", "1.1.0"},
                    {"name", "net"},
                    {"type", "bridge"},
                    {"ipam", Json::object({{"type", "railcni"},
                                           {"dataDir", dir},
                                           {"pools", Json::array({pool_v4(), pool_v6()})}})}});

  Command command(const std::string& verb) const {
    return {.argv = {runtime.find_plugin("railcni")},
            .env = runtime.environment(verb, container),
            .stdin_text = config.dump()};
  }
  void require_nothing_left() const {
    CHECK(leased(dir).empty());
    CHECK_NOTHROW(cli(dir, {"gc"}));
  }
};

struct DelegateBench {
  Rail rail{"rail0"};
  Pod pod;
  std::string dir = make_folder("delegate-kill");
  Runtime runtime;
  Json list =
      make_conflist("1.0.0", "net",
                    {Json::object({{"type", "railcni"},
                                   {"cniType", "macvlan"},
                                   {"dataDir", dir},
                                   {"macvlan", Json::object({{"master", Json::array({"rail0"})}})},
                                   {"ipam", Json::object({{"type", "host-local"},
                                                          {"dataDir", dir + "/hl"},
                                                          {"subnet", "10.9.0.0/24"}})}})});
  Container container{.id = "victim", .netns = pod.path()};
  Json host_before = snapshot();
  Json pod_before = snapshot(pod.path());

  Command command(const std::string& verb) const {
    return {.argv = {runtime.find_plugin("railcni")},
            .env = runtime.environment(verb, container),
            .stdin_text = Runtime::plugin_config(list, 0, container, nullptr).dump()};
  }
  // What the plugin itself keeps of the attachment.
  std::string reserved() const {
    return run({.argv = {"/bin/sh", "-c",
                         "ls " + dir + "/hl/net 2>/dev/null | grep '^[0-9]' || true"},
                .env = {"PATH=/usr/bin:/bin"}})
        .out;
  }
  void require_nothing_left() const {
    CHECK(reserved().empty());
    CHECK(snapshot(pod.path()) == pod_before);
    CHECK(snapshot() == host_before);
    CHECK_NOTHROW(cli(dir, {"gc"}));
    CHECK(cli_json(dir, {"gc", "--dry-run"}).at("undone").as_array().empty());
  }
};

}  // namespace

TEST_CASE("an IPAM's ADD killed at any system call is undone by DEL or GC, or stands") {
  enter_sandbox();
  OuterBench bench;
  int n = 1;
  while (run_and_kill_at(bench.command("ADD"), n)) {
    INFO("killed at system call " << n);
    // All of it or nothing.
    const size_t count = leased(bench.dir).size();
    REQUIRE((count == 0 || count == 2));
    const std::string verb = n % 2 == 0 ? "DEL" : "GC";
    Command command = bench.command(verb);
    if (verb == "GC") {
      Json config = bench.config;
      config["cni.dev/valid-attachments"] = Json::array();
      command.stdin_text = config.dump();
    }
    const Outcome outcome = run(command);
    INFO(outcome.describe());
    REQUIRE(outcome.ok());
    bench.require_nothing_left();
    ++n;
  }
  CHECK(n > (kSanitized ? 3 : 30));
}

TEST_CASE("an IPAM's ADD killed at any system call can be repeated, and its DEL as well") {
  enter_sandbox();
  OuterBench bench;
  bool add_killed = true;
  bool del_killed = true;
  for (int n = 1; add_killed || del_killed; ++n) {
    INFO("killed at system call " << n);
    add_killed = run_and_kill_at(bench.command("ADD"), n);
    const Outcome add = run(bench.command("ADD"));
    INFO(add.describe());
    REQUIRE(add.ok());
    REQUIRE(leased(bench.dir).size() == 2);
    REQUIRE(run(bench.command("CHECK")).ok());
    del_killed = run_and_kill_at(bench.command("DEL"), n);
    REQUIRE(run(bench.command("DEL")).ok());
    bench.require_nothing_left();
  }
}

TEST_CASE("an ADD with host-local killed at any system call is undone by DEL, there as well") {
  enter_sandbox();
  DelegateBench bench;
  int n = 1;
  while (run_and_kill_at(bench.command("ADD"), n)) {
    INFO("killed at system call " << n);
    const Call del = bench.runtime.del(bench.list, bench.container);
    INFO(del.describe());
    REQUIRE(del.ok());
    bench.require_nothing_left();
    ++n;
  }
  CHECK(n > (kSanitized ? 10 : 50));
  CHECK(bench.reserved() != "");
  REQUIRE(bench.runtime.del(bench.list, bench.container).ok());
  bench.require_nothing_left();
}

TEST_CASE("an ADD with host-local killed at any system call is undone when its Pod is gone") {
  enter_sandbox();
  DelegateBench bench;
  for (int n = 1;; n += 3) {
    Pod pod("short");
    bench.container = {.id = "short", .netns = pod.path()};
    const bool killed = run_and_kill_at(bench.command("ADD"), n);
    pod.destroy();
    INFO("killed at system call " << n);
    // A host-local that was just started ends by itself; gc passes over what it still works on.
    CHECK(eventually([&] {
      cli(bench.dir, {"gc"});
      return bench.reserved().empty();
    }));
    CHECK(changes_since(bench.host_before).empty());
    if (!killed) break;
  }
}

TEST_CASE("a DEL with host-local killed at any system call is completed by the next DEL") {
  enter_sandbox();
  DelegateBench bench;
  for (int n = 1;; ++n) {
    const Call add = bench.runtime.add(bench.list, bench.container);
    INFO(add.describe());
    REQUIRE(add.ok());
    const bool killed = run_and_kill_at(bench.command("DEL"), n);
    INFO("killed at system call " << n);
    const Call del = bench.runtime.del(bench.list, bench.container);
    INFO(del.describe());
    REQUIRE(del.ok());
    bench.require_nothing_left();
    if (!killed) break;
  }
}

TEST_CASE("a plugin that outlives the railcni that called it is waited for") {
  enter_sandbox();
  DelegateBench bench;
  const std::string path = path_with_names({"railcni"});
  put_script(path, "slow",
             "echo begin $CNI_COMMAND >>" + bench.dir +
                 "/calls\n"
                 "[ $CNI_COMMAND != ADD ] || sleep 1\n"
                 "echo end $CNI_COMMAND >>" +
                 bench.dir + "/calls\n");
  bench.runtime = Runtime(path);
  bench.list["plugins"].as_array()[0]["ipam"] = Json::object({{"type", "slow"}});
  Child add(bench.command("ADD"));
  REQUIRE(eventually([&] { return !text_of_file(bench.dir + "/calls").empty(); }));
  kill(add.pid(), SIGKILL);  // railcni alone
  add.wait();
  REQUIRE(bench.runtime.del(bench.list, bench.container).ok());
  CHECK(text_of_file(bench.dir + "/calls") == "begin ADD\nend ADD\nbegin DEL\nend DEL\n");
}
