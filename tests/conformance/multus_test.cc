// What Multus passes to the delegates of a Pod's extra networks.
#include <catch2/catch.hpp>

#include "tests/conformance/fixture.h"

using namespace railcni;
using namespace railcni::test;

namespace {

const std::string kArgs =
    "IgnoreUnknown=true;K8S_POD_NAMESPACE=ai;K8S_POD_NAME=train-0;"
    "K8S_POD_INFRA_CONTAINER_ID=ctr-1;K8S_POD_UID=4d2f";

Container pod_container(const Pod& pod, const std::string& ifname = "net1",
                        const std::string& args = kArgs) {
  Container container = container_in(pod, "ctr-1", ifname);
  container.args = args;
  return container;
}

std::vector<std::string> ips_of(const Call& call) {
  std::vector<std::string> result;
  for (const Json& ip : call.json.at("ips").as_array()) {
    result.push_back(ip.at("address").as_string());
  }
  return result;
}

}  // namespace

TEST_CASE("multus: the keys that it adds to every configuration") {
  const RailPlugin plugin;
  const Pod pod;
  Json config = plugin.config("0.3.1");
  config["deviceID"] = "0000:0b:00.2";
  config["pciBusID"] = "0000:0b:00.2";
  config["args"] = Json::parse(R"({"cni": {"labels": [{"key": "a", "value": "b"}]}})");
  config["capabilities"] = Json::parse(R"({"ips": true, "mac": true, "deviceID": true})");
  config["runtimeConfig"] = Json::parse(R"({"deviceID": "0000:0b:00.2", "cgroupPath": "/x",
      "CNIDeviceInfoFile": "/run/no/such/file.json"})");
  config["cni.dev/anything"] = Json::array();
  config["dns"] = Json::object();
  config["ipMasq"] = false;
  const Call added = plugin.call("ADD", config, pod_container(pod));
  INFO(added.describe());
  REQUIRE(added.ok());
  const Json lease = plugin.leases().as_array().at(0);
  CHECK(lease.at("podNamespace").as_string() == "ai");
  CHECK(lease.at("podName").as_string() == "train-0");
  check_silent_success(plugin.call("DEL", config, pod_container(pod)));
}

TEST_CASE("multus: CNI_ARGS with duplicates, and what else stands there") {
  const RailPlugin plugin;
  const Pod pod;
  const std::string args =
      "K8S_POD_NAME=old;" + kArgs + ";K8S_POD_NAME=new;UNKNOWN=1;IgnoreUnknown=1";
  const Call added = plugin.call("ADD", plugin.config(), pod_container(pod, "net1", args));
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(plugin.leases().as_array().at(0).at("podName").as_string() == "new");
}

TEST_CASE("multus: IP and MAC in CNI_ARGS") {
  const RailPlugin plugin;
  const Pod pod;
  Json config = plugin.config();
  config["ipam"]["pools"].push_back(
      Json::parse(R"({"name": "p6", "subnet": "fd00:9::/64", "ips": ["fd00:9::10-fd00:9::20"]})"));
  const std::string args = kArgs + ";MAC=02:00:00:00:11:11;IP=10.9.0.12,fd00:9::15";
  const Call added = plugin.call("ADD", config, pod_container(pod, "net1", args));
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(ips_of(added) == std::vector<std::string>{"10.9.0.12/24", "fd00:9::15/64"});
  CHECK(link_of("net1", pod.path()).at("address").as_string() == "02:00:00:00:11:11");
  // Multus leaves both out at DEL.
  check_silent_success(plugin.call("DEL", config, pod_container(pod)));
  CHECK(plugin.leased().empty());
}

TEST_CASE("multus: requested addresses in all three places") {
  const RailPlugin plugin;
  const Pod pod;
  Json config = plugin.config();
  std::string args = kArgs;
  std::string wanted;
  SECTION("runtimeConfig.ips") {
    wanted = GENERATE("10.9.0.12", "10.9.0.12/24");
    config["runtimeConfig"]["ips"] = Json::strings({wanted});
  }
  SECTION("args.cni.ips") {
    wanted = "10.9.0.12";
    config["args"]["cni"]["ips"] = Json::strings({wanted});
  }
  SECTION("CNI_ARGS") {
    wanted = "10.9.0.12";
    args += ";IP=10.9.0.12";
  }
  const Call added = plugin.call("ADD", config, pod_container(pod, "net1", args));
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(ips_of(added) == std::vector<std::string>{"10.9.0.12/24"});
  // Nobody else gets it.
  const Pod other;
  Container second = pod_container(other, "net1", args);
  second.id = "ctr-2";
  // Who has it is not the second Pod's to know; the log says it.
  const Call taken = plugin.call("ADD", config, second);
  check_error(taken, 11, {"10.9.0.12"});
  CHECK_THAT(taken.msg(), !Catch::Contains("ctr-1"));
  CHECK_THAT(taken.process.err, Catch::Contains("ctr-1"));
  CHECK(link_of("net1", other.path()).is_null());
}

TEST_CASE("multus: a requested address that cannot be") {
  const RailPlugin plugin;
  const Pod pod;
  for (const std::string ip : {"10.9.0.99", "10.9.0.1", "10.9.0.0", "10.9.0.12/16", "fd00::1",
                               "10.9.0", "10.9.0.12-10.9.0.13", "text", ""}) {
    INFO(ip);
    Json config = plugin.config();
    config["runtimeConfig"]["ips"] = Json::strings({ip});
    check_error(plugin.call("ADD", config, pod_container(pod)), 7, {ip});
    CHECK(plugin.leased().empty());
  }
}

TEST_CASE("multus: the runtime's MAC counts more than CNI_ARGS', that more than the file's") {
  const RailPlugin plugin;
  const Pod pod;
  Json config = plugin.config();
  config["macvlan"]["mac"] = "02:00:00:00:00:03";
  std::string args = kArgs;
  std::string mac = "02:00:00:00:00:03";
  SECTION("the file's alone") {}
  SECTION("CNI_ARGS") {
    mac = "02:00:00:00:00:02";
    args += ";MAC=" + mac;
  }
  SECTION("runtimeConfig") {
    mac = "02:00:00:00:00:01";
    args += ";MAC=02:00:00:00:00:02";
    config["runtimeConfig"]["mac"] = mac;
  }
  const Call added = plugin.call("ADD", config, pod_container(pod, "net1", args));
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(link_of("net1", pod.path()).at("address").as_string() == mac);
}

TEST_CASE("multus: a Pod of several networks, made in order and deleted from the last") {
  RailPlugin plugin;
  const Pod pod;
  const Json before = snapshot(pod.path());
  const std::vector<std::string> ifnames = {"net1", "net2", "net3"};
  std::vector<Json> lists;
  for (const std::string& ifname : ifnames) {
    Json main = plugin.config();
    main.erase("name");
    main.erase("cniVersion");
    lists.push_back(make_conflist("0.3.1", "nad-" + ifname, {main}));
    const Call added = plugin.runtime.add(lists.back(), pod_container(pod, ifname));
    INFO(added.describe());
    REQUIRE(added.ok());
    CHECK(added.json.at("interfaces").as_array().at(0).at("name").as_string() == ifname);
    // network-status prints <nil> for a default route without a gateway.
    if (const Json* routes = added.json.find("routes")) {
      for (const Json& route : routes->as_array()) {
        if (route.at("dst").as_string() == "0.0.0.0/0") CHECK(route.find("gw") != nullptr);
      }
    }
  }
  CHECK(plugin.leased().size() == 3);
  for (size_t i = lists.size(); i-- > 0;) {
    check_silent_success(plugin.runtime.del(lists[i], pod_container(pod, ifnames[i])));
    CHECK(plugin.leased().size() == i);
  }
  CHECK(changes_since(before, pod.path()) == "");
}

TEST_CASE("multus: when a later network fails, the ones before it are deleted") {
  RailPlugin plugin;
  const Pod pod;
  const Json before = snapshot(pod.path());
  Json broken = plugin.config("0.3.1", "nad-2");
  broken["macvlan"]["master"] = Json::strings({"nothere"});
  REQUIRE(plugin.call("ADD", plugin.config("0.3.1", "nad-1"), pod_container(pod, "net1")).ok());
  check_error(plugin.call("ADD", broken, pod_container(pod, "net2")), 0, {"nothere"});
  check_silent_success(plugin.call("DEL", broken, pod_container(pod, "net2")));
  check_silent_success(
      plugin.call("DEL", plugin.config("0.3.1", "nad-1"), pod_container(pod, "net1")));
  CHECK(changes_since(before, pod.path()) == "");
  CHECK(plugin.leased().empty());
}

TEST_CASE("multus: a NetworkAttachmentDefinition without cniVersion") {
  const RailPlugin plugin;
  const Pod pod;
  Json config = plugin.config();
  config.erase("cniVersion");
  const Call added = plugin.call("ADD", config, pod_container(pod));
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(added.json.at("cniVersion").as_string() == "0.1.0");
  CHECK(added.json.at("ip4").at("ip").as_string() == "10.9.0.10/24");
  CHECK(added.json.find("interfaces") == nullptr);
  check_silent_success(plugin.call("DEL", config, pod_container(pod)));
}

TEST_CASE("multus: applied pools by name and glob, as the seeds' configurations name them") {
  const RailPlugin plugin;
  const Pod pod;
  const std::string pools = R"(
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {name: rail9-node1}
spec:
  subnet: 10.9.0.0/24
  gateway: 10.9.0.1
  ips: [10.9.0.100-10.9.0.101]
  routes: [{to: 172.16.0.0/16, via: 10.9.0.1}]
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {name: rail9-node2}
spec: {subnet: 10.99.0.0/24, ips: [10.99.0.100-10.99.0.101]}
)";
  const Outcome applied = plugin.cli({"apply", "-f", "-", "--data-dir", plugin.data_dir}, pools);
  INFO(applied.describe());
  REQUIRE(applied.ok());
  Json config = plugin.config();
  config.erase("ipam");
  SECTION("in the type's block, with matchMasterSubnet beside them") {
    config["macvlan"]["ippools"]["ipv4"] = Json::strings({"rail9-*"});
    config["macvlan"]["matchMasterSubnet"] = true;
  }
  SECTION("matchMasterSubnet among the pools") {
    config["macvlan"]["ippools"]["ipv4"] = Json::strings({"rail9-node2", "rail9-node1"});
    config["macvlan"]["ippools"]["matchMasterSubnet"] = true;
  }
  SECTION("at the top level") {
    config["ippools"]["ipv4"] = Json::strings({"rail9-node?"});
    config["matchMasterSubnet"] = true;
  }
  const Call added = plugin.call("ADD", config, pod_container(pod));
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(ips_of(added) == std::vector<std::string>{"10.9.0.100/24"});

  // The pool cannot lose what is leased.
  const Outcome removed =
      plugin.cli({"pool", "delete", "rail9-node1", "--data-dir", plugin.data_dir});
  CHECK(removed.exit_code == 1);
  CHECK_THAT(removed.err, Catch::Contains("10.9.0.100") && Catch::Contains("train-0"));
  std::string shrunk = pools;
  shrunk.replace(shrunk.find("10.9.0.100-"), 11, "");
  const Outcome refused = plugin.cli({"apply", "-f", "-", "--data-dir", plugin.data_dir}, shrunk);
  CHECK(refused.exit_code == 1);
  CHECK_THAT(refused.err, Catch::Contains("10.9.0.100"));
  check_silent_success(plugin.call("DEL", config, pod_container(pod)));
  const Outcome accepted = plugin.cli({"apply", "-f", "-", "--data-dir", plugin.data_dir}, shrunk);
  INFO(accepted.describe());
  CHECK(accepted.ok());
  CHECK_THAT(accepted.out,
             Catch::Contains("rail9-node1 configured") && Catch::Contains("rail9-node2 unchanged"));
  CHECK(plugin.cli({"pool", "delete", "rail9-node1", "rail9-node2", "--data-dir", plugin.data_dir})
            .ok());
}
