// railcni under the names ipvlan and sriov, and what render makes of a document, on a kernel and
// with hardware that have these.
#include <catch2/catch.hpp>

#include "tests/netns/world.h"
#include "tests/vm/machine.h"
#include "tests/vm/sriov_world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

struct Names {
  std::string folder = make_folder("names");
  std::string dir = make_folder("dropin");
  Runtime ours{folder + ":/usr/lib/cni"};
  Runtime debian{"/usr/lib/cni"};

  Names() {
    const Outcome outcome =
        run({.argv = {railcni_binary(), "install", "--to", folder, "--as", "ipvlan,sriov,sbr"}});
    INFO(outcome.describe());
    REQUIRE(outcome.ok());
  }
};

const char* const kPool = R"({"type": "railcni", "pools": [{"name": "p", "subnet": "10.7.0.0/24",
    "gateway": "10.7.0.1", "ips": ["10.7.0.7"]}]})";
const char* const kStatic = R"({"type": "static", "routes": [{"dst": "0.0.0.0/0"}],
    "addresses": [{"address": "10.7.0.7/24", "gateway": "10.7.0.1"}]})";

}  // namespace

TEST_CASE("dropin: ipvlan beside the original, in each mode", "[ethernet]") {
  Machine machine;
  const Json before = machine_snapshot();
  Names names;
  for (const char* mode : {"", "l2", "l3", "l3s"}) {
    INFO("mode " << mode);
    Json config =
        Json::object({{"type", "ipvlan"}, {"master", "rail1"}, {"mode", mode}, {"mtu", 1400}});
    config["ipam"] = Json::parse(kStatic);
    Json results[2];
    Json links[2];
    std::vector<std::string> addresses[2];
    Json routes[2];
    for (const int who : {0, 1}) {
      const Pod pod;
      Runtime& runtime = who == 0 ? names.debian : names.ours;
      if (who == 1) {
        config["ipam"] = Json::parse(kPool);
        config["dataDir"] = names.dir;
      }
      const Json list = make_conflist("1.0.0", "n", {config});
      const Container container{.id = "c1", .netns = pod.path()};
      const Call add = runtime.add(list, container);
      INFO(add.describe());
      REQUIRE(add.ok());
      results[who] = add.json;
      results[who]["interfaces"].as_array().at(0)["sandbox"] = "";
      const Json link = link_of("net1", pod.path());
      links[who] = Json::object({{"mtu", link.at("mtu")},
                                 {"address", link.at("address")},
                                 {"linkinfo", link.at("linkinfo")}});
      addresses[who] = addresses_of("net1", pod.path());
      routes[who] = ip_json("route show default", pod.path()).as_array().at(0).at("gateway");
      CHECK(runtime.check(list, container).ok());
      CHECK(runtime.del(list, container).ok());
      CHECK(link_of("net1", pod.path()).is_null());
    }
    // As with macvlan, the default route has its gateway.
    CHECK(results[1].at("routes") == Json::parse(R"([{"dst": "0.0.0.0/0", "gw": "10.7.0.1"}])"));
    results[1].erase("routes");
    results[0].erase("routes");
    CHECK(results[1] == results[0]);
    CHECK(links[1] == links[0]);
    CHECK(addresses[1] == addresses[0]);
    CHECK(routes[1] == routes[0]);
  }
  CHECK(machine_changes_since(before) == "");
}

TEST_CASE("dropin: ipvlan without an IPAM, and on the chain's interface", "[ethernet]") {
  Machine machine;
  Names names;
  const Pod pod;
  const Container container{.id = "c1", .netns = pod.path()};
  Json config = Json::object({{"type", "ipvlan"}, {"dataDir", names.dir}});
  const Json list = make_conflist("1.0.0", "n", {config});
  config["name"] = "n";
  config["cniVersion"] = "1.0.0";
  config["prevResult"] =
      Json::parse(R"({"cniVersion": "1.0.0", "interfaces": [{"name": "rail1b"}]})");
  const Call add = exec_plugin(names.folder + "/ipvlan", names.ours.environment("ADD", container),
                               config.dump());
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(add.json.find("ips") == nullptr);
  CHECK(link_of("net1", pod.path()).at("address") == link_of("rail1b").at("address"));
  CHECK(names.ours.del(list, container).ok());
  CHECK(link_of("net1", pod.path()).is_null());
}

TEST_CASE("dropin: a NAD of sriov-cni, and sbr behind it", "[ethernet]") {
  Machine machine;
  const std::vector<std::string> vfs = vfs_of("rail1");
  const Json before = machine_snapshot();
  Names names;
  const Pod pod;
  const Container container{.id = "c1", .netns = pod.path()};
  Json config = Json::parse(R"({"type": "sriov", "vlan": 7, "vlanQoS": 2,
      "mac": "02:00:00:00:00:07", "trust": "on", "spoofchk": "off", "max_tx_rate": 200,
      "link_state": "", "logLevel": "info"})");
  config["ipam"] = Json::parse(kPool);
  config["dataDir"] = names.dir;
  const Json sbr = Json::object({{"type", "sbr"}, {"dataDir", names.dir}});
  const Json list = with_device(make_conflist("1.1.0", "n", {config, sbr}), vfs.at(2));
  const Call add = names.ours.add(list, container);
  INFO(add.describe());
  REQUIRE(add.ok());
  const Json interface = add.json.at("interfaces").as_array().at(0);
  CHECK(interface.at("mac") == "02:00:00:00:00:07");
  CHECK(interface.at("pciID") == vfs.at(2).c_str());
  const Json vf = vf_of("rail1", 2);
  CHECK(vf.at("vlan_list").as_array().at(0).at("vlan") == 7);
  CHECK(vf.at("vlan_list").as_array().at(0).at("qos") == 2);
  CHECK(vf.at("trust") == true);
  CHECK(vf.at("rate").at("max_tx") == 200);
  CHECK(ip_json("rule", pod.path()).dump().find("10.7.0.7") != std::string::npos);
  CHECK(names.ours.check(list, container).ok());
  const Call del = names.ours.del(list, container);
  INFO(del.describe());
  CHECK(del.ok());
  CHECK(machine_changes_since(before) == "");
}

TEST_CASE("dropin: what render makes of an sriov document is added", "[ethernet]") {
  Machine machine;
  const std::vector<std::string> vfs = vfs_of("rail1");
  const Json before = machine_snapshot();
  const Pod pod;
  const Container container{.id = "c1", .netns = pod.path()};
  const std::string document = R"(
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderMultusConfig
metadata: {name: gpu1-sriov, namespace: spiderpool}
spec:
  cniType: sriov
  sriov:
    resourceName: spidernet.io/gpu1sriov
    mtu: 1400
    ippools:
      ipv4: ["gpu1-net11"]
)";
  const Outcome rendered = run(
      {.argv = {railcni_binary(), "render", "-f", "-", "-o", "conflist"}, .stdin_text = document});
  INFO(rendered.describe());
  REQUIRE(rendered.ok());
  REQUIRE(run({.argv = {railcni_binary(), "apply", "-f", "-"}, .stdin_text = kSeedPool}).ok());
  const Json list = with_device(Json::parse(rendered.out), vfs.at(1));
  Runtime runtime;
  const Call add = runtime.add(list, container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(addresses_of("net1", pod.path()) == std::vector<std::string>{"172.16.11.1/16"});
  CHECK(link_of("net1", pod.path()).at("mtu") == 1400);
  CHECK(runtime.del(list, container).ok());
  CHECK(run({.argv = {railcni_binary(), "pool", "delete", "gpu1-net11"}}).ok());
  CHECK(machine_changes_since(before) == "");
}
