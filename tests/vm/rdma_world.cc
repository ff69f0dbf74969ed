#include "tests/vm/rdma_world.h"

#include <catch2/catch.hpp>

namespace railcni::test {

RdmaWorld::RdmaWorld() : dir(make_folder("rdma")), before(machine_snapshot()) {
  apply_pools(dir, kSeedPool);
}

Json RdmaWorld::list(const std::string& type, const std::string& block_name,
                     const Json& block) const {
  Json plugin = Json::object({{"type", "railcni"},
                              {"cniType", type},
                              {"dataDir", dir},
                              {"capabilities", Json::object({{"infinibandGUID", true}})},
                              {block_name, block}});
  plugin[block_name]["ippools"] = Json::object({{"ipv4", Json::array({"gpu1-net11"})}});
  return make_conflist("1.1.0", "rail", {plugin});
}

Json RdmaWorld::ib_list(const std::string& vf, const Json& block) const {
  return with_device(list("ib-sriov", "ibsriov", block), vf);
}

Command RdmaWorld::command(const std::string& verb, const Json& list,
                           const Container& container) const {
  return {.argv = {railcni_binary()},
          .env = runtime.environment(verb, container),
          .stdin_text = Runtime::plugin_config(list, 0, container, nullptr).dump()};
}

Json RdmaWorld::add(const Json& list, const Container& container) {
  const Call call = runtime.add(list, container);
  INFO(call.describe());
  REQUIRE(call.ok());
  return call.json;
}

void RdmaWorld::check(const Json& list, const Container& container) {
  const Call call = runtime.check(list, container);
  INFO(call.describe());
  CHECK(call.ok());
}

void RdmaWorld::del(const Json& list, const Container& container) {
  const Call call = runtime.del(list, container);
  INFO(call.describe());
  REQUIRE(call.ok());
}

void RdmaWorld::join_once(const std::string& vf) {
  const std::string netdev = netdev_of(vf);
  ip("link set " + netdev + " up");
  REQUIRE(eventually([&] { return has_settled(netdev); }));
  ip("link set " + netdev + " down");
  before = machine_snapshot();
}

void RdmaWorld::require_nothing_left() {
  CHECK(machine_changes_since(before) == "");
  CHECK(leased(dir).empty());
  CHECK_NOTHROW(cli(dir, {"gc"}));
}

Container with_guid(Container container, const std::string& guid) {
  container.capabilities = Json::object({{"infinibandGUID", guid}});
  return container;
}

std::string address_of(const Pod& pod, const std::string& ifname) {
  const auto addresses = addresses_of(ifname, pod.path());
  REQUIRE(addresses.size() == 1);
  return addresses.front().substr(0, addresses.front().find('/'));
}

std::string guid_of(const std::string& ifname, const std::string& netns) {
  // "80:00:01:04:" and the GID's prefix come before it.
  return link_of(ifname, netns).at("address").as_string().substr(36);
}

bool reaches(const std::string& address, const Pod& pod) { return reaches(address, pod.path()); }

}  // namespace railcni::test
