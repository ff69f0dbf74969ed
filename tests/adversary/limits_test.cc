// Callers with low limits, and callers that look alike.
#include <catch2/catch.hpp>
#include <string>

#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

struct World {
  Rail rail{"rail0"};
  Pod pod{"pod"};
  std::string dir = make_folder("limits");
  Runtime runtime;
  Json list = macvlan_list(dir, "rail0", pool_v4());
  Container container{.id = "c1", .netns = pod.path()};

  // The verb's one plugin, run by a shell after `before`; its stdout is a pipe, which has no size.
  Call call(const std::string& verb, const std::string& before) {
    const Json config = Runtime::plugin_config(list, 0, container, nullptr);
    std::vector<std::string> env = runtime.environment(verb, container);
    env.push_back("PATH=/usr/bin:/bin:/usr/sbin:/sbin");
    Call result;
    result.process =
        run({.argv = {"/bin/sh", "-c", "(" + before + " exec " + railcni_binary() + ") | cat"},
             .env = std::move(env),
             .stdin_text = config.dump()});
    if (!result.process.out.empty()) result.json = Json::parse(result.process.out);
    return result;
  }
};

}  // namespace

TEST_CASE("callers of two PID namespaces with one PID work side by side") {
  enter_sandbox();
  World world;
  REQUIRE(world.runtime.add(world.list, world.container).ok());
  // In a PID namespace of its own each DEL is process 1; the pause keeps the files open meanwhile.
  const Json config = Runtime::plugin_config(world.list, 0, world.container, nullptr);
  std::vector<Child> callers;
  for (int i = 0; i < 16; ++i) {
    std::vector<std::string> env =
        world.runtime.environment(i == 0 ? "DEL" : "CHECK", world.container);
    env[0] = "CNI_COMMAND=DEL";
    env.push_back("PATH=/usr/bin:/bin:/usr/sbin:/sbin");
    callers.emplace_back(Command{.argv = {"unshare", "--pid", "--fork", railcni_binary()},
                                 .env = std::move(env),
                                 .stdin_text = config.dump()});
  }
  for (Child& caller : callers) {
    const Outcome outcome = caller.wait();
    INFO(outcome.describe());
    CHECK(outcome.ok());
  }
  CHECK(leased(world.dir).empty());
}

TEST_CASE("a limit on open files is said by its name") {
  enter_sandbox();
  World world;
  for (int files = 4; files < 16; ++files) {
    const Call add = world.call("ADD", "ulimit -n " + std::to_string(files) + ";");
    INFO("ulimit -n " << files << "\n" << add.describe());
    if (add.code() == 0) {
      CHECK(add.json.find("ips") != nullptr);
      CHECK(files > 4);
      break;
    }
    CHECK_THAT(add.msg(), Catch::Contains("Too many open files"));
  }
  CHECK(world.runtime.del(world.list, world.container).ok());
  CHECK(leased(world.dir).empty());
}

TEST_CASE("a limit on the size of files is an error document, not a signal") {
  enter_sandbox();
  World world;
  const Call add = world.call("ADD", "ulimit -f 0;");
  INFO(add.describe());
  CHECK(add.code() == 5);
  CHECK_THAT(add.msg(), Catch::Contains("File too large"));
  CHECK(world.runtime.add(world.list, world.container).ok());
  const Call del = world.call("DEL", "ulimit -f 0;");
  INFO(del.describe());
  CHECK(del.code() == 5);
  CHECK(world.runtime.del(world.list, world.container).ok());
}
