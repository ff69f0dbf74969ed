// The name spiderpool: Spiderpool's IPAM keys over railcni's pools.
#include <catch2/catch.hpp>

#include "tests/netns/plugin_names.h"
#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

struct World {
  Rail rail{"rail0", {.addresses = {"172.16.11.250/16"}}};
  Pod pod;
  std::string path = path_with_names({"spiderpool"});
  Runtime runtime{path};
  Container container{.id = "sp1", .netns = pod.path()};

  World() {
    const Outcome outcome =
        run({.argv = {railcni_binary(), "apply", "-f", "-"}, .stdin_text = kSeedPool});
    if (!outcome.ok()) throw std::runtime_error(outcome.describe());
  }
  Json config(const char* ipam_keys) const {
    Json config = Json::parse(
        R"({"cniVersion": "1.0.0", "name": "sp", "type": "macvlan", "master": "rail0"})");
    config["ipam"] = Json::parse(ipam_keys);
    config["ipam"]["type"] = "spiderpool";
    return config;
  }
  Call call(const std::string& verb, const Json& config) const {
    return exec_plugin(runtime.find_plugin("spiderpool"), runtime.environment(verb, container),
                       config.dump());
  }
  std::string leases() const { return run({.argv = {railcni_binary(), "lease", "list"}}).out; }
};

}  // namespace

TEST_CASE("Debian's macvlan with Spiderpool's IPAM keys") {
  enter_sandbox();
  World world;
  const Json list = make_conflist(
      "0.3.1", "sp",
      {world.config(R"({"default_ipv4_ippool": ["gpu1-*"], "match_master_subnet": true,
                        "log_level": "DEBUG", "log_file_path": "/var/log/spidernet/spiderpool.log"})")});
  const Call add = world.runtime.add(list, world.container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(addresses_of("net1", world.pod.path()) == std::vector<std::string>{"172.16.11.1/16"});
  CHECK_THAT(world.leases(), Catch::Contains("sp1"));
  // A second ADD says in the log, at that level, that it was one.
  REQUIRE(world.call("ADD", Runtime::plugin_config(list, 0, world.container, nullptr)).ok());
  CHECK_THAT(text_of_file("/var/log/spidernet/spiderpool.log"), Catch::Contains("returned again"));
  const Call del = world.runtime.del(list, world.container);
  INFO(del.describe());
  CHECK(del.ok());
  CHECK_THAT(world.leases(), !Catch::Contains("sp1"));
}

TEST_CASE("clean_gateway leaves the gateway, without a default route") {
  enter_sandbox();
  World world;
  const Json clean =
      world.config(R"({"default_ipv4_ippool": ["gpu1-net11"], "clean_gateway": true})");
  const Call add = world.call("ADD", clean);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(add.json.at("ips").as_array()[0].at("gateway").as_string() == "172.16.11.254");
  CHECK(add.json.find("routes") == nullptr);
  CHECK(world.call("CHECK", clean).ok());
  CHECK(world.call("DEL", clean).ok());
  const Json plain = world.config(R"({"default_ipv4_ippool": ["gpu1-net11"]})");
  const Call with_route = world.call("ADD", plain);
  REQUIRE(with_route.ok());
  CHECK(with_route.json.at("routes") ==
        Json::parse(R"([{"dst": "0.0.0.0/0", "gw": "172.16.11.254"}])"));
  CHECK(world.call("DEL", plain).ok());
}

TEST_CASE("what Spiderpool can and railcni cannot is refused by name") {
  enter_sandbox();
  World world;
  const auto refused = [&world](const char* keys, const char* part) {
    const Call call = world.call("ADD", world.config(keys));
    CHECK(call.code() == 7);
    CHECK_THAT(call.msg(), Catch::Contains(part));
  };
  refused(R"({"log_file_max_size": 100})", "ipam.log_file_max_size");
  refused(R"({"log_file_max_age": 5})", "ipam.log_file_max_age");
  refused(R"({"log_file_max_count": 2})", "ipam.log_file_max_count");
  refused(R"({"default_ipv4_ipool": ["a"]})", "ipam.default_ipv4_ippool");
  refused(R"({"default_ipv4_ippool": "a"})", "ipam.default_ipv4_ippool");
  refused(R"({"log_level": "loud"})", "loud");
  refused(R"({"default_ipv6_ippool": ["gpu1-net11"]})", "not an IPv6 pool");
  refused(R"({})", "no pool");
  // The agent's socket is nothing that anybody has to do without: there is no agent.
  const Json socket = world.config(
      R"({"default_ipv4_ippool": ["gpu1-net11"], "ipam_unix_socket_path": "/run/x.sock"})");
  const Call add = world.call("ADD", socket);
  REQUIRE(add.ok());
  CHECK_THAT(add.process.err, Catch::Contains("/run/x.sock"));
  CHECK(world.call("DEL", socket).ok());
  Json status = socket;
  status["cniVersion"] = "1.1.0";
  CHECK(world.call("STATUS", status).ok());
}
