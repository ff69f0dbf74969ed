// The result of an ADD, in the shape of each version of the specification.
#include <catch2/catch.hpp>

#include "tests/conformance/fixture.h"

using namespace railcni;
using namespace railcni::test;

namespace {

// Two pools, one of each family, with a gateway and a route each.
Json dual_stack(const Plugin& plugin, const std::string& version) {
  Json config = plugin.config(version);
  config["ipam"]["pools"] = Json::parse(R"([
    {"name": "p4", "subnet": "10.9.0.0/24", "ips": ["10.9.0.10-10.9.0.11"], "gateway": "10.9.0.1",
     "routes": [{"to": "172.16.0.0/16", "via": "10.9.0.1"}]},
    {"name": "p6", "subnet": "fd00:9::/64", "ips": ["fd00:9::10-fd00:9::11"],
     "gateway": "fd00:9::1", "routes": [{"dst": "fd00:a::/64", "gw": "fd00:9::1"}]}])");
  return config;
}

// What is there to compare: members in one order, the MAC taken out, an empty dns left out.
Json comparable(Json result) {
  if (result.find("dns") != nullptr && result.at("dns") == Json::object()) result.erase("dns");
  if (result.find("interfaces") != nullptr) {
    for (Json& interface : result["interfaces"].as_array()) interface.erase("mac");
  }
  return sorted(result);
}

std::string expected(const std::string& version, const std::string& sandbox) {
  const std::string v4_routes = R"({"dst":"0.0.0.0/0","gw":"10.9.0.1"},
                                   {"dst":"172.16.0.0/16","gw":"10.9.0.1"})";
  const std::string v6_routes = R"({"dst":"::/0","gw":"fd00:9::1"},
                                   {"dst":"fd00:a::/64","gw":"fd00:9::1"})";
  const std::string head = R"({"cniVersion":")" + version + "\",";
  if (version < "0.3.0") {
    return head + R"("ip4":{"ip":"10.9.0.10/24","gateway":"10.9.0.1","routes":[)" + v4_routes +
           R"(]},"ip6":{"ip":"fd00:9::10/64","gateway":"fd00:9::1","routes":[)" + v6_routes + "]}}";
  }
  const bool families = version < "1.0.0";
  const std::string interface = R"({"name":"net1","sandbox":")" + sandbox + "\"" +
                                (version == "1.1.0" ? R"(,"mtu":1500})" : "}");
  return head + R"("interfaces":[)" + interface + R"(],"ips":[{)" +
         (families ? R"("version":"4",)" : "") +
         R"("interface":0,"address":"10.9.0.10/24","gateway":"10.9.0.1"},{)" +
         (families ? R"("version":"6",)" : "") +
         R"("interface":0,"address":"fd00:9::10/64","gateway":"fd00:9::1"}],"routes":[)" +
         v4_routes + "," + v6_routes + "]}";
}

}  // namespace

TEST_CASE("result: the shape of each version") {
  const RailPlugin plugin;
  for (const std::string& version : kVersions) {
    INFO(version);
    const Pod pod;
    const Json before = snapshot(pod.path());
    const Container container = container_in(pod, "ctr-" + version);
    // Every round starts with a new state: the least recently used address comes last.
    Json config = dual_stack(plugin, version);
    config["dataDir"] = make_folder("data");
    const Call added = plugin.call("ADD", config, container);
    INFO(added.describe());
    REQUIRE(added.ok());
    REQUIRE(added.json.is_object());
    CHECK(comparable(added.json).dump() ==
          comparable(Json::parse(expected(version, pod.path()))).dump());
    if (version >= "0.3.0") {
      const Json link = link_of("net1", pod.path());
      CHECK(added.json.at("interfaces").as_array()[0].at("mac") == link.at("address"));
    }
    CHECK(addresses_of("net1", pod.path()) ==
          std::vector<std::string>{"10.9.0.10/24", "fd00:9::10/64"});

    if (version >= "0.4.0") {
      Json checked = config;
      checked["prevResult"] = added.json;
      check_silent_success(plugin.call("CHECK", checked, container));
    }
    // The same ADD again: the same result.
    const Call again = plugin.call("ADD", config, container);
    INFO(again.describe());
    CHECK(again.json == added.json);
    check_silent_success(plugin.call("DEL", config, container));
    CHECK(changes_since(before, pod.path()) == "");
  }
}

TEST_CASE("result: without cniVersion it is one of 0.1.0") {
  const RailPlugin plugin;
  const Pod pod;
  Json config = dual_stack(plugin, "1.1.0");
  config.erase("cniVersion");
  const Call added = plugin.call("ADD", config, container_in(pod));
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(comparable(added.json).dump() == comparable(Json::parse(expected("0.1.0", ""))).dump());
}

TEST_CASE("result: sandbox is CNI_NETNS to the letter") {
  const RailPlugin plugin;
  const Pod pod;
  Container container = container_in(pod);
  container.netns = "/run/./netns/../netns/" + pod.path().substr(pod.path().rfind('/') + 1);
  const Call added = plugin.call("ADD", plugin.config(), container);
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(added.json.at("interfaces").as_array()[0].at("sandbox").as_string() == container.netns);
}

TEST_CASE("result: dns of the configuration, and a pool without gateway") {
  const RailPlugin plugin;
  const Pod pod;
  Json config = plugin.config("1.0.0");
  const Json dns = Json::parse(R"({"nameservers":["10.9.0.2"],"search":["example.org"]})");
  config["dns"] = dns;
  config["ipam"]["pools"] =
      Json::parse(R"([{"name": "bare", "subnet": "10.9.0.0/24", "ips": ["10.9.0.20"]}])");
  const Call added = plugin.call("ADD", config, container_in(pod));
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(added.json.at("dns") == dns);
  const Json& ip = added.json.at("ips").as_array().at(0);
  CHECK(ip.at("address").as_string() == "10.9.0.20/24");
  CHECK(ip.find("gateway") == nullptr);
  const Json* routes = added.json.find("routes");
  CHECK((routes == nullptr || routes->as_array().empty()));
}

TEST_CASE("result: without IPAM it has the interface and no address") {
  const RailPlugin plugin;
  const Pod pod;
  Json config = plugin.config();
  config["ipam"] = Json::object();
  const Call added = plugin.call("ADD", config, container_in(pod));
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(added.json.at("interfaces").as_array().size() == 1);
  const Json* ips = added.json.find("ips");
  CHECK((ips == nullptr || ips->as_array().empty()));
  CHECK(addresses_of("net1", pod.path()).empty());
  check_silent_success(plugin.call("DEL", config, container_in(pod)));
}

TEST_CASE("result: the Pod's first default route stays") {
  const RailPlugin plugin;
  const Pod pod;
  ip("link add eth0 type veth peer name eth0peer", pod.path());
  ip("addr add 10.8.0.2/24 dev eth0", pod.path());
  ip("link set eth0peer up", pod.path());
  ip("link set eth0 up", pod.path());
  ip("route add default via 10.8.0.1", pod.path());
  const Call added = plugin.call("ADD", dual_stack(plugin, "1.1.0"), container_in(pod));
  INFO(added.describe());
  REQUIRE(added.ok());
  for (const Json& route : added.json.at("routes").as_array()) {
    // Of the rail's own table only.
    if (route.at("dst").as_string() == "0.0.0.0/0") CHECK(route.find("table") != nullptr);
  }
  const Json routes = ip_json("-4 route show default", pod.path());
  REQUIRE(routes.as_array().size() == 1);
  CHECK(routes.as_array()[0].at("dev").as_string() == "eth0");
}
