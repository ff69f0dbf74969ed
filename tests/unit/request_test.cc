#include "railcni/request.h"

#include <catch2/catch.hpp>

#include "railcni/error.h"
#include "railcni/result.h"

using namespace railcni;

namespace {

Code code_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return Code{};
}

Request request(const char* config, const char* id = "c1", const char* ifname = "net1") {
  Request r;
  r.verb = Verb::kAdd;
  r.container_id = id;
  r.ifname = ifname;
  r.config = Json::parse(config);
  return r;
}

}  // namespace

TEST_CASE("CNI_ARGS: pairs, duplicates, unknown keys") {
  Request r;
  r.args =
      parse_cni_args("IgnoreUnknown=1;FOO=bar;K8S_POD_NAME=a;K8S_POD_NAME=b;IP=10.0.0.1,fd00::1");
  CHECK(r.arg("K8S_POD_NAME") == "b");
  CHECK(r.arg("IP") == "10.0.0.1,fd00::1");
  CHECK(r.arg("MAC").empty());
  CHECK(parse_cni_args("").empty());
  CHECK_NOTHROW(parse_cni_args("K8S_POD_UID=;MAC=02:00:00:00:00:01"));
  for (const char* bad : {"FOO=bar", "IgnoreUnknown=false;FOO=bar", "IgnoreUnknown=1;FOO", "=x"}) {
    INFO(bad);
    CHECK(code_of([&] { parse_cni_args(bad); }) == Code::kInvalidEnvironment);
  }
}

TEST_CASE("names and IDs have the specification's form") {
  CHECK_NOTHROW(check_request(request(R"({"name":"gpu1-net.x_1"})")));
  for (const char* config : {"{}", R"({"name":""})", R"({"name":null})", R"({"name":7})",
                             R"({"name":"-x"})", R"({"name":"a/b"})", R"({"name":"a b"})"}) {
    INFO(config);
    CHECK(code_of([&] { check_request(request(config)); }) == Code::kInvalidConfig);
  }
  for (const char* id : {"-x", "a/b", "a b", "a\n"}) {
    INFO(id);
    CHECK(code_of([&] { check_request(request(R"({"name":"n"})", id)); }) ==
          Code::kInvalidEnvironment);
  }
  for (const char* ifname :
       {".", "..", "a/b", "a:b", "a b", "a\tb", "eth%d", "a\x01", "sixteen-bytes-xx"}) {
    INFO(ifname);
    CHECK(code_of([&] { check_request(request(R"({"name":"n"})", "c1", ifname)); }) ==
          Code::kInvalidEnvironment);
  }
  CHECK_NOTHROW(check_request(request(R"({"name":"n"})", "c1", "fifteen-bytes-x")));
}

TEST_CASE("versions") {
  CHECK(config_version(Json::parse("{}")) == "0.1.0");
  CHECK(config_version(Json::parse(R"({"cniVersion":"1.1.0"})")) == "1.1.0");
  CHECK(code_of([] { config_version(Json::parse(R"({"cniVersion":"1.2.0"})")); }) ==
        Code::kIncompatibleVersion);
  CHECK(code_of([] { config_version(Json::parse(R"({"cniVersion":1})")); }) ==
        Code::kDecodingFailure);
  CHECK(older_than("0.3.1", "0.4.0"));
  CHECK_FALSE(older_than("1.0.0", "0.4.0"));
}

TEST_CASE("a result keeps what its version can say") {
  Result result;
  result.interfaces.push_back({"net1", "02:00:00:00:00:01", 1500, "/ns", "0000:01:00.1", ""});
  result.ips.push_back({*IpPrefix::parse("10.0.0.2/24"), IpAddress::parse("10.0.0.1"), 0});
  result.ips.push_back({*IpPrefix::parse("fd00::2/64"), std::nullopt, 0});
  ResultRoute route;
  route.dst = *IpPrefix::parse("0.0.0.0/0");
  route.gw = IpAddress::parse("10.0.0.1");
  result.routes.push_back(route);
  route.table = 100;
  result.routes.push_back(route);

  const Json v110 = result.to_json("1.1.0");
  CHECK(v110.at("interfaces").as_array()[0].at("pciID").as_string() == "0000:01:00.1");
  CHECK(v110.at("routes").as_array()[1].at("table").as_int() == 100);
  CHECK(Result::from_json(v110, "r").to_json("1.1.0") == v110);

  const Json v100 = result.to_json("1.0.0");
  CHECK(v100.at("interfaces").as_array()[0].find("mtu") == nullptr);
  CHECK(v100.at("routes").as_array().size() == 1);
  CHECK(v100.at("ips").as_array()[0].find("version") == nullptr);

  const Json v040 = result.to_json("0.4.0");
  CHECK(v040.at("ips").as_array()[0].at("version").as_string() == "4");
  CHECK(v040.at("ips").as_array()[1].at("version").as_string() == "6");

  const Json v020 = result.to_json("0.2.0");
  CHECK(v020.find("interfaces") == nullptr);
  CHECK(v020.at("ip4").at("ip").as_string() == "10.0.0.2/24");
  CHECK(v020.at("ip4").at("routes").as_array().size() == 1);
  CHECK(v020.at("ip6").find("routes") == nullptr);
  CHECK(Result::from_json(v020, "r").ips.size() == 2);
}

TEST_CASE("a malformed previous result is refused by name") {
  for (const char* text : {"[]", R"({"cniVersion":"1.0.0","ips":{}})",
                           R"({"cniVersion":"1.0.0","ips":[{"address":"x"}]})",
                           R"({"cniVersion":"1.0.0","interfaces":[{"name":1}]})",
                           R"({"cniVersion":"1.0.0","routes":[{}]})"}) {
    INFO(text);
    CHECK_THROWS_WITH(Result::from_json(Json::parse(text), "prevResult"),
                      Catch::StartsWith("prevResult"));
  }
}
