#include "tests/conformance/fixture.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

namespace railcni::test {

Json Plugin::config(const std::string& version, const std::string& name) const {
  Json config = Json::object({{"cniVersion", version}, {"name", name}, {"type", "railcni"}});
  config["cniType"] = "macvlan";
  config["dataDir"] = data_dir;
  config["macvlan"]["master"] = Json::strings({"rail9"});
  Json pool = Json::object({{"name", "pool-a"}, {"subnet", "10.9.0.0/24"}});
  pool["ips"] = Json::strings({"10.9.0.10-10.9.0.13"});
  pool["gateway"] = "10.9.0.1";
  config["ipam"]["pools"] = Json::array({pool});
  return config;
}

Call Plugin::call(const std::string& command, const Json& config,
                  const Container& container) const {
  return call_text(command, config.dump(), container);
}

Call Plugin::call_text(const std::string& command, const std::string& text,
                       const Container& container) const {
  return exec_plugin(binary, runtime.environment(command, container), text);
}

Outcome Plugin::cli(const std::vector<std::string>& arguments,
                    const std::string& stdin_text) const {
  Command command;
  command.argv = {binary};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.env = {"PATH=/usr/bin:/bin"};
  command.stdin_text = stdin_text;
  return run(command);
}

Json Plugin::leases() const {
  const Outcome outcome = cli({"lease", "list", "-o", "json", "--data-dir", data_dir});
  INFO(outcome.describe());
  REQUIRE(outcome.ok());
  return Json::parse(outcome.out);
}

Json Plugin::reclaim(const std::string& options) const {
  std::vector<std::string> arguments = {"gc", "-o", "json", "--data-dir", data_dir};
  if (!options.empty()) arguments.push_back(options);
  const Outcome outcome = cli(arguments);
  INFO(outcome.describe());
  REQUIRE(outcome.ok());
  return Json::parse(outcome.out);
}

std::vector<std::string> Plugin::leased() const {
  std::vector<std::string> addresses;
  const Json list = leases();
  for (const Json& lease : list.as_array()) addresses.push_back(lease.at("address").as_string());
  return addresses;
}

Container container_in(const Pod& pod, const std::string& id, const std::string& ifname) {
  return {id, pod.path(), ifname};
}

void check_error(const Call& call, int64_t code, const std::vector<std::string>& parts) {
  INFO(call.describe());
  CHECK(call.process.signal == 0);
  CHECK(call.process.exit_code > 0);
  // Json::parse() takes one document and nothing behind it.
  REQUIRE(call.json.is_object());
  for (const auto& [key, value] : call.json.as_object()) {
    CHECK(std::set<std::string>{"cniVersion", "code", "msg", "details"}.contains(key));
  }
  REQUIRE(call.json.find("cniVersion") != nullptr);
  CHECK(std::ranges::count(kVersions, call.json.at("cniVersion").as_string()) == 1);
  if (code != 0) {
    CHECK(call.code() == code);
  } else {
    CHECK(call.code() > 0);
  }
  CHECK_FALSE(call.msg().empty());
  const Json* details = call.json.find("details");
  const std::string text = call.msg() + "\n" + (details != nullptr ? details->as_string() : "");
  for (const std::string& part : parts) CHECK_THAT(text, Catch::Contains(part));
}

void check_silent_success(const Call& call) {
  INFO(call.describe());
  CHECK(call.process.exit_code == 0);
  CHECK(call.process.out.empty());
}

Json with(Json json, const std::string& path, Json value) {
  const size_t dot = path.find('.');
  const std::string head = path.substr(0, dot);
  Json* place = nullptr;
  if (json.is_array()) {
    place = &json.as_array().at(std::stoul(head));
  } else {
    place = &json[head];
  }
  *place = dot == std::string::npos ? std::move(value)
                                    : with(*place, path.substr(dot + 1), std::move(value));
  return json;
}

Json sorted(const Json& json) {
  if (json.is_array()) {
    Json::Array items;
    for (const Json& item : json.as_array()) items.push_back(sorted(item));
    return Json::array(std::move(items));
  }
  if (!json.is_object()) return json;
  Json result = Json::object();
  for (const auto& [key, value] : json.as_object()) {
    result.as_object().emplace_back(key, sorted(value));
  }
  std::ranges::sort(result.as_object(), {}, &Json::Member::first);
  return result;
}

}  // namespace railcni::test
