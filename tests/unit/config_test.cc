#include "railcni/config.h"

#include <catch2/catch.hpp>

#include "railcni/error.h"

using namespace railcni;

namespace {

const std::vector<TypeName> kTypes = {{"macvlan", "macvlan"}, {"ib-sriov", "ibsriov"}};

NetworkConfig read(const std::string& keys, const std::string& args = "") {
  Request request;
  request.config = Json::parse(R"({"cniVersion":"1.1.0","name":"n","type":"railcni")" + keys + "}");
  request.args = parse_cni_args(args);
  return read_config(request, kTypes);
}

const std::string kMacvlan = R"(,"cniType":"macvlan")";

}  // namespace

TEST_CASE("ippools and matchMasterSubnet are found wherever documents put them") {
  const char* keys = GENERATE(R"(,"ippools":{"ipv4":["a"]},"matchMasterSubnet":true)",
                              R"(,"ippools":{"ipv4":["a"],"matchMasterSubnet":true})",
                              R"(,"macvlan":{"ippools":{"ipv4":["a"]},"matchMasterSubnet":true})",
                              R"(,"macvlan":{"ippools":{"ipv4":["a"],"matchMasterSubnet":true}})",
                              R"(,"macvlan":{"ippools":{"ipv4":"a"}},"matchMasterSubnet":true)",
                              R"(,"ipam":{"ippools":{"ipv4":["a"]},"matchMasterSubnet":true})");
  INFO(keys);
  const NetworkConfig config = read(kMacvlan + keys);
  CHECK(config.ipam.ipv4 == std::vector<std::string>{"a"});
  CHECK(config.ipam.match_master_subnet);
  CHECK(config.ipam.required);
}

TEST_CASE("what contradicts itself is refused") {
  const char* keys =
      GENERATE(R"(,"ippools":{"ipv4":["a"]},"macvlan":{"ippools":{"ipv4":["b"]}})",
               R"(,"matchMasterSubnet":true,"macvlan":{"matchMasterSubnet":false})",
               R"(,"disableIPAM":true,"ippools":{"ipv4":["a"]})",
               R"(,"ipam":{},"args":{"cni":{"ips":["10.0.0.1"]}})", R"(,"ipam":{"type":"a/b"})",
               R"(,"ipam":{"type":""})", R"(,"ipam":{"type":"dhcp"},"ippools":{"ipv4":["a"]})",
               R"(,"ipam":{"type":"dhcp"},"disableIPAM":true)",
               R"(,"ipam":{"type":"dhcp"},"matchMasterSubnet":true)", R"(,"ibsriov":{})",
               R"(,"ipam":{"pools":[{"name":"a","subnet":"10.0.0.0/24"},{"name":"a"}]})",
               R"(,"ipam":{"pools":[{"subnet":"10.0.0.0/24"}]})", R"(,"ippools":{"ipv4":[""]})");
  INFO(keys);
  try {
    read(kMacvlan + keys);
    FAIL("it was taken");
  } catch (const Error& error) {
    CHECK(error.code() == Code::kInvalidConfig);
  }
}

TEST_CASE("another plugin's IPAM is named, and its keys are its own") {
  const NetworkConfig config =
      read(kMacvlan + R"(,"ipam":{"type":"dhcp","daemonSocketPath":"/run/x","pools":7})");
  CHECK(config.ipam.delegate == "dhcp");
  CHECK(config.ipam.enabled);
  CHECK(config.ipam.inline_pools.empty());
  // What is requested is the plugin's to give.
  CHECK(read(kMacvlan + R"(,"ipam":{"type":"dhcp"})", "IP=10.0.0.1").requested_ips.size() == 1);
  CHECK(read(kMacvlan + R"(,"ipam":{"type":"railcni"})").ipam.delegate.empty());
  CHECK_THROWS_AS(read(R"(,"prevResult":{},"ipam":{"type":"dhcp"})"), Error);
}

TEST_CASE("what callers add is not an unknown key") {
  CHECK_NOTHROW(read(kMacvlan +
                     R"(,"capabilities":{"mac":true},"runtimeConfig":{"mac":"x","bandwidth":{}},)"
                     R"("args":{"cni":{"guid":"x"}},"prevResult":{},"dns":{},"ipMasq":true,)"
                     R"("cni.dev/attachments":[],"deviceID":"0000:01:00.1","pciBusID":"x")"));
}

TEST_CASE("dns has the specification's members") {
  const NetworkConfig config =
      read(kMacvlan +
           R"(,"dns":{"nameservers":["10.0.0.10"],"domain":"a","search":["b"],"options":["c"]})");
  CHECK(config.dns.dump() ==
        R"({"nameservers":["10.0.0.10"],"domain":"a","search":["b"],"options":["c"]})");
  for (const char* dns : {R"({"a":1})", R"({"nameservers":[[]]})", R"({"domain":{}})", "[]"}) {
    INFO(dns);
    CHECK_THROWS_AS(read(kMacvlan + ",\"dns\":" + dns), Error);
  }
}

TEST_CASE("the specification's keys have their types") {
  for (const char* keys : {R"(,"capabilities":[])", R"(,"ipMasq":"yes")"}) {
    INFO(keys);
    CHECK_THROWS_AS(read(kMacvlan + keys), Error);
  }
}

TEST_CASE("cniType is needed and known") {
  CHECK_THROWS_WITH(read(""), Catch::Contains("cniType is missing"));
  CHECK_NOTHROW(read(R"(,"prevResult":{})"));
  CHECK_THROWS_WITH(read(R"(,"cniType":"macvlam")"), Catch::Contains("did you mean \"macvlan\""));
  CHECK_THROWS_WITH(read(kMacvlan + R"(,"matchMasterSubnets":true)"),
                    Catch::Contains("did you mean \"matchMasterSubnet\""));
}

TEST_CASE("addresses are requested in three places") {
  const NetworkConfig config = read(
      kMacvlan + R"(,"runtimeConfig":{"ips":["10.0.0.1/24"]},"args":{"cni":{"ips":["fd00::1"]}})",
      "IP=10.0.0.2,fd00::2");
  CHECK(config.requested_ips ==
        std::vector<std::string>{"10.0.0.1/24", "fd00::1", "10.0.0.2", "fd00::2"});
}

TEST_CASE("GC's list of valid attachments") {
  CHECK_FALSE(valid_attachments(Json::parse("{}")).has_value());
  const char* key = GENERATE("cni.dev/valid-attachments", "cni.dev/attachments");
  Json json;
  json[key] = Json::parse(R"([{"containerID":"a","ifname":"net1"}])");
  const auto valid = valid_attachments(json);
  REQUIRE(valid);
  CHECK(valid->at(0).container_id == "a");
  json[key] = Json::parse(R"([{"containerID":"a"}])");
  CHECK_THROWS_AS(valid_attachments(json), Error);
}

TEST_CASE("the common part does not look at the rest") {
  const Json json =
      Json::parse(R"({"name":"n","dataDir":"/x","cniType":7,"nonsense":true,"logLevel":"debug"})");
  CommonConfig common = read_common_config(json);
  CHECK(common.data_dir == "/x");
  read_log_config(json, common);
  CHECK(common.log_level == LogLevel::kDebug);
  CHECK_THROWS_AS(read_common_config(Json::parse(R"({"dataDir":7})")), Error);
}
