#include "src/cli/multus_spec.h"

#include <catch2/catch.hpp>

#include "railcni/error.h"
#include "src/cli/multus_document.h"
#include "src/yaml/yaml.h"

using namespace railcni;
using namespace railcni::cli;

namespace {

std::vector<std::string> ignored;

const std::string kHead = R"(
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderMultusConfig
metadata:
  name: net-a
  namespace: spiderpool
spec:
)";

// One document with this spec, whose lines are indented by two spaces.
Network render(const std::string& spec, std::vector<std::string>& notices = ignored) {
  std::vector<Network> networks = parse_multus_documents("file", kHead + spec, notices);
  REQUIRE(networks.size() == 1);
  return networks.front();
}

const Json& plugin_of(const Network& network, size_t index = 0) {
  return network.config.at("plugins").as_array().at(index);
}

std::string error_of(const std::string& text) {
  try {
    std::vector<std::string> notices;
    for (const Network& network : parse_multus_documents("file", text, notices)) {
      configuration_list(network);
    }
  } catch (const Error& error) {
    return error.msg();
  }
  return "";
}

const std::string kSriov = R"(  cniType: sriov
  sriov:
    resourceName: spidernet.io/gpu1sriov
)";

}  // namespace

TEST_CASE("render: the macvlan network of the AI cluster's documents", "[render]") {
  const Network network = render(R"(
      cniType: macvlan
      macvlan:
        master: ["enp11s0f0np0"]
        ippools:
          ipv4: ["gpu1-net11"]
)");
  CHECK(network.where == "file: document 1");
  CHECK(network.metadata == Json::parse(R"({"name": "net-a", "namespace": "spiderpool"})"));
  CHECK(network.config == Json::parse(R"({
    "cniVersion": "0.3.1", "name": "net-a", "plugins": [
      {"type": "railcni", "cniType": "macvlan",
       "macvlan": {"master": ["enp11s0f0np0"], "ippools": {"ipv4": ["gpu1-net11"]}},
       "coordinator": {}}]})"));
}

TEST_CASE("render: pools and matchMasterSubnet in each place of the documents", "[render]") {
  const std::string pools = "ippools: {ipv4: [\"eno3np1-rail1*\"]}\n";
  std::string spec;
  std::string at;
  SECTION("inside the type's block") {
    spec = kSriov + "    " + pools + "    matchMasterSubnet: true\n";
    at = "sriov";
  }
  SECTION("under spec") { spec = kSriov + "  " + pools + "  matchMasterSubnet: true\n"; }
  const Network network = render(spec);
  const Json& plugin = plugin_of(network);
  const Json& place = at.empty() ? plugin : plugin.at(at);
  CHECK(place.at("ippools").at("ipv4") == Json::strings({"eno3np1-rail1*"}));
  CHECK(place.at("matchMasterSubnet").as_bool());
  // Said twice, it would not be known which counts.
  CHECK_THAT(error_of(kHead + spec + (at.empty() ? "  sriov2: {}\n" : "  " + pools)),
             Catch::Contains("spec: ippools stands twice") || Catch::Contains("spec.sriov2"));
}

TEST_CASE("render: sriov, with the older schema's enableRdma, and its resource", "[render]") {
  const Network network = render(kSriov + R"(    enableRdma: true
    mtu: 4200
    vlanID: 100
    minTxRateMbps: 100
    maxTxRateMbps: 200
)");
  CHECK(network.metadata.at("annotations") ==
        Json::object({{"k8s.v1.cni.cncf.io/resourceName", "spidernet.io/gpu1sriov"}}));
  CHECK(plugin_of(network).at("sriov") ==
        Json::parse(R"({"resourceName": "spidernet.io/gpu1sriov", "vlanID": 100, "mtu": 4200,
                        "minTxRateMbps": 100, "maxTxRateMbps": 200, "rdmaIsolation": true})"));
}

TEST_CASE("render: ib-sriov with its defaults, and for ib-kubernetes under that type", "[render]") {
  const std::string head = "  cniType: ib-sriov\n  ibsriov:\n    resourceName: r.io/x\n";
  CHECK(plugin_of(render(head)).at("ibsriov") ==
        Json::parse(R"({"linkState": "enable", "rdmaIsolation": true, "enableIbKubernetes": false,
                        "resourceName": "r.io/x"})"));
  // ib-kubernetes looks for the type and reads pkey at the top.
  std::vector<std::string> notices;
  const std::string pools = "    ippools: {ipv4: [p]}\n";
  const Network network =
      render(head + "    pkey: 1000\n    enableIbKubernetes: true\n" + pools, notices);
  CHECK(plugin_of(network) ==
        Json::parse(R"({"type": "ib-sriov", "pkey": "0x3e8", "link_state": "enable",
                        "rdmaIsolation": true, "ibKubernetesEnabled": true,
                        "ippools": {"ipv4": ["p"]}, "coordinator": {}})"));
  REQUIRE(notices.size() == 1);
  CHECK_THAT(notices.front(), Catch::Contains("install --as ib-sriov"));
  // No word about pools means the default ones here, not none.
  CHECK_FALSE(plugin_of(render(head + "    pkey: \"0x7fff\"\n")).at("disableIPAM").as_bool());
  for (const std::string pkey : {"\"1000\"", "0", "0x8000", "\"0x\"", "1.5"}) {
    INFO(pkey);
    CHECK_THAT(error_of(kHead + head + "    pkey: " + pkey + "\n"),
               Catch::Contains("spec.ibsriov.pkey") && Catch::Contains("0x7fff"));
  }
}

TEST_CASE("render: ipvlan on a VLAN of a bond, and ipoib", "[render]") {
  const Network network = render(R"(
      cniType: ipvlan
      ipvlan:
        master: [eth1, eth2]
        vlanID: 7
        bond: {name: bond0, mode: 4, options: "miimon=100"}
        rdmaResourceName: spidernet.io/shared
)");
  CHECK(plugin_of(network).at("ipvlan") == Json::parse(R"({"master": ["eth1", "eth2"], "vlanID": 7,
                        "bond": {"name": "bond0", "mode": 4, "options": "miimon=100"},
                        "rdmaResourceName": "spidernet.io/shared"})"));
  // The shared device plugin's resource has no device that Multus could hand over.
  CHECK(network.metadata.find("annotations") == nullptr);
  CHECK(plugin_of(render("  cniType: ipoib\n  ipoib: {master: ib0}\n")).at("ipoib") ==
        Json::object({{"master", "ib0"}}));
}

TEST_CASE("render: the coordinator, and a network without one", "[render]") {
  const std::string macvlan = "  cniType: macvlan\n  macvlan: {master: [eth1]}\n";
  const Json plugin = plugin_of(render(macvlan + R"(  coordinator:
    mode: overlay
    podCIDRType: none
    hijackCIDR: []
    detectIPConflict: true
    podDefaultRouteNIC: net1
)"));
  CHECK(plugin.at("coordinator") == Json::parse(R"({"mode": "overlay", "podDefaultRouteNIC": "net1",
                        "detectIPConflict": true})"));
  const Json without = plugin_of(render(macvlan + "  enableCoordinator: false\n"));
  CHECK_FALSE(without.at("enableCoordinator").as_bool());
  CHECK(without.find("coordinator") == nullptr);
  CHECK(plugin_of(render(macvlan + "  disableIPAM: true\n")).at("disableIPAM").as_bool());
  const auto coordinator = [&](const std::string& line) {
    return error_of(kHead + macvlan + "  coordinator: {" + line + "}\n");
  };
  CHECK_THAT(coordinator("podCIDRType: cluster"),
             Catch::Contains("spec.coordinator.podCIDRType") && Catch::Contains("overlayPodCIDR"));
  CHECK_THAT(coordinator("hostRPFilter: 0"), Catch::Contains("spec.coordinator.hostRPFilter"));
  CHECK_THAT(coordinator("detectIPconflicts: true"),
             Catch::Contains("did you mean \"spec.coordinator.detectIPConflict\""));
  CHECK_THAT(coordinator("mode: underlie"), Catch::Contains("coordinator.mode"));
}

TEST_CASE("render: chained plugins follow, as text or as maps", "[render]") {
  const std::string macvlan = "  cniType: macvlan\n  macvlan: {master: [eth1]}\n";
  const Network network = render(macvlan + R"(  chainCNIJsonData:
    - |
      {"type": "tuning", "sysctl": {"net.core.somaxconn": "500"}}
    - {type: sbr}
)");
  CHECK(network.config.at("plugins").as_array().size() == 3);
  CHECK(plugin_of(network, 1) ==
        Json::parse(R"({"type": "tuning", "sysctl": {"net.core.somaxconn": "500"}})"));
  CHECK(plugin_of(network, 2) == Json::object({{"type", "sbr"}}));
  for (const std::string entry : {"'{\"sysctl\": {}}'", "'{]'", "7", "{type: ''}"}) {
    INFO(entry);
    CHECK_THAT(error_of(kHead + macvlan + "  chainCNIJsonData: [{type: a}, " + entry + "]\n"),
               Catch::Contains("spec.chainCNIJsonData[1]"));
  }
}

TEST_CASE("render: a custom configuration stays as it is", "[render]") {
  const Network network =
      render("  cniType: custom\n  customCNI: '{\"cniVersion\":\"1.0.0\",\"type\":\"ptp\"}'\n");
  CHECK(network.config == Json::object({{"cniVersion", "1.0.0"}, {"type", "ptp"}}));
  CHECK(configuration_list(network) ==
        Json::parse(R"({"cniVersion": "1.0.0", "name": "net-a", "plugins": [{"type": "ptp"}]})"));
  const Network empty = render("  enableCoordinator: true\n");
  CHECK(network_attachment_definition(empty).at("spec") == Json::object());
  CHECK_THAT(error_of(kHead + "  cniType: custom\n"), Catch::Contains("spec.customCNI is missing"));
  CHECK_THAT(error_of(kHead + "  customCNI: '[]'\n"), Catch::Contains("spec.customCNI"));
  CHECK_THAT(error_of(kHead + "  customCNI: '{'\n"), Catch::Contains("spec.customCNI"));
  CHECK_THAT(error_of(kHead + "  chainCNIJsonData: []\n"),
             Catch::Contains("spec.chainCNIJsonData"));
}

TEST_CASE("render: annotations and labels are kept, Spiderpool's own are followed", "[render]") {
  std::vector<std::string> notices;
  const std::vector<Network> networks = parse_multus_documents("file", R"(
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {name: gpu1-net11}
spec: {subnet: 172.16.11.0/16}
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderMultusConfig
metadata:
  name: gpu1-sriov
  uid: 8f0c
  labels: {rail: "1"}
  annotations:
    cni.spidernet.io/rdma-resource-inject: rdma-network
    multus.spidernet.io/cr-name: other-name
    multus.spidernet.io/cni-version: 1.0.0
    kubectl.kubernetes.io/last-applied-configuration: "{}"
spec: {cniType: sriov, sriov: {resourceName: r.io/x}, ippools: {ipv4: [gpu1-net11]}}
)",
                                                               notices);
  REQUIRE(networks.size() == 1);
  CHECK(networks[0].where == "file: document 2");
  CHECK(networks[0].metadata == Json::parse(R"({
    "name": "other-name", "labels": {"rail": "1"},
    "annotations": {"cni.spidernet.io/rdma-resource-inject": "rdma-network",
                    "multus.spidernet.io/cr-name": "other-name",
                    "multus.spidernet.io/cni-version": "1.0.0",
                    "k8s.v1.cni.cncf.io/resourceName": "r.io/x"}})"));
  CHECK(networks[0].config.at("cniVersion").as_string() == "1.0.0");
  CHECK(networks[0].config.at("name").as_string() == "other-name");
  REQUIRE(notices.size() == 1);
  CHECK_THAT(notices[0], Catch::Contains("document 1: SpiderIPPool gpu1-net11 skipped"));
}

TEST_CASE("render: a NetworkAttachmentDefinition can be read back", "[render]") {
  const Json definition = network_attachment_definition(render(kSriov));
  const std::string yaml = to_yaml(definition);
  CHECK_THAT(yaml, Catch::Contains("\n  config: |-\n    {\n      \"cniVersion\": \"0.3.1\","));
  const std::vector<Json> documents = parse_yaml("yaml", yaml);
  REQUIRE(documents.size() == 1);
  CHECK(documents[0] == definition);
  CHECK(Json::parse(documents[0].at("spec").at("config").as_string()).at("name").as_string() ==
        "net-a");
}

TEST_CASE("render: what is wrong is said with file, document and key", "[render]") {
  struct Case {
    std::string spec;
    std::string part;
  };
  const std::vector<Case> cases = {
      {"  cniType: macvlann\n", "spec.cniType: \"macvlann\""},
      {"  cniType: macvlann\n", "did you mean \"macvlan\""},
      {"  cniType: ovs\n", "spec.cniType"},
      {"  cniType: macvlan\n", "spec.macvlan: is missing"},
      {"  cniType: macvlan\n  macvlan: {}\n", "spec.macvlan.master: is missing"},
      {"  cniType: macvlan\n  macvlan: {master: []}\n", "spec.macvlan.master: is missing"},
      {"  cniType: macvlan\n  macvlan: {master: [a]}\n  sriov: {}\n",
       "spec.sriov: does not belong to cniType macvlan"},
      {"  cniType: macvlan\n  macvlan: {master: [a], vlanID: 4095}\n", "spec.macvlan.vlanID"},
      {"  cniType: macvlan\n  macvlan: {master: [a], mtu: -1}\n", "spec.macvlan.mtu"},
      {"  cniType: macvlan\n  macvlan: {master: [a, b]}\n", "spec.macvlan.bond: is missing"},
      {"  cniType: macvlan\n  macvlan: {master: [a, b], bond: {mode: 1}}\n",
       "spec.macvlan.bond.name: is missing"},
      {"  cniType: macvlan\n  macvlan: {master: [a, b], bond: {name: b0, mode: 7}}\n",
       "spec.macvlan.bond.mode"},
      {"  cniType: macvlan\n  macvlan: {master: [enp11s0f0np0], vlanID: 4094}\n",
       "spec.macvlan.vlanID: \"enp11s0f0np0.4094\""},
      {"  cniType: macvlan\n  macvlan: {master: [a], vlanid: 7}\n",
       "unknown key \"spec.macvlan.vlanid\": did you mean \"spec.macvlan.vlanID\"?"},
      {"  cniType: macvlan\n  macvlan: {master: [a], ippools: {ipv4: [p]}}\n  disableIPAM: true\n",
       "disableIPAM"},
      {"  cniType: sriov\n  sriov: {}\n", "spec.sriov.resourceName: is missing"},
      {kSriov + "    minTxRateMbps: 9\n    maxTxRateMbps: 8\n", "spec.sriov.minTxRateMbps: 9"},
      {kSriov + "    enableRdma: true\n    rdmaIsolation: false\n", "spec.sriov.enableRdma"},
      {"  cniType: ib-sriov\n  ibsriov: {resourceName: r, linkState: up}\n",
       "spec.ibsriov.linkState"},
      {"  cniType: ipoib\n  ipoib: {}\n", "spec.ipoib.master: is missing"},
  };
  for (const Case& one : cases) {
    INFO(one.spec);
    const std::string error = error_of(kHead + one.spec);
    CHECK_THAT(error, Catch::StartsWith("file: document 1: SpiderMultusConfig net-a: "));
    CHECK_THAT(error, Catch::Contains(one.part));
  }
  CHECK_THAT(error_of(""), Catch::Contains("no document"));
  CHECK_THAT(error_of("kind: SpiderMultusConfig\napiVersion: spiderpool.spidernet.io/v2beta1\n"),
             Catch::Contains("metadata is missing"));
  std::string named = kHead + kSriov;
  named.replace(named.find("net-a"), 5, "Net_A");
  CHECK_THAT(error_of(named), Catch::Contains("metadata.name \"Net_A\""));
  std::string annotated = kHead + kSriov;
  annotated.insert(annotated.find("spec:"), "  annotations: {a: 1}\n");
  CHECK_THAT(error_of(annotated), Catch::Contains("metadata.annotations: \"a\" must be a string"));
}
