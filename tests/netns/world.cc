#include "tests/netns/world.h"

#include <algorithm>
#include <stdexcept>

namespace railcni::test {

const char* const kSeedPool = R"(apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata:
  name: gpu1-net11
spec:
  gateway: 172.16.11.254
  subnet: 172.16.11.0/16
  ips:
    - 172.16.11.1-172.16.11.200
)";

Json macvlan_plugin(const std::string& data_dir, const std::string& master, const Json& pool) {
  return Json::object(
      {{"type", "railcni"},
       {"cniType", "macvlan"},
       {"dataDir", data_dir},
       {"macvlan", Json::object({{"master", Json::array({master})}})},
       {"ipam", Json::object({{"type", "railcni"}, {"pools", Json::array({pool})}})}});
}

Json macvlan_list(const std::string& data_dir, const std::string& master, const Json& pool) {
  return make_conflist("1.1.0", "net", {macvlan_plugin(data_dir, master, pool)});
}

Json pool_v4() {
  return Json::object({{"name", "p"}, {"subnet", "10.9.0.0/24"}, {"gateway", "10.9.0.1"}});
}

Json pool_v6() {
  return Json::object({{"name", "p6"}, {"subnet", "fd09::/64"}, {"gateway", "fd09::1"}});
}

std::string cli(const std::string& data_dir, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), railcni_binary());
  arguments.insert(arguments.end(), {"--data-dir", data_dir});
  const Outcome outcome = run({.argv = arguments});
  if (!outcome.ok()) throw std::runtime_error(outcome.describe());
  return outcome.out;
}

Json cli_json(const std::string& data_dir, std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"-o", "json"});
  return Json::parse(cli(data_dir, arguments));
}

void apply_pools(const std::string& data_dir, const std::string& yaml) {
  const Outcome outcome = run(
      {.argv = {railcni_binary(), "apply", "-f", "-", "--data-dir", data_dir}, .stdin_text = yaml});
  if (!outcome.ok()) throw std::runtime_error(outcome.describe());
}

Json with_applied_pools(const std::string& data_dir, Json plugin) {
  Json names = Json::object();
  std::string documents;
  for (Json spec : plugin.at("ipam").at("pools").as_array()) {
    const std::string name = spec.at("name").as_string();
    const bool is_v6 = spec.at("subnet").as_string().find(':') != std::string::npos;
    names[is_v6 ? "ipv6" : "ipv4"].push_back(name);
    spec.erase("name");
    documents += "---\n" +
                 Json::object({{"apiVersion", "spiderpool.spidernet.io/v2beta1"},
                               {"kind", "SpiderIPPool"},
                               {"metadata", Json::object({{"name", name}})},
                               {"spec", spec}})
                     .dump() +
                 "\n";
  }
  apply_pools(data_dir, documents);
  plugin["ipam"].erase("pools");
  plugin["ipam"]["ippools"] = names;
  return plugin;
}

std::vector<std::string> leased(const std::string& data_dir) {
  std::vector<std::string> addresses;
  for (const Json& lease : cli_json(data_dir, {"lease", "list"}).as_array()) {
    addresses.push_back(lease.at("address").as_string());
  }
  std::sort(addresses.begin(), addresses.end());
  return addresses;
}

}  // namespace railcni::test
