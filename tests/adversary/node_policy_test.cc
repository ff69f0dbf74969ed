// The node policy itself: a file that another could have written, or that says nothing clear.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "railcni/policy.h"
#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;
namespace fs = std::filesystem;

namespace {

struct World {
  Rail rail{"rail0"};
  Pod pod;
  std::string dir = make_folder("policy");
  Runtime runtime;
  Container container{.id = "c1", .netns = pod.path()};
  Json list = macvlan_list(dir, "rail0", pool_v4());

  // An ADD that fails for the policy, and cleaning up that does not.
  void expect_refused(const std::string& why) {
    INFO(why);
    const Call add = runtime.add(list, container);
    INFO(add.describe());
    CHECK(add.code() == 7);
    CHECK_THAT(add.msg(), Catch::Contains("the node policy: /etc") && Catch::Contains(why));
    const Call status = runtime.status(list);
    CHECK(status.code() == 50);
    CHECK_THAT(status.msg(), Catch::Contains(why));
    CHECK(runtime.del(list, container).ok());
    CHECK(runtime.gc(list, {}).ok());
    const Outcome check = run({.argv = {railcni_binary(), "policy", "check"}});
    CHECK(check.exit_code == 1);
    CHECK_THAT(check.err, Catch::Contains(why));
  }
};

const std::string kFile = "/etc/railcni/policy.json";

}  // namespace

TEST_CASE("a policy is root's own file, and so are its folders") {
  enter_sandbox();
  World world;
  const NodePolicyFile policy("{}");
  REQUIRE(world.runtime.add(world.list, world.container).ok());
  REQUIRE(world.runtime.del(world.list, world.container).ok());
  SECTION("another's file") {
    REQUIRE(chown(kFile.c_str(), 1000, 0) == 0);
    world.expect_refused("policy.json: must be owned by root");
  }
  SECTION("a file that others can write") {
    REQUIRE(chmod(kFile.c_str(), 0664) == 0);
    world.expect_refused("others than root can write to it");
  }
  SECTION("a folder that others can write") {
    REQUIRE(chmod("/etc/railcni", 01777) == 0);
    world.expect_refused("/etc/railcni: others than root can write to it");
    REQUIRE(chmod("/etc/railcni", 0755) == 0);
  }
  SECTION("/etc that others can write") {
    REQUIRE(chmod("/etc", 0777) == 0);
    world.expect_refused("others than root can write to it");
    REQUIRE(chmod("/etc", 0755) == 0);
  }
  SECTION("a link") {
    REQUIRE(rename(kFile.c_str(), "/etc/railcni/elsewhere") == 0);
    fs::create_symlink("elsewhere", kFile);
    world.expect_refused("policy.json: must not be a link");
    unlink("/etc/railcni/elsewhere");
  }
  SECTION("a link to nowhere is no absent policy") {
    unlink(kFile.c_str());
    rmdir("/etc/railcni");
    fs::create_symlink("/nowhere", "/etc/railcni");
    world.expect_refused("must be a folder, and no link to one");
    unlink("/etc/railcni");
  }
  SECTION("a FIFO, on which nobody waits") {
    unlink(kFile.c_str());
    REQUIRE(mkfifo(kFile.c_str(), 0600) == 0);
    world.expect_refused("must be a regular file");
  }
  SECTION("more than a page") {
    std::ofstream(kFile) << std::string(kMaxPolicySize + 1, ' ');
    world.expect_refused("is larger than");
  }
  SECTION("two of them") {
    const NodePolicyFile other("{}", "policy.yaml");
    world.expect_refused("policy.yaml and policy.json are both there");
  }
}

TEST_CASE("what is wrong in a policy is said with file and key, all of it") {
  enter_sandbox();
  World world;
  {
    const NodePolicyFile policy("logDirs: [/var/log]\ninlinePool: none\nhostRoutes: all\n",
                                "policy.yaml");
    world.expect_refused(
        "/etc/railcni/policy.yaml:2: unknown key \"inlinePool\": did you mean "
        "\"inlinePools\"?");
    world.expect_refused("/etc/railcni/policy.yaml:3: hostRoutes: must be one of");
  }
  {
    const NodePolicyFile policy("logDirs: [/var/log\n", "policy.yaml");
    world.expect_refused("/etc/railcni/policy.yaml:");
  }
  {
    const NodePolicyFile policy("{\"logDirs\": \"/var/log\"}");
    world.expect_refused("logDirs: must be a list");
  }
  {
    const NodePolicyFile policy("[]");
    world.expect_refused("must be an object");
  }
}

TEST_CASE("a policy that is wrong in one key is in force in the others while it cleans up") {
  enter_sandbox();
  World world;
  const std::string folder = make_folder("own", "/var/log");
  world.list = macvlan_list(folder, "rail0", pool_v4());
  {
    const NodePolicyFile policy(R"({"dataDirs": ["/var/log"]})");
    REQUIRE(world.runtime.add(world.list, world.container).ok());
  }
  const NodePolicyFile policy(R"({"dataDirs": ["/var/log"], "hostRoutes": "all"})");
  const Call del = world.runtime.del(world.list, world.container);
  INFO(del.describe());
  CHECK(del.ok());
  CHECK_THAT(del.process.err, Catch::Contains("hostRoutes"));
  CHECK(link_of("net1", world.pod.path()).is_null());
  fs::remove_all(folder);
}

TEST_CASE("YAML and JSON are read in a call of the plugin") {
  enter_sandbox();
  World world;
  const bool yaml = GENERATE(true, false);
  const NodePolicyFile policy(
      yaml ? "# nothing but\ninlinePools: none\n" : R"({"inlinePools": "none"})",
      yaml ? "policy.yaml" : "policy.json");
  const Call add = world.runtime.add(world.list, world.container);
  CHECK(add.code() == 7);
  CHECK_THAT(add.msg(), Catch::Contains("inlinePools") && Catch::Contains("ipam.pools[0]"));
  CHECK(world.runtime.status(world.list).code() == 7);
  const Json shown =
      Json::parse(run({.argv = {railcni_binary(), "policy", "show", "-o", "json"}}).out);
  CHECK(shown.at("policy").at("inlinePools") == Json("none"));
  CHECK(shown.at("file") == Json(policy.path()));
  CHECK(shown.at("valid") == Json(true));
}

TEST_CASE("an empty policy, and the packaged example, are right") {
  enter_sandbox();
  for (const char* text : {"", "# comments alone\n", "---\n"}) {
    const NodePolicyFile policy(text, "policy.yaml");
    CHECK(run({.argv = {railcni_binary(), "policy", "check"}}).ok());
  }
  const std::string example = RAILCNI_EXAMPLES "/policy.yaml";
  const Outcome check = run({.argv = {railcni_binary(), "policy", "check", example, "-o", "json"}});
  INFO(check.describe());
  CHECK(check.ok());
  // It says that it has the defaults, but for the cluster's networks.
  Json shown = Json::parse(check.out).at("policy");
  CHECK(shown.at("clusterCIDRs").as_array().size() == 3);
  shown["clusterCIDRs"] = Json::array();
  CHECK(shown == NodePolicy().to_json());
  World world;
  std::ifstream file(example);
  const NodePolicyFile policy(std::string(std::istreambuf_iterator<char>(file), {}), "policy.yaml");
  CHECK(world.runtime.add(world.list, world.container).ok());
  CHECK(world.runtime.del(world.list, world.container).ok());
}
