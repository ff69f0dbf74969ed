// Stdin: what is no configuration, and what is a wrong one.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/conformance/fixture.h"

using namespace railcni;
using namespace railcni::test;

namespace {

const std::vector<std::string> kVerbs = {"ADD", "DEL", "CHECK", "STATUS", "GC"};
const Container kContainer{"ctr-1", "/run/netns/nowhere", "net1"};

}  // namespace

TEST_CASE("stdin: text that is no JSON object is code 6, for every verb") {
  const Plugin plugin;
  const std::string good = plugin.config().dump();
  const std::vector<std::string> texts = {"",
                                          " \n\t",
                                          "garbage",
                                          "{",
                                          "}",
                                          "[]",
                                          "\"text\"",
                                          "null",
                                          "5",
                                          "true",
                                          "{\"name\":}",
                                          "{'name':'a'}",
                                          "{\"name\":\"a\",}",
                                          good + "x",
                                          good + good,
                                          good + " {}",
                                          good + "\n]",
                                          good.substr(0, good.size() / 2),
                                          "\xff" + good,
                                          "{\"name\":\"\xff\xfe\"}",
                                          "{\"name\":\"\xed\xa0\x80\"}",
                                          "{\"name\":\"a\nb\"}",
                                          std::string("{\"name\":\"a\0\"}", 13),
                                          good + std::string(1, '\0'),
                                          "{\"name\":\"\\ud800\"}",
                                          "{\"name\":01}",
                                          "{\"name\":NaN}",
                                          "// comment\n" + good};
  for (const std::string& text : texts) {
    for (const std::string& verb : kVerbs) {
      INFO(verb << " " << text.substr(0, 80));
      check_error(plugin.call_text(verb, text, kContainer), 6);
    }
  }
  CHECK(std::filesystem::is_empty(plugin.data_dir));
}

TEST_CASE("stdin: deep and large documents") {
  const Plugin plugin;
  const std::string open = R"({"cniVersion":"1.1.0","name":"a","cniType":"macvlan","x":)";
  for (const size_t depth : {size_t{200}, size_t{5000}, size_t{1000000}}) {
    INFO(depth);
    const std::string arrays = std::string(depth, '[') + std::string(depth, ']');
    check_error(plugin.call_text("ADD", arrays, kContainer), 6);
    check_error(plugin.call_text("ADD", open + arrays + "}", kContainer), 6);
    std::string objects;
    for (size_t i = 0; i < depth; ++i) objects += "{\"a\":";
    check_error(plugin.call_text("DEL", objects + "1" + std::string(depth, '}'), kContainer), 6);
    check_error(plugin.call_text("ADD", std::string(depth, '['), kContainer), 6);
  }
  const size_t ten_megabytes = size_t{10} << 20;
  // An unknown key, as large as it may be.
  check_error(
      plugin.call("ADD", with(plugin.config(), "x", std::string(ten_megabytes, 'a')), kContainer),
      7, {"\"x\""});
  // No error may repeat such a value.
  const Call name = plugin.call(
      "ADD", with(plugin.config(), "name", std::string(ten_megabytes, '/')), kContainer);
  check_error(name, 7, {"name"});
  CHECK(name.process.out.size() < 4096);
  const Call type = plugin.call(
      "ADD", with(plugin.config(), "cniType", std::string(ten_megabytes, 'a')), kContainer);
  check_error(type, 7, {"cniType"});
  CHECK(type.process.out.size() < 4096);
  const Call version =
      plugin.call("ADD", plugin.config(std::string(ten_megabytes, '1')), kContainer);
  check_error(version, 1);
  CHECK(version.process.out.size() < 4096);
  std::string numbers = open + "[1";
  while (numbers.size() < ten_megabytes) numbers += ",1";
  check_error(plugin.call_text("ADD", numbers + "]}", kContainer), 7, {"\"x\""});
  std::string keys = R"({"cniVersion":"1.1.0","name":"a","cniType":"macvlan")";
  for (size_t i = 0; keys.size() < ten_megabytes; ++i) keys += ",\"k" + std::to_string(i) + "\":1";
  check_error(plugin.call_text("ADD", keys + "}", kContainer), 7);
  // A GC of a hundred thousand attachments is no hostile document.
  Json valid = Json::array();
  for (int i = 0; i < 100000; ++i) {
    valid.push_back(Json::object(
        {{"containerID", std::string(58, 'f') + std::to_string(100000 + i)}, {"ifname", "net1"}}));
  }
  Json gc = plugin.config();
  gc["cni.dev/valid-attachments"] = valid;
  check_silent_success(plugin.call("GC", gc, kContainer));
  CHECK(std::filesystem::is_empty(plugin.data_dir));
}

TEST_CASE("stdin: numbers that no key can have") {
  const RailPlugin plugin;
  const Pod pod;
  const Container container = container_in(pod);
  for (const std::string number :
       {"-1", "1.5", "1e3", "65536", "4294967296", "9223372036854775808", "18446744073709551616",
        "-9223372036854775809", "1e999", "1e-999"}) {
    for (const std::string key : {"mtu", "vlanID"}) {
      INFO(key << " " << number.substr(0, 40));
      const std::string text = with(plugin.config(), "macvlan." + key, "NUMBER").dump();
      std::string patched = text;
      patched.replace(patched.find("\"NUMBER\""), 8, number);
      const Call call = plugin.call_text("ADD", patched, container);
      // What fits no double is no JSON to some parsers.
      check_error(call, 0);
      CHECK((call.code() == 7 || call.code() == 6));
      if (call.code() == 7) CHECK_THAT(call.msg(), Catch::Contains(key));
    }
  }
}

TEST_CASE("stdin: a value of the wrong type is an error that names the key") {
  const RailPlugin plugin;
  const Pod pod;
  const Container container = container_in(pod);
  const Json text = "text";
  const Json number = 5;
  const Json boolean = true;
  const Json array = Json::array({Json(1)});
  const Json object = Json::object({{"x", 1}});
  const auto others = [&](const std::vector<std::string>& right) {
    std::vector<Json> wrong;
    for (const Json& value : {text, number, boolean, array, object}) {
      if (std::ranges::count(right, std::string(value.type_name())) == 0) wrong.push_back(value);
    }
    return wrong;
  };
  const std::vector<std::pair<std::string, std::vector<std::string>>> keys = {
      {"cniType", {"string"}},
      {"dataDir", {"string"}},
      {"logFile", {"string"}},
      {"logLevel", {"string"}},
      {"nodeName", {"string"}},
      {"disableIPAM", {"boolean"}},
      {"matchMasterSubnet", {"boolean"}},
      {"macvlan", {"object"}},
      {"macvlan.master", {"string"}},
      {"macvlan.mtu", {"number"}},
      {"macvlan.vlanID", {"number"}},
      {"macvlan.bond", {"object"}},
      {"macvlan.mode", {"string"}},
      {"macvlan.mac", {"string"}},
      {"macvlan.linkInContainer", {"boolean"}},
      {"macvlan.bcqueuelen", {"number"}},
      {"macvlan.matchMasterSubnet", {"boolean"}},
      {"macvlan.ippools", {"object"}},
      {"ippools", {"object"}},
      {"ipam", {"object"}},
      {"ipam.type", {"string"}},
      {"ipam.pools", {"array"}},
      {"ipam.pools.0", {"object"}},
      {"ipam.pools.0.subnet", {"string"}},
      {"ipam.pools.0.gateway", {"string"}},
      {"ipam.pools.0.disable", {"boolean"}},
      {"runtimeConfig", {"object"}},
      {"args", {"object"}},
      {"dns", {"object"}},
      {"prevResult", {"object"}},
  };
  for (const auto& [path, right] : keys) {
    for (const Json& value : others(right)) {
      INFO(path << ": " << value.dump());
      const std::string last = path.substr(path.rfind('.') + 1);
      const Call call = plugin.call("ADD", with(plugin.config(), path, value), container);
      check_error(call, 7, {last == "0" ? "pools[0]" : last});
    }
  }
  for (const Json& value : others({"string"})) {
    check_error(plugin.call("ADD", with(plugin.config(), "cniVersion", value), container), 6,
                {"cniVersion"});
    check_error(plugin.call("ADD", with(plugin.config(), "name", value), container), 7, {"name"});
  }
  for (const std::string path : {"macvlan.ippools.ipv4", "runtimeConfig.ips", "args.cni.ips"}) {
    for (const Json& value : {number, boolean, array, object}) {
      INFO(path << ": " << value.dump());
      Json config = plugin.config();
      check_error(plugin.call("ADD", with(config, path, value), container), 7);
    }
  }
  CHECK(plugin.leased().empty());
  CHECK(link_of("net1", pod.path()).is_null());
}

TEST_CASE("stdin: an unknown key is an error that names it and the nearest known one") {
  const RailPlugin plugin;
  const Pod pod;
  const Container container = container_in(pod);
  const std::vector<std::pair<std::string, std::string>> typos = {
      {"dataDri", "dataDir"},
      {"cnitype", "cniType"},
      {"macvlan.mater", "master"},
      {"macvlan.vlanId", "vlanID"},
      {"macvlan.ipppools", "ippools"},
      {"ipam.pool", "pools"},
      {"ipam.pools.0.gatway", "gateway"},
      {"ipam.pools.0.subnets", "subnet"},
      {"enableRdma", ""},
      {"macvlan.enableRdma", ""},
  };
  for (const auto& [path, nearest] : typos) {
    INFO(path);
    const std::string last = path.substr(path.rfind('.') + 1);
    check_error(plugin.call("ADD", with(plugin.config(), path, true), container), 7,
                {last, nearest});
  }
  // Another type's block is no unknown key, and as wrong.
  check_error(plugin.call("ADD", with(plugin.config(), "sriov", Json::object()), container), 7,
              {"sriov"});
}

TEST_CASE("stdin: the network's name") {
  const Plugin plugin;
  for (const std::string& verb : kVerbs) {
    INFO(verb);
    Json config = plugin.config();
    config.erase("name");
    check_error(plugin.call(verb, config, kContainer), 7, {"name"});
    check_error(plugin.call(verb, with(config, "name", nullptr), kContainer), 7, {"name"});
    for (const std::string name : {"", "-a", ".a", "a b", "a/b", "../x", "a\nb", "\xc3\xa9"}) {
      INFO(name);
      check_error(plugin.call(verb, plugin.config("1.1.0", name), kContainer), 7, {"name"});
    }
  }
  check_error(plugin.call("ADD", plugin.config("1.1.0", "A.b_c-9"), kContainer), 3);
}

TEST_CASE("stdin: cniVersion") {
  const Plugin plugin;
  for (const std::string& version : kVersions) {
    INFO(version);
    const Call call = plugin.call("ADD", plugin.config(version), kContainer);
    check_error(call, 3);
    CHECK(call.json.at("cniVersion").as_string() == version);
    check_silent_success(plugin.call("DEL", plugin.config(version), kContainer));
  }
  Json absent = plugin.config();
  absent.erase("cniVersion");
  const Call call = plugin.call("ADD", absent, kContainer);
  check_error(call, 3);
  CHECK(call.json.at("cniVersion").as_string() == "0.1.0");
  for (const std::string version :
       {"0.0.1", "0.3.2", "0.9.9", "1.2.0", "2.0.0", "1.1", "1.1.0.0", "v1.1.0", "1.1.0 ", " 1.1.0",
        "01.1.0", "1.1.0-rc1", "latest", "abc"}) {
    for (const std::string& verb : kVerbs) {
      INFO(verb << " " << version);
      const Call refused = plugin.call(verb, plugin.config(version), kContainer);
      check_error(refused, 1, {version});
      // The details say what would be right.
      REQUIRE(refused.json.find("details") != nullptr);
      CHECK_THAT(refused.json.at("details").as_string(), Catch::Contains("0.4.0"));
    }
  }
}

TEST_CASE("stdin: verbs that a version does not have") {
  const Plugin plugin;
  for (const std::string& version : kVersions) {
    INFO(version);
    if (version < "0.4.0") {
      check_error(plugin.call("CHECK", plugin.config(version), kContainer), 1, {"CHECK"});
    } else {
      check_error(plugin.call("CHECK", plugin.config(version), kContainer), 0);
      CHECK(plugin.call("CHECK", plugin.config(version), kContainer).code() != 1);
    }
    for (const std::string verb : {"GC", "STATUS"}) {
      if (version < "1.1.0") {
        check_error(plugin.call(verb, plugin.config(version), kContainer), 1, {verb});
      } else {
        CHECK(plugin.call(verb, plugin.config(version), kContainer).code() != 1);
      }
    }
  }
}
