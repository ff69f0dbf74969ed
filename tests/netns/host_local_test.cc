// The name host-local, side by side with Debian's.
#include <catch2/catch.hpp>

#include "tests/netns/plugin_names.h"
#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

// One of the two, with a folder of its own.
struct Side {
  std::string program;
  std::string dir;
  Runtime runtime;

  Call call(const std::string& verb, const Container& container, Json config) const {
    if (Json* ipam = &config["ipam"]; ipam->is_object()) {
      (*ipam)["type"] = "host-local";
      (*ipam)["dataDir"] = dir;
    }
    return exec_plugin(program, runtime.environment(verb, container), config.dump());
  }
};

struct World {
  Side original{"/usr/lib/cni/host-local", make_folder("original"), Runtime("/usr/lib/cni")};
  std::string path = path_with_names({"host-local"});
  Side ours{Runtime(path).find_plugin("host-local"), make_folder("ours"), Runtime(path)};
  Pod pod;
  Container container{.id = "c1", .netns = pod.path(), .ifname = "eth0"};

  Json config(const char* ipam, const std::string& version = "1.0.0") const {
    return Json::object(
        {{"cniVersion", version}, {"name", "hl"}, {"type", "bridge"}, {"ipam", Json::parse(ipam)}});
  }
  // The same call at both; results must be equal, and failures have those words in both messages.
  void compare(const std::string& verb, const Json& config, const std::string& common = "") const {
    const Call theirs = original.call(verb, container, config);
    const Call mine = ours.call(verb, container, config);
    INFO(config.dump() << "\noriginal: " << theirs.describe() << "\nrailcni: " << mine.describe());
    REQUIRE(mine.ok() == theirs.ok());
    REQUIRE(mine.ok() == common.empty());
    if (mine.ok()) {
      CHECK(mine.json == theirs.json);
    } else {
      CHECK_THAT(theirs.msg(), Catch::Contains(common));
      CHECK_THAT(mine.msg(), Catch::Contains(common));
    }
  }
  Container container_of(const std::string& id) const {
    return {.id = id, .netns = pod.path(), .ifname = "eth0"};
  }
};

const std::string kTwoSets = R"({"ranges": [[{"subnet": "10.2.0.0/24", "rangeStart": "10.2.0.5",
    "rangeEnd": "10.2.0.9", "gateway": "10.2.0.7"}, {"subnet": "10.3.0.0/29"}],
    [{"subnet": "fd02::/64"}]], "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0", "gw": "fd02::9"},
    {"dst": "10.8.1.1/8", "gw": "10.2.0.7"}]})";

}  // namespace

TEST_CASE("host-local: results are the original's, in every version") {
  enter_sandbox();
  World world;
  const std::string version =
      GENERATE(as<std::string>(), "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0");
  const std::string ipam =
      GENERATE(as<std::string>(), R"({"subnet": "10.1.0.0/16"})",
               R"({"subnet": "10.1.0.0/16", "rangeStart": "10.1.3.7", "rangeEnd": "10.1.3.9",
          "gateway": "10.1.0.254", "routes": [{"dst": "0.0.0.0/0"}]})",
               R"({"subnet": "10.1.0.0/24", "gateway": "192.0.2.9"})",
               R"({"subnet": "10.4.0.0/30", "ranges": [[{"subnet": "fd04::/126"}]]})", kTwoSets);
  const Json config = world.config(ipam.c_str(), version);
  world.compare("ADD", config);
  if (version >= "0.4.0") world.compare("CHECK", config);
  world.compare("DEL", config);
  world.compare("DEL", config);
  world.compare("ADD", config);
}

TEST_CASE("host-local: addresses go round, and a full range says so") {
  enter_sandbox();
  World world;
  // One after the other: never the address that was just released.
  const Json one = world.config(R"({"subnet": "10.1.0.0/29"})");
  for (int i = 0; i < 20; ++i) {
    world.compare("ADD", one);
    world.compare("DEL", one);
  }
  // The first time through all ranges of the set.
  Json config = world.config(R"({"ranges": [[{"subnet": "10.2.0.0/29"},
      {"subnet": "10.3.0.0/24", "rangeStart": "10.3.0.20", "rangeEnd": "10.3.0.21"}]]})");
  config["name"] = "round";
  for (int i = 0; i < 7; ++i) {
    world.compare("ADD", config);
    world.compare("DEL", config);
  }
  config["name"] = "full";
  // 5 and 2 addresses, then none; with the first one gone, its address.
  for (int i = 0; i < 7; ++i) {
    world.container.id = "all" + std::to_string(i);
    world.compare("ADD", config);
  }
  world.container.id = "more";
  const Call full = world.ours.call("ADD", world.container, config);
  CHECK(full.code() == 11);
  CHECK_THAT(full.msg(), Catch::Contains("range set 0") && Catch::Contains("no free IPv4 address"));
  CHECK_FALSE(world.original.call("ADD", world.container, config).ok());
  world.container.id = "all3";
  world.compare("DEL", config);
  world.container.id = "more";
  world.compare("ADD", config);
}

TEST_CASE("host-local: requested addresses, from all three places") {
  enter_sandbox();
  World world;
  Json config = world.config(kTwoSets.c_str());
  SECTION("args.cni.ips") {
    config["args"] = Json::parse(R"({"cni": {"ips": ["10.2.0.8", "fd02::77"]}})");
  }
  SECTION("runtimeConfig.ips, with a length that is not the subnet's") {
    config["runtimeConfig"] = Json::parse(R"({"ips": ["10.3.0.3/8", "fd02::77/128"]})");
  }
  SECTION("CNI_ARGS") { world.container.args = "IgnoreUnknown=1;IP=10.3.0.2"; }
  SECTION("the same one twice") {
    world.container.args = "IP=10.3.0.2";
    config["args"] = Json::parse(R"({"cni": {"ips": ["10.3.0.2"]}})");
  }
  world.compare("ADD", config);
  world.container.id = "c2";
  const Call taken = world.ours.call("ADD", world.container, config);
  CHECK(taken.code() == 11);
  CHECK_THAT(taken.msg(), Catch::Contains("range set 0") && !Catch::Contains("c1"));
  CHECK_THAT(taken.process.err, Catch::Contains("hl/c1/eth0"));
  CHECK_FALSE(world.original.call("ADD", world.container, config).ok());
}

TEST_CASE("host-local: a request that cannot be met") {
  enter_sandbox();
  World world;
  Json config = world.config(kTwoSets.c_str());
  const auto request = [&](const char* ips, const char* common) {
    config["args"] = Json::object({{"cni", Json::object({{"ips", Json::parse(ips)}})}});
    world.compare("ADD", config, common);
  };
  request(R"(["10.9.9.9"])", "failed to allocate all requested IPs: 10.9.9.9");
  request(R"(["10.2.0.5", "10.3.0.2"])", "failed to allocate all requested IPs: 10.");
  request(R"(["10.2.0.7"])", "gateway");
  request(R"(["10.2.0.x"])", "10.2.0.x");
}

TEST_CASE("host-local: what the original refuses") {
  enter_sandbox();
  World world;
  world.compare("ADD", world.config(R"({})"), "no IP ranges specified");
  world.compare("ADD", world.config(R"({"ranges": [[]]})"), "empty range set");
  world.compare("ADD", world.config(R"({"subnet": "10.1/16"})"), "10.1/16");
  world.compare("ADD", world.config(R"({"subnet": "10.1.0.1/24"})"), "host bits set");
  world.compare("ADD", world.config(R"({"subnet": "10.1.0.0/31"})"), "too small to allocate from");
  world.compare("ADD", world.config(R"({"subnet": "10.1.0.0/24", "rangeEnd": "10.2.0.1"})"),
                "10.2.0.1 ");
  world.compare("ADD", world.config(R"({"ranges": [[{"subnet": "10.1.0.0/24"},
                                                    {"subnet": "fd00::/64"}]]})"),
                "mixed address families");
  world.compare("ADD", world.config(R"({"ranges": [[{"subnet": "10.1.0.0/24"}],
                                                   [{"subnet": "10.1.0.0/25"}]]})"),
                "overlaps with");
  world.compare("ADD",
                world.config(R"({"ranges": [[{"subnet": "10.1.0.0/24"}],
                                                   [{"subnet": "10.2.0.0/24"}]]})",
                             "0.2.0"),
                "CNI version 0.2.0 does not support more than");
  world.compare("ADD", world.config(R"({"subnet": "10.1.0.0/24", "resolvConf": "/no/such"})"),
                "/no/such");
  world.compare("CHECK", world.config(R"({"subnet": "10.1.0.0/24"})"), "address");
  Json none = world.config(R"({})");
  none.erase("ipam");
  const Call call = exec_plugin(
      world.ours.program, world.ours.runtime.environment("ADD", world.container), none.dump());
  CHECK(call.code() == 7);
  CHECK_THAT(call.msg(), Catch::Contains("ipam"));
}

TEST_CASE("host-local: ranges of the runtime, resolv.conf, keys of nobody") {
  enter_sandbox();
  World world;
  run({.argv = {"/bin/sh", "-c",
                "printf 'nameserver 10.0.0.53\\n# x\\n;y\\nnameserver fd00::53\\ndomain a.b\\n"
                "search a.b c.d\\noptions ndots:2 rotate\\nsortlist 10.0.0.0\\n\\nnameserver\\n' "
                ">/run/resolv.test"}});
  Json config = world.config(
      R"({"subnet": "10.2.0.0/24", "resolvConf": "/run/resolv.test", "comment": "mine"})");
  config["runtimeConfig"] = Json::parse(
      R"({"ipRanges": [[{"subnet": "10.8.0.0/24", "rangeStart": "10.8.0.7", "note": 1}]]})");
  world.compare("ADD", config);
  const Call again = world.ours.call("ADD", world.container_of("c2"), config);
  REQUIRE(again.ok());
  CHECK_THAT(again.process.err, Catch::Contains("ipam.comment"));
  CHECK_THAT(again.process.err, Catch::Contains("runtimeConfig.ipRanges[0][0].note"));
  // A DEL needs neither the file nor a right configuration.
  config["ipam"]["resolvConf"] = "/no/such";
  config["ipam"]["subnet"] = "x";
  CHECK(world.ours.call("DEL", world.container, config).ok());
}

TEST_CASE("host-local: a network and a dataDir have addresses of their own") {
  enter_sandbox();
  World world;
  Json config = world.config(R"({"subnet": "10.1.0.0/24"})");
  const auto first = [](const Call& call) {
    INFO(call.describe());
    REQUIRE(call.ok());
    return call.json.at("ips").as_array().at(0).at("address").as_string();
  };
  world.compare("ADD", config);
  config["name"] = "hl2";
  world.compare("ADD", config);
  CHECK(first(world.ours.call("ADD", world.container, config)) == "10.1.0.2/24");
  Side elsewhere = world.ours;
  elsewhere.dir = make_folder("elsewhere");
  CHECK(first(elsewhere.call("ADD", world.container_of("x"), config)) == "10.1.0.2/24");
  // Without a dataDir: in railcni's own folder, and its gc knows of it.
  config["ipam"] = Json::parse(R"({"type": "host-local", "subnet": "10.1.0.0/24"})");
  const auto plain = [&](const std::string& verb, const Container& container) {
    return exec_plugin(world.ours.program, world.ours.runtime.environment(verb, container),
                       config.dump());
  };
  Pod gone("gone");
  CHECK(first(plain("ADD", {.id = "g", .netns = gone.path(), .ifname = "eth0"})) == "10.1.0.2/24");
  CHECK(first(plain("ADD", world.container)) == "10.1.0.3/24");
  gone.destroy();
  const Outcome gc = run({.argv = {railcni_binary(), "gc", "-o", "json"}});
  INFO(gc.describe());
  REQUIRE(gc.ok());
  const Json undone = Json::parse(gc.out).at("undone");
  REQUIRE(undone.as_array().size() == 1);
  CHECK(undone.as_array()[0].at("containerID").as_string() == "g");
  const Outcome list = run({.argv = {railcni_binary(), "lease", "list", "-o", "json"}});
  REQUIRE(Json::parse(list.out).as_array().size() == 1);
  CHECK(Json::parse(list.out).as_array()[0].at("address").as_string() == "10.1.0.3/24");
  CHECK(plain("DEL", world.container).ok());
}

TEST_CASE("host-local: a node changes over to railcni while Pods of the original run") {
  enter_sandbox();
  World world;
  world.ours.dir = world.original.dir;
  Json config =
      world.config(R"({"ranges": [[{"subnet": "10.1.0.0/29"}], [{"subnet": "fd01::/64"}]]})");
  for (const char* id : {"old1", "old2", "stale"}) {
    REQUIRE(world.original.call("ADD", world.container_of(id), config).ok());
  }
  // The last one was left over from another boot.
  for (const char* file : {"/hl/10.1.0.4", "/hl/fd01::4"}) {
    REQUIRE(run({.argv = {"/usr/bin/touch", "-d", "2001-01-01", world.ours.dir + file}}).ok());
  }
  const auto address = [](const Call& call) {
    INFO(call.describe());
    REQUIRE(call.ok());
    return call.json.at("ips").as_array().at(0).at("address").as_string();
  };
  CHECK(address(world.ours.call("ADD", world.container_of("new1"), config)) == "10.1.0.4/29");
  Json request = config;
  request["args"] = Json::parse(R"({"cni": {"ips": ["10.1.0.2"]}})");
  CHECK(world.ours.call("ADD", world.container_of("new2"), request).code() == 11);
  CHECK(address(world.ours.call("ADD", world.container_of("new2"), config)) == "10.1.0.5/29");
  CHECK(address(world.ours.call("ADD", world.container_of("new3"), config)) == "10.1.0.6/29");
  CHECK(world.ours.call("ADD", world.container_of("new4"), config).code() == 11);
  CHECK(world.ours.call("CHECK", world.container_of("old1"), config).ok());
  CHECK_FALSE(world.ours.call("CHECK", world.container_of("old3"), config).ok());
  CHECK(world.ours.call("DEL", world.container_of("old1"), config).ok());
  CHECK_FALSE(world.ours.call("CHECK", world.container_of("old1"), config).ok());
  CHECK_FALSE(world.original.call("CHECK", world.container_of("old1"), config).ok());
  CHECK(world.original.call("CHECK", world.container_of("old2"), config).ok());
  CHECK(leased(world.ours.dir + "/hl").size() == 6);
  CHECK_NOTHROW(cli(world.ours.dir + "/hl", {"gc"}));
}

TEST_CASE("host-local: GC and STATUS, which the original of Debian 12 does not have") {
  enter_sandbox();
  World world;
  Json config = world.config(R"({"subnet": "10.1.0.0/24"})", "1.1.0");
  CHECK(world.ours.call("STATUS", world.container, config).ok());
  for (const char* id : {"a", "b"}) {
    REQUIRE(world.ours.call("ADD", world.container_of(id), config).ok());
  }
  config["cni.dev/valid-attachments"] = Json::parse(R"([{"containerID":"b","ifname":"eth0"}])");
  CHECK(world.ours.call("GC", world.container, config).ok());
  CHECK_FALSE(world.ours.call("CHECK", world.container_of("a"), config).ok());
  CHECK(world.ours.call("CHECK", world.container_of("b"), config).ok());
  config["ipam"]["subnet"] = "10.1.0.0/33";
  CHECK_FALSE(world.ours.call("STATUS", world.container, config).ok());
}

TEST_CASE("host-local: Debian's bridge finds it in CNI_PATH, and so does railcni") {
  enter_sandbox();
  World world;
  Rail rail("rail0");
  Runtime runtime(path_with_names({"host-local", "railcni"}));
  const Json ipam = Json::object(
      {{"type", "host-local"}, {"dataDir", world.ours.dir}, {"subnet", "10.9.0.0/24"}});
  Json plugin;
  SECTION("bridge") {
    plugin = Json::object({{"type", "bridge"}, {"bridge", "br9"}, {"ipam", ipam}});
  }
  SECTION("railcni") {
    plugin = macvlan_plugin(make_folder("own"), "rail0", pool_v4());
    plugin["ipam"] = ipam;
  }
  const Json list = make_conflist("1.0.0", "hl", {plugin});
  const Call add = runtime.add(list, world.container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(addresses_of("eth0", world.pod.path()) == std::vector<std::string>{"10.9.0.2/24"});
  CHECK(leased(world.ours.dir + "/hl") == std::vector<std::string>{"10.9.0.2/24"});
  CHECK(runtime.check(list, world.container).ok());
  CHECK(runtime.del(list, world.container).ok());
  CHECK(leased(world.ours.dir + "/hl").empty());
  if (ip_succeeds("link show br9")) ip("link del br9");
}
