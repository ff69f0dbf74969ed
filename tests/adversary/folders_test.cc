// Folders and files for the state that somebody else can write to.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

struct World {
  Rail rail{"rail0"};
  Pod pod{"pod"};
  std::string top = make_folder("folders");
  Runtime runtime;
  Container container{.id = "c1", .netns = pod.path()};

  std::string made(const std::string& name, mode_t mode = 0700) const {
    const std::string path = top + "/" + name;
    REQUIRE(mkdir(path.c_str(), mode) == 0);
    REQUIRE(chmod(path.c_str(), mode) == 0);
    return path;
  }
  Json list(const std::string& dir) const { return macvlan_list(dir, "rail0", pool_v4()); }

  void require_refused(const std::string& dir, const std::string& why, int64_t code = 7) {
    INFO(dir);
    const Json inside = snapshot(pod.path());
    const Call add = runtime.add(list(dir), container);
    INFO(add.describe());
    CHECK_FALSE(add.ok());
    CHECK(add.code() == code);
    CHECK_THAT(add.msg(), Catch::Contains(why));
    CHECK(snapshot(pod.path()) == inside);
  }
  // What was refused at ADD must not keep the Pod.
  void require_gone(const std::string& dir) {
    const Call del = runtime.del(list(dir), container);
    INFO(del.describe());
    CHECK(del.ok());
  }
};

}  // namespace

TEST_CASE("a folder that others can write to is not for the state, nor one below it") {
  enter_sandbox();
  World world;
  const std::string open = world.made("open", 0777);
  const std::string group = world.made("group", 0770);
  const std::string theirs = world.made("theirs");
  REQUIRE(chown(theirs.c_str(), 65534, 65534) == 0);
  const std::string sticky = world.made("sticky", 01777);
  for (const std::string& dir : {open, open + "/below", group, sticky}) {
    world.require_refused(dir, "can be written by others");
    world.require_gone(dir);
  }
  for (const std::string& dir : {theirs, theirs + "/below"}) {
    world.require_refused(dir, "belongs to user 65534");
    world.require_gone(dir);
  }
  CHECK(std::filesystem::is_empty(open));
  CHECK(std::filesystem::is_empty(theirs));
  // Root's own in a folder where others can only add.
  const Call add = world.runtime.add(world.list(sticky + "/ours"), world.container);
  INFO(add.describe());
  CHECK(add.ok());
  CHECK(world.runtime.del(world.list(sticky + "/ours"), world.container).ok());
}

TEST_CASE("the states of networks that nobody uses any more go") {
  enter_sandbox();
  const Pod pod;
  const std::string links = make_folder("bin");
  REQUIRE(symlink(railcni_binary().c_str(), (links + "/host-local").c_str()) == 0);
  const Runtime runtime;
  const Container container{.id = "c1", .netns = pod.path()};
  const auto call = [&](const std::string& verb, const std::string& network) {
    const Json list = make_conflist(
        "1.0.0", network,
        {Json::object(
            {{"type", "macvlan"},
             {"ipam", Json::object({{"type", "host-local"}, {"subnet", "10.1.0.0/29"}})}})});
    const Call done = exec_plugin(links + "/host-local", runtime.environment(verb, container),
                                  Runtime::plugin_config(list, 0, container, nullptr).dump());
    INFO(done.describe());
    REQUIRE(done.ok());
  };
  const auto folder = [](const std::string& network) { return "/run/railcni/networks/" + network; };
  const auto make_older = [&](const std::string& network) {
    REQUIRE(
        run({.argv = {"/usr/bin/touch", "-d", "1 hour ago", folder(network) + "/state.mdb"}}).ok());
  };
  for (const char* network : {"used", "old", "young"}) call("ADD", network);
  for (const char* network : {"old", "young"}) call("DEL", network);
  for (const char* network : {"used", "old"}) make_older(network);
  SECTION("when another one comes") { call("ADD", "new"); }
  SECTION("at railcni gc") { REQUIRE(run({.argv = {railcni_binary(), "gc"}}).ok()); }
  CHECK_FALSE(std::filesystem::exists(folder("old")));
  CHECK(std::filesystem::exists(folder("used")));
  CHECK(std::filesystem::exists(folder("young")));
  call("ADD", "old");
  for (const char* network : {"used", "old"}) call("DEL", network);
}

TEST_CASE("links are not followed to the state") {
  enter_sandbox();
  World world;
  const std::string real = world.made("real");
  const std::string link = world.top + "/link";
  REQUIRE(symlink(real.c_str(), link.c_str()) == 0);
  for (const std::string& dir : {link, link + "/below"}) {
    world.require_refused(dir, "is a symbolic link");
    world.require_gone(dir);
  }
  CHECK(std::filesystem::is_empty(real));
}

TEST_CASE("a file in the state's place that is a link, or has two names, is not used") {
  enter_sandbox();
  World world;
  const std::string victim = world.top + "/victim";
  std::ofstream(victim) << "somebody else's";
  const std::string name = GENERATE("state.mdb", "lock");
  const std::string dir = world.made("planted");
  SECTION("a symbolic link") {
    REQUIRE(symlink(victim.c_str(), (dir + "/" + name).c_str()) == 0);
    world.require_refused(dir, "not a regular file", 102);
  }
  SECTION("a hard link") {
    REQUIRE(link(victim.c_str(), (dir + "/" + name).c_str()) == 0);
    world.require_refused(dir, "another name", 102);
  }
  SECTION("a FIFO") {
    REQUIRE(mkfifo((dir + "/" + name).c_str(), 0600) == 0);
    world.require_refused(dir, "not a regular file", 102);
  }
  SECTION("somebody else's") {
    std::ofstream(dir + "/" + name) << "x";
    REQUIRE(chown((dir + "/" + name).c_str(), 65534, 65534) == 0);
    world.require_refused(dir, "belongs to user 65534", 102);
  }
  std::ifstream text(victim);
  CHECK(std::string(std::istreambuf_iterator<char>(text), {}) == "somebody else's");
}
