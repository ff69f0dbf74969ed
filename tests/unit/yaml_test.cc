#include "src/yaml/yaml.h"

#include <catch2/catch.hpp>
#include <string>

#include "railcni/error.h"

using namespace railcni;
using railcni::parse_yaml;
using railcni::to_yaml;

namespace {

Json one(const std::string& text) {
  std::vector<Json> documents = parse_yaml("f.yaml", text);
  REQUIRE(documents.size() == 1);
  return documents[0];
}

std::string error_of(const std::string& text) {
  try {
    parse_yaml("f.yaml", text);
  } catch (const Error& error) {
    CHECK(error.code() == Code::kDecodingFailure);
    return error.msg();
  }
  return "no error";
}

}  // namespace

TEST_CASE("yaml: the seeds' pool and SpiderMultusConfig documents") {
  // From the AI cluster guides of Spiderpool, as users paste them.
  const std::vector<Json> documents = parse_yaml("seed.yaml", R"(
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata:
  name: gpu1-net11
spec:
      gateway: 172.16.11.254
      subnet: 172.16.11.0/16
      ips:
        - 172.16.11.1-172.16.11.200
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderMultusConfig
metadata:
  name: gpu1-macvlan
  namespace: spiderpool
  annotations:
    cni.spidernet.io/rdma-resource-inject: rdma-network
spec:
      cniType: macvlan
      macvlan:
        master: ["enp11s0f0np0"]
        ippools:
          ipv4: ["gpu1-net11"]
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata:
  name: eno3np1-rail1-node1
spec:
  ipVersion: ipv4
  subnet: 172.16.1.0/27
  gateway: 172.16.1.1
  ips:
    - 172.16.1.2-172.16.1.32
  routes:
    - to: 172.16.0.0/16
      via: 172.16.1.1
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderMultusConfig
metadata:
  name: sriov-eno3np1
  namespace: kube-system
spec:
  cniType: sriov
  sriov:
    resourceName: "spidernet.io/eno3np1"
    rdmaIsolation: true
    mtu: 4200
    ippools:
      ipv4: 
      - eno3np1-rail1*
    matchMasterSubnet: true
)");
  REQUIRE(documents.size() == 4);
  CHECK(documents[0].dump() ==
        R"({"apiVersion":"spiderpool.spidernet.io/v2beta1","kind":"SpiderIPPool",)"
        R"("metadata":{"name":"gpu1-net11"},"spec":{"gateway":"172.16.11.254",)"
        R"("subnet":"172.16.11.0/16","ips":["172.16.11.1-172.16.11.200"]}})");
  CHECK(documents[1].at("spec").dump() ==
        R"({"cniType":"macvlan","macvlan":{"master":["enp11s0f0np0"],)"
        R"("ippools":{"ipv4":["gpu1-net11"]}}})");
  CHECK(documents[2].at("spec").at("routes").dump() ==
        R"([{"to":"172.16.0.0/16","via":"172.16.1.1"}])");
  CHECK(documents[3].at("spec").dump() ==
        R"({"cniType":"sriov","sriov":{"resourceName":"spidernet.io/eno3np1",)"
        R"("rdmaIsolation":true,"mtu":4200,"ippools":{"ipv4":["eno3np1-rail1*"]},)"
        R"("matchMasterSubnet":true}})");
}

TEST_CASE("yaml: plain scalars have the types of YAML 1.2's core schema") {
  const auto scalar = [](const std::string& text) { return one("k: " + text).at("k").dump(); };
  CHECK(scalar("1000") == "1000");
  CHECK(scalar("-7") == "-7");
  CHECK(scalar("+7") == "7");
  CHECK(scalar("0x1f") == "31");
  CHECK(scalar("0o17") == "15");
  CHECK(scalar("017") == "17");
  CHECK(scalar("0xzz") == "\"0xzz\"");
  CHECK(scalar("0x") == "\"0x\"");
  CHECK(scalar("9223372036854775807") == "9223372036854775807");
  CHECK(scalar("18446744073709551615") == "18446744073709551615");
  CHECK(scalar("-9223372036854775808") == "-9223372036854775808");
  CHECK(one("k: 18446744073709551616").at("k").is_number());
  CHECK(scalar("1.5") == "1.5");
  CHECK(scalar(".5") == "0.5");
  CHECK(one("k: 1e3").at("k") == Json(1000.0));
  CHECK(scalar("1e") == "\"1e\"");
  CHECK(scalar(".") == "\".\"");
  CHECK(scalar("-x") == "\"-x\"");
  CHECK(scalar("true") == "true");
  CHECK(scalar("False") == "false");
  CHECK(scalar("yes") == "\"yes\"");
  CHECK(scalar("on") == "\"on\"");
  CHECK(scalar("null") == "null");
  CHECK(scalar("~") == "null");
  CHECK(scalar("") == "null");
  CHECK(scalar("172.16.11.254") == "\"172.16.11.254\"");
  CHECK(scalar("172.16.11.0/16") == "\"172.16.11.0/16\"");
  CHECK(scalar("172.16") == "172.16");
  CHECK(scalar("fd00::1") == "\"fd00::1\"");
  CHECK(scalar("12:30:45") == "\"12:30:45\"");
  CHECK(scalar("02:00:00:00:00:01") == "\"02:00:00:00:00:01\"");
  CHECK(scalar("2026-01-01") == "\"2026-01-01\"");
  CHECK(scalar("\"1000\"") == "\"1000\"");
  CHECK(scalar("'true'") == "\"true\"");
  CHECK(scalar("\"null\"") == "\"null\"");
  CHECK(scalar("!!str 1000") == "\"1000\"");
  CHECK(scalar("!!int 12") == "12");
  CHECK(one("k: |\n  12\n").at("k") == Json("12\n"));
  CHECK(error_of("k: .inf") == "f.yaml:1:4: .inf is not a number that JSON has");
  CHECK(error_of("k: .nan") == "f.yaml:1:4: .nan is not a number that JSON has");
  CHECK(error_of("k: 1e999") == "f.yaml:1:4: number 1e999 is out of range");
  CHECK(error_of("k: !!int x") == "f.yaml:1:4: \"x\" is not of type !!int");
  CHECK(error_of("k: !mine x") == "f.yaml:1:4: tag <!mine> is not supported");
  CHECK(error_of("k: !!set {a, b}") == "f.yaml:1:4: tag <tag:yaml.org,2002:set> is not supported");
}

TEST_CASE("yaml: JSON is read as well") {
  CHECK(one(R"({"a": [1, "2", null, true], "b": {"c": "\/\u00e9"}})").dump() ==
        R"({"a":[1,"2",null,true],"b":{"c":"/é"}})");
  CHECK(one("{\n\t\"a\": 1,\n\t\"b\": \"\\ud83d\\ude00\"\n}").dump() ==
        "{\"a\":1,\"b\":\"\xf0\x9f\x98\x80\"}");
}

TEST_CASE("yaml: documents, empty ones and lists") {
  CHECK(parse_yaml("f", "").empty());
  CHECK(parse_yaml("f", "# only a comment\n").empty());
  CHECK(parse_yaml("f", "---\n---\n...\n").empty());
  CHECK(parse_yaml("f", "---\na: 1\n---\n---\nb: 2\n").size() == 2);
  const std::vector<Json> items = parse_yaml("f", R"(
apiVersion: v1
kind: List
items:
- kind: SpiderIPPool
- kind: SpiderIPPoolList
  items: [{kind: A}, {kind: B}]
---
kind: Allowlist
)");
  REQUIRE(items.size() == 4);
  CHECK(items[0].at("kind").as_string() == "SpiderIPPool");
  CHECK(items[2].at("kind").as_string() == "B");
  CHECK(items[3].at("kind").as_string() == "Allowlist");
  CHECK(parse_yaml("f",
                   "\xef\xbb\xbf"
                   "a: 1\r\nb: 2\r\n")[0]
            .dump() == R"({"a":1,"b":2})");
}

TEST_CASE("yaml: anchors, aliases and merge keys") {
  CHECK(one("a: &x [1, 2]\nb: *x\n").dump() == R"({"a":[1,2],"b":[1,2]})");
  CHECK(one("&k a: 1\nb: *k\n").dump() == R"({"a":1,"b":"a"})");
  CHECK(one("base: &b {x: 1, y: 2}\nuse:\n  y: 3\n  <<: *b\n").at("use").dump() ==
        R"({"y":3,"x":1})");
  CHECK(one("p: &p {x: 1}\nq: &q {x: 2, z: 3}\nuse:\n  <<: [*p, *q]\n").at("use").dump() ==
        R"({"x":1,"z":3})");
  CHECK(one("\"<<\": 1").dump() == R"({"<<":1})");
  CHECK(error_of("a: &x [*x]") == "f.yaml:1:8: an alias stands inside the value that it names");
  CHECK(error_of("a: *nowhere").starts_with("f.yaml:1:"));
  CHECK(error_of("a: {<<: 5}").ends_with("<< takes a map or a list of maps"));
  // Anchors end with their document.
  CHECK(error_of("a: &x 1\n---\nb: *x\n").starts_with("f.yaml:3:"));
}

TEST_CASE("yaml: what aliases copy is bounded") {
  std::string laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string name = "a" + std::to_string(i);
    laughs += name + ": &" + name + " [";
    for (int j = 0; j < 10; ++j) laughs += "*a" + std::to_string(i - 1) + (j < 9 ? ", " : "]\n");
  }
  CHECK(error_of(laughs).find("copy more than 64 MiB") != std::string::npos);
  std::string large = "a: &a " + std::string(1 << 20, 'x') + "\nb:\n";
  for (int i = 0; i < 100; ++i) large += "- *a\n";
  CHECK(error_of(large).find("copy more than 64 MiB") != std::string::npos);
  std::string merges = "a: &a {" + std::string() + "k: " + std::string(1 << 20, 'x') + "}\nb:\n";
  for (int i = 0; i < 100; ++i) merges += "- {<<: *a}\n";
  CHECK(error_of(merges).find("copy more than 64 MiB") != std::string::npos);
}

TEST_CASE("yaml: deep nesting is refused, however it is written") {
  CHECK(error_of(std::string(101, '[') + std::string(101, ']')) ==
        "f.yaml:1:101: nested deeper than 100 levels");
  // An unclosed bracket may begin a key, to yaml-cpp: another complaint, and as little a crash.
  CHECK(error_of(std::string(1000000, '[')).find("f.yaml:1:") == 0);
  CHECK(error_of(std::string(1000000, '[') + std::string(1000000, ']')).find("f.yaml:1:") == 0);
  CHECK(error_of(std::string(1000000, '{')).find("f.yaml:1:") == 0);
  std::string dashes;
  for (int i = 0; i < 100000; ++i) dashes += "- ";
  CHECK(error_of(dashes).find("nested deeper") != std::string::npos);
  std::string questions;
  for (int i = 0; i < 100000; ++i) questions += "? ";
  CHECK(error_of(questions).starts_with("f.yaml:1:"));
  std::string blocks;
  for (size_t i = 0; i < 300; ++i) blocks += std::string(i, ' ') + "k:\n";
  CHECK(error_of(blocks) == "f.yaml:101:101: nested deeper than 100 levels");
  const std::string ok = std::string(100, '[') + std::string(100, ']');
  CHECK(parse_yaml("f", ok).size() == 1);
  // An alias can be as deep as what it names.
  std::string grown = "a0: &a0 [x]\n";
  for (int i = 1; i < 120; ++i) {
    grown += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) +
             "]\n";
  }
  CHECK(error_of(grown).find("nested deeper") != std::string::npos);
}

TEST_CASE("yaml: errors have a place") {
  CHECK(error_of("a: 1\nb: 2\na: 3\n") == "f.yaml:3:1: key \"a\" stands twice in one map");
  CHECK(error_of("{\"a\": 1, \"a\": 2}").find("stands twice") != std::string::npos);
  CHECK(error_of("a: [1, 2").starts_with("f.yaml:"));
  CHECK(error_of("a: b: c").starts_with("f.yaml:1:"));
  CHECK(error_of("a:\n\t- 1").starts_with("f.yaml:2:"));
  CHECK(error_of("[a]: 1") == "f.yaml:1:1: a key must be a string");
  CHECK(error_of("? {a: 1}\n: 2").find("a key must be a string") != std::string::npos);
  CHECK(error_of("~: 1") == "f.yaml:1:1: a key must not be null");
  CHECK(error_of("a: \xff").starts_with("f.yaml:1:4: byte 0xff is not text"));
  CHECK(error_of("a: \xc3").starts_with("f.yaml:1:4: byte 0xc3"));
  CHECK(error_of("a: \xed\xa0\x80").starts_with("f.yaml:1:4: byte 0xed"));
  // yaml-cpp takes both for the end of the file.
  CHECK(error_of(std::string("a: 1\n\0b: 2\n", 11)).starts_with("f.yaml:2:1: byte 0x00"));
  CHECK(error_of("a: 1\n\x04\nb: 2\n").starts_with("f.yaml:2:1: byte 0x04"));
  CHECK(error_of(std::string("\xff\xfe"
                             "a\0",
                             4))
            .starts_with("f.yaml:1:1: byte 0xff"));
  CHECK(error_of(std::string(kMaxYamlSize + 1, ' ')) == "f.yaml: larger than 64 MiB");
}

TEST_CASE("yaml: what begins no document is an error, and not a walk without end") {
  CHECK(error_of("{\"a\": 1},\n") == "f.yaml:1:9: no document can begin like this");
  CHECK(error_of(",").starts_with("f.yaml:1:1:"));
  CHECK(parse_yaml("f", "---\n---\na: 1\n---\n").size() == 1);
}

TEST_CASE("yaml: what to_yaml writes is read back as the same value") {
  const Json value = Json::parse(
      R"({"name":"gpu1-net11","n":5,"t":true,"nothing":null,"empty":{},"none":[],"s":"5",)"
      R"("yes":"true","v6":"fd00::","list":["a","10.0.0.1-10.0.0.9",[1,[2]]],"dash":"-x",)"
      R"("routes":[{"dst":"10.0.0.0/8","gw":"10.1.1.1"},{"x":{"y":[{"z":1}]}}],)"
      R"("odd key: #":"a\nb\t\"c\" \\ é","":"","inf":".inf","big":18446744073709551615})");
  CHECK(one(to_yaml(value)) == value);
  CHECK(to_yaml(Json::parse(R"({"a":{"b":["x",{"c":1,"d":"2"}]}})")) ==
        "a:\n  b:\n    - x\n    - c: 1\n      d: \"2\"\n");
  CHECK(one(to_yaml(Json::array())) == Json::array());
  // Of these, YAML wants all but the last two as escapes.
  const Json odd = Json::strings({"\x7f", "\xc2\x80", "a\xc2\x92", "\xc2\x9f", "\xef\xbf\xbe",
                                  "\xef\xbf\xbf", "\xc2\x85", "\xf0\x9f\x98\x80"});
  CHECK(one(to_yaml(odd)) == odd);
  CHECK(one(to_yaml("...")) == Json("..."));
}
