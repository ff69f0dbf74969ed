// Callers that see neither the Pods' mounts nor their processes: not to be seen is not to be dead.
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <optional>

#include "railcni/fd.h"
#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

// A pool of one address, which the Pod `living` has.
struct World {
  explicit World(const std::string& plugin = "macvlan") {
    Json pool = Json::object({{"name", "p"}, {"subnet", "10.9.0.0/24"}});
    pool["ips"] = Json::array({"10.9.0.7"});
    list = macvlan_list(dir, "rail0", pool);
    if (plugin == "ipam") {
      bridge = "b" + dir.substr(dir.rfind('.') + 1);
      list =
          make_conflist("1.0.0", "net",
                        {Json::object({{"type", "bridge"},
                                       {"bridge", bridge},
                                       {"ipam", Json::object({{"type", "railcni"},
                                                              {"dataDir", dir},
                                                              {"pools", Json::array({pool})}})}})});
    }
    const Call add = runtime.add(list, first());
    INFO(add.describe());
    REQUIRE(add.ok());
  }

  ~World() {
    if (!bridge.empty()) (void)ip_succeeds("link del " + bridge);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Container first() const { return {.id = "c1", .netns = living->path()}; }
  Container second() const { return {.id = "c2", .netns = other.path()}; }

  // Runs railcni with process IDs and mounts of its own, in which the first Pod's are not, after
  // `more`; with the environment and stdin of an ADD of the second Pod, or as the command line.
  Call blind(const std::string& more, const std::vector<std::string>& arguments = {}) const {
    Command command{.argv = {"unshare", "--pid", "--fork", "--mount", "--mount-proc", "sh", "-c"}};
    command.env = {"PATH=/usr/bin:/bin:/usr/sbin:/sbin"};
    std::string line = "umount " + hidden + " 2>/dev/null; " + more + " exec " + railcni_binary();
    for (const std::string& argument : arguments) line += " " + argument;
    command.argv.push_back(line);
    if (arguments.empty()) {
      for (std::string& text : runtime.environment("ADD", second())) command.env.push_back(text);
      command.stdin_text = Runtime::plugin_config(list, 0, second(), nullptr).dump();
    }
    Call call;
    call.process = run(command);
    if (!call.process.out.empty()) call.json = Json::parse(call.process.out);
    return call;
  }

  void require_left(const std::string& more) const {
    const Call add = blind(more);
    INFO(add.describe());
    CHECK_FALSE(add.ok());
    CHECK(add.code() == 11);
    CHECK_THAT(add.msg(), Catch::Contains("cannot be told from here"));
    const Call gc = blind(more, {"gc", "-o", "json", "--data-dir", dir});
    INFO(gc.describe());
    REQUIRE(gc.ok());
    CHECK(gc.json.at("undone").as_array().empty());
    CHECK(gc.json.at("unknown").as_array().size() == 1);
    CHECK(leased(dir) == std::vector<std::string>{"10.9.0.7/24"});
  }

  Rail rail{"rail0"};
  std::optional<Pod> living{Pod("pod")};
  Pod other{"pod"};
  const std::string hidden = living->path();
  std::string dir = make_folder("sight");
  std::string bridge;
  Runtime runtime;
  Json list;
};

constexpr const char* kWays[] = {
    "",                                // no process and no mount of the Pod
    "umount /proc; umount -l /proc;",  // no /proc at all
    "mount -t tmpfs none /proc;",      // something else in its place
};

}  // namespace

TEST_CASE("a living Pod that is not seen keeps its address") {
  enter_sandbox();
  const World world;
  for (const char* way : kWays) {
    INFO(way);
    world.require_left(way);
  }
}

TEST_CASE("so does one whose addresses another plugin's IPAM gave") {
  enter_sandbox();
  World world("ipam");
  for (const char* way : kWays) {
    INFO(way);
    world.require_left(way);
  }
  // Who sees everything may take it once the Pod is gone.
  world.living.reset();
  const Call add = world.runtime.add(world.list, world.second());
  INFO(add.describe());
  CHECK(add.ok());
}

TEST_CASE("without the right to look into processes nobody is dead") {
  enter_sandbox();
  World world("ipam");
  const Command command{
      .argv = {"unshare", "--mount", "setpriv", "--bounding-set=-sys_ptrace", "sh", "-c",
               "umount " + world.hidden + "; exec " + railcni_binary() + " gc -o json --data-dir " +
                   world.dir},
      .env = {"PATH=/usr/bin:/bin:/usr/sbin:/sbin"}};
  const Outcome outcome = run(command);
  INFO(outcome.describe());
  REQUIRE(outcome.ok());
  const Json report = Json::parse(outcome.out);
  CHECK(report.at("undone").as_array().empty());
  CHECK(report.at("unknown").as_array().size() == 1);
}

TEST_CASE("a Pod that is gone is known to be without seeing anything") {
  enter_sandbox();
  World world;
  world.living.reset();
  // The kernel takes a namespace apart in the background.
  Call add = world.blind(kWays[1]);
  for (int i = 0; i < 100 && add.code() == 11; ++i) {
    usleep(50'000);
    add = world.blind(kWays[1]);
  }
  INFO(add.describe());
  CHECK(add.ok());
  CHECK(leased(world.dir) == std::vector<std::string>{"10.9.0.7/24"});
}

TEST_CASE("a namespace that is kept by nothing but an open file is alive") {
  enter_sandbox();
  const std::string plugin = GENERATE("macvlan", "ipam");
  World world(plugin);
  {
    const Fd kept(open(world.living->path().c_str(), O_RDONLY | O_CLOEXEC));
    world.living.reset();
    CHECK(cli_json(world.dir, {"gc"}).at("undone").as_array().empty());
    CHECK(world.runtime.add(world.list, world.second()).code() == 11);
  }
  Json undone = cli_json(world.dir, {"gc"}).at("undone");
  for (int i = 0; i < 100 && undone.as_array().empty(); ++i) {
    usleep(50'000);
    undone = cli_json(world.dir, {"gc"}).at("undone");
  }
  CHECK(undone.as_array().size() == 1);
}

TEST_CASE("a number that another namespace has by now does not keep a Pod alive") {
  enter_sandbox();
  World world;
  // The kernel numbers the namespace of a veth's peer, with the lowest free number.
  const auto make_numbered = [](const Pod& pod, const std::string& name) {
    ip("link add " + name + " type veth peer name eth0 netns " + pod.path());
  };
  auto first = std::make_optional<Pod>("pod");
  make_numbered(*first, "host1");
  Json pool = Json::object({{"name", "q"}, {"subnet", "10.8.0.0/24"}});
  pool["ips"] = Json::array({"10.8.0.7"});
  const Json list = macvlan_list(world.dir, "rail0", pool);
  REQUIRE(world.runtime.add(list, {.id = "n1", .netns = first->path()}).ok());
  first.reset();
  const Pod second("pod");
  make_numbered(second, "host2");
  const Pod third("pod");
  Call add = world.runtime.add(list, {.id = "n2", .netns = third.path()});
  for (int i = 0; i < 100 && add.code() == 11; ++i) {
    usleep(50'000);
    add = world.runtime.add(list, {.id = "n2", .netns = third.path()});
  }
  INFO(add.describe());
  CHECK(add.ok());
  ip("link del host2");
}
