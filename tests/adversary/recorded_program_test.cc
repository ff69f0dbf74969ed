// A record that names a program: what is run as root at DEL and gc.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <optional>

#include "tests/netns/plugin_names.h"
#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;
namespace fs = std::filesystem;

namespace {

struct World {
  Rail rail{"rail0"};
  std::optional<Pod> pod{std::in_place};
  std::string dir = make_folder("recorded");
  // What stands in the record as CNI_PATH; later it is not the call's.
  std::string recorded = path_with_names({"railcni"});
  std::string now = path_with_names({"railcni"});
  Container container{.id = "c1", .netns = pod->path()};
  Json list;

  World() {
    script(recorded, "recorded");
    Json plugin = macvlan_plugin(dir, "rail0", pool_v4());
    plugin["ipam"] = Json::object({{"type", "stub"}});
    list = make_conflist("1.0.0", "net", {plugin});
    Runtime runtime(recorded);
    const Call add = runtime.add(list, container);
    INFO(add.describe());
    REQUIRE(add.ok());
  }
  void script(const std::string& path, const std::string& word) const {
    put_script(path, "stub",
               "[ $CNI_COMMAND != ADD ] || echo '{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":"
               "\"10.9.0.5/24\"}]}'\necho " +
                   word + "-$CNI_COMMAND >>" + dir + "/calls\n");
  }
  std::string calls() const { return text_of_file(dir + "/calls"); }
};

}  // namespace

TEST_CASE("a DEL runs a recorded IPAM's program from its own CNI_PATH only") {
  enter_sandbox();
  World world;
  Runtime runtime(world.now);
  const Call missing = runtime.del(world.list, world.container);
  INFO(missing.describe());
  CHECK_FALSE(missing.ok());
  CHECK(world.calls() == "recorded-ADD\n");
  world.script(world.now, "now");
  CHECK(runtime.del(world.list, world.container).ok());
  CHECK(world.calls() == "recorded-ADD\nnow-DEL\n");
}

TEST_CASE("railcni gc, which has no CNI_PATH, runs it from the policy's folders only") {
  enter_sandbox();
  World world;
  world.pod.reset();
  const auto gc = [&world] {
    return run({.argv = {railcni_binary(), "gc", "--data-dir", world.dir}});
  };
  const Outcome missing = gc();
  INFO(missing.describe());
  CHECK(missing.exit_code == 1);
  CHECK_THAT(missing.err, Catch::Contains("stub"));
  CHECK(world.calls() == "recorded-ADD\n");
  const std::string folder = world.now.substr(0, world.now.find(':'));
  world.script(world.now, "policy");
  const NodePolicyFile policy(R"({"pluginDirs": [")" + folder + R"("]})");
  const Outcome done = gc();
  INFO(done.describe());
  CHECK(done.ok());
  CHECK(world.calls() == "recorded-ADD\npolicy-DEL\n");
}
