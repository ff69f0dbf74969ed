#include "railcni/dropin.h"

#include <catch2/catch.hpp>

#include "railcni/config.h"
#include "railcni/error.h"

using namespace railcni;

namespace {

Request request(const std::string& json, Verb verb = Verb::kAdd) {
  Request result;
  result.verb = verb;
  result.config = Json::parse(json);
  return result;
}

// The configuration after the translation, without the keys of every configuration.
Json translated(const std::string& name, const std::string& json, Verb verb = Verb::kAdd) {
  Request result = request(json, verb);
  translate_dropin(name, result);
  return result.config;
}

std::string error_of(const std::string& name, const std::string& json) {
  try {
    Request result = request(json);
    translate_dropin(name, result);
    read_config(result, {{"macvlan", "macvlan"}, {"sriov", "sriov"}});
  } catch (const Error& error) {
    return error.msg();
  }
  return "";
}

const std::string kPrevious = R"("prevResult": {"cniVersion": "1.0.0", "interfaces":
  [{"name": "net1", "sandbox": "/x"}], "ips": [{"address": "10.0.0.2/24", "interface": 0}]})";

}  // namespace

TEST_CASE("dropin: macvlan's flat keys, what is left out, and what is passed on", "[dropin]") {
  CHECK(translated("macvlan", R"({"name": "n", "type": "macvlan", "Master": "eth1",
      "mode": "private", "mtu": 1400, "MAC": "02:00:00:00:00:01", "linkInContainer": true,
      "bcqueuelen": 5, "ipam": {"type": "host-local", "x": 1}, "capabilities": {"mac": true}})") ==
        Json::parse(R"({"name": "n", "type": "macvlan", "ipam": {"type": "host-local", "x": 1},
      "capabilities": {"mac": true}, "cniType": "macvlan", "enableCoordinator": false,
      "macvlan": {"master": "eth1", "mode": "private", "mtu": 1400, "mac": "02:00:00:00:00:01",
                  "linkInContainer": true, "bcqueuelen": 5}})"));
  // No ipam, or an empty one: a link without addresses; no master: the default route's device.
  for (const std::string ipam : {"", R"(, "ipam": {})", R"(, "ipam": {"type": ""})"}) {
    const Json config = translated("macvlan", R"({"name": "n", "master": "")" + ipam + "}");
    CHECK(config.at("disableIPAM").as_bool());
    CHECK(config.at("macvlan") == Json::object());
  }
  // railcni's own keys are taken under any name.
  const Json own = translated("macvlan", R"({"coordinator": {}, "ippools": {"ipv4": ["p"]}})");
  CHECK(own.find("enableCoordinator") == nullptr);
  CHECK(own.find("disableIPAM") == nullptr);
}

TEST_CASE("dropin: railcni's own form is left alone, and so is railcni's own name", "[dropin]") {
  const std::string own = R"({"cniType": "macvlan", "macvlan": {"master": "eth1"}})";
  CHECK(translated("macvlan", own) == Json::parse(own));
  const std::string flat = R"({"master": "eth1"})";
  CHECK(translated("railcni", flat) == Json::parse(flat));
  CHECK(translated("railcni-2", flat) == Json::parse(flat));
  CHECK_THAT(error_of("macvlan", R"({"macvlan": {}})"), Catch::Contains("cniType"));
}

TEST_CASE("dropin: what DEL and GC need of a configuration is its name's type", "[dropin]") {
  for (const Verb verb : {Verb::kDel, Verb::kGc}) {
    CHECK(translated("sriov", R"({"vlan": "wrong"})", verb) ==
          Json::parse(R"({"vlan": "wrong", "cniType": "sriov"})"));
    CHECK(translated("sbr", R"({"table": "wrong"})", verb) == Json::parse(R"({"table": "wrong"})"));
  }
}

TEST_CASE("dropin: each chained plugin is an attachment of its own", "[dropin]") {
  for (const std::string name : {"sbr", "rdma", "coordinator"}) CHECK(chained_role(name) == name);
  for (const std::string name : {"railcni", "macvlan", "host-local"}) {
    CHECK(chained_role(name) == "chained");
  }
  Request sbr = request(R"({"name": "n"})", Verb::kDel);
  translate_dropin("sbr", sbr);
  CHECK(sbr.chained_role == "sbr");
  for (const std::string name : {"sbr", "rdma", "coordinator"}) {
    CHECK_THAT(error_of(name, R"({"name": "n", "deviceID": "0000:01:00.1"})"),
               Catch::Contains("prevResult: is missing") && Catch::Contains(name));
  }
}

TEST_CASE("dropin: ipvlan takes its master from the chain, as the original", "[dropin]") {
  const std::string from_chain = R"({"prevResult": {"interfaces": [{"name": "eth1.7"}]}})";
  CHECK(translated("ipvlan", from_chain).at("ipvlan").at("master") == Json::strings({"eth1.7"}));
  // A CHECK's prevResult is the whole chain's, and names what was made.
  CHECK(translated("ipvlan", from_chain, Verb::kCheck).at("ipvlan") == Json::object());
  CHECK(translated("ipvlan", R"({"master": "eth2", "mode": "l3s", "mtu": 1400})").at("ipvlan") ==
        Json::parse(R"({"master": "eth2", "mode": "l3s", "mtu": 1400})"));
  CHECK_THAT(error_of("ipvlan", "{" + kPrevious + "}"),
             Catch::Contains("prevResult") && Catch::Contains("addresses"));
  CHECK_THAT(
      error_of("ipvlan", R"({"prevResult": {"interfaces": [{"name": "a"}, {"name": "b"}]}})"),
      Catch::Contains("exactly one"));
}

TEST_CASE("dropin: sriov's keys in any case, and its log levels", "[dropin]") {
  const Json config = translated("sriov", R"({"deviceid": "0000:01:00.1", "vlan": 7, "vlanQos": 3,
      "vlanProto": "802.1AD", "mac": "02:00:00:00:00:01", "min_tx_rate": 1, "max_tx_rate": 2,
      "spoofchk": "off", "trust": "on", "link_state": "enable", "logLevel": "panic",
      "logFile": "/x"})");
  CHECK(config.at("deviceID").as_string() == "0000:01:00.1");
  CHECK(config.at("logLevel").as_string() == "error");
  CHECK(config.at("logFile").as_string() == "/x");
  CHECK(config.at("sriov") == Json::parse(R"({"vlan": 7, "vlanQoS": 3, "vlanProto": "802.1AD",
      "mac": "02:00:00:00:00:01", "min_tx_rate": 1, "max_tx_rate": 2, "spoofchk": "off",
      "trust": "on", "link_state": "enable"})"));
  CHECK(translated("sriov", R"({"logLevel": "Verbose"})").at("logLevel").as_string() == "debug");
}

TEST_CASE("dropin: ib-sriov, ipoib and rdma", "[dropin]") {
  CHECK(translated("ib-sriov", R"({"pkey": "0x10", "link_state": "auto",
      "ibKubernetesEnabled": true, "vfioPciMode": true, "deviceID": "0000:01:00.1"})")
            .at("ibsriov") == Json::parse(R"({"pkey": "0x10", "linkState": "auto",
      "rdmaIsolation": false, "enableIbKubernetes": true})"));
  CHECK(translated("ib-sriov", R"({"rdmaIsolation": true})").at("ibsriov") ==
        Json::parse(R"({"rdmaIsolation": true, "enableIbKubernetes": false})"));
  CHECK_THAT(error_of("ib-sriov", R"({"rdmaIsolation": "yes"})"),
             Catch::Contains("rdmaIsolation: must be true or false"));
  CHECK(translated("ipoib", R"({"master": "ib0", "mtu": 2044})").at("ipoib") ==
        Json::parse(R"({"master": "ib0", "mtu": 2044})"));
  CHECK_THAT(error_of("ipoib", "{}"), Catch::Contains("master: is missing"));
  for (const std::string name : {"ib-sriov", "ipoib"}) {
    CHECK_THAT(error_of(name, R"({"master": "ib0", "ipam": {"type": "dhcp"}})"),
               Catch::Contains("ipam.type"));
  }
  const Json rdma = translated("rdma", R"({"deviceID": "0000:01:00.1", )" + kPrevious + "}");
  CHECK(rdma.at("rdmaIsolation").as_bool());
  CHECK(rdma.at("deviceID").as_string() == "0000:01:00.1");
  CHECK(rdma.find("cniType") == nullptr);
  CHECK(
      translated("rdma", R"({"runtimeConfig": {"deviceID": "mlx5_core.sf.2"}, )" + kPrevious + "}")
          .at("rdmaIsolation")
          .as_bool());
}

TEST_CASE("dropin: sbr, and Spiderpool's coordinator", "[dropin]") {
  CHECK(translated("sbr", R"({"table": 200, "addSourceHints": true, )" + kPrevious + "}")
            .at("coordinator") ==
        Json::parse(R"({"mode": "sbr", "table": 200, "addSourceHints": true})"));
  const Json config = translated("coordinator", R"({"mode": "overlay", "podDefaultRouteNic": "net1",
      "overlayPodCIDR": ["10.0.0.0/8"], "hijackCIDR": [], "podRPFilter": -5, "txQueueLen": 100,
      "detectGateway": true, "logOptions": {"logLevel": "warn", "logFile": "/x"}, )" +
                                                    kPrevious + "}");
  CHECK(config.at("coordinator") ==
        Json::parse(R"({"mode": "overlay", "podDefaultRouteNIC": "net1", "podRPFilter": -1,
                        "txQueueLen": 100, "overlayPodCIDR": ["10.0.0.0/8"],
                        "detectGateway": true})"));
  CHECK(config.at("logLevel").as_string() == "warning");
  CHECK(config.at("logFile").as_string() == "/x");
  const auto refused = [](const std::string& key) {
    return error_of("coordinator", "{" + key + ", " + kPrevious + "}");
  };
  CHECK_THAT(refused(R"("hostRPFilter": 0)"), Catch::Contains("hostRPFilter"));
  CHECK_THAT(refused(R"("detectOptions": {"retries": 3})"), Catch::Contains("detectOptions"));
  CHECK_THAT(refused(R"("logOptions": {"logMaxSize": 5})"), Catch::Contains("logMaxSize"));
  CHECK_THAT(refused(R"("detectGatewai": true)"), Catch::Contains("detectGatewai"));
  // Everything that is translated can be read.
  for (const std::string name : {"sbr", "coordinator"}) {
    CHECK(error_of(name, R"({"name": "n", "cniVersion": "1.0.0", )" + kPrevious + "}").empty());
  }
  CHECK(error_of("macvlan", R"({"name": "n", "cniVersion": "1.0.0", "master": "a"})").empty());
  // What the original would not read either is told.
  CHECK_THAT(error_of("macvlan", R"({"name": "n", "mastr": "a"})"), Catch::Contains("\"mastr\""));
}
