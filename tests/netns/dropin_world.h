// railcni under other plugins' names beside Debian's originals, and what is compared of both.
#ifndef RAILCNI_TESTS_NETNS_DROPIN_WORLD_H_
#define RAILCNI_TESTS_NETNS_DROPIN_WORLD_H_

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/netns/cluster.h"

namespace railcni::test {

// railcni under all names, before Debian's plugins; and these alone.
struct Names {
  std::string folder = make_folder("names");
  Runtime ours{folder + ":/usr/lib/cni"};
  Runtime debian{"/usr/lib/cni"};

  Names() {
    const Outcome outcome =
        run({.argv = {railcni_binary(), "install", "--to", folder, "--as",
                      "macvlan,ipvlan,sriov,ib-sriov,ipoib,rdma,sbr,coordinator"}});
    INFO(outcome.describe());
    REQUIRE(outcome.ok());
  }
};

// The members of `json` that are named, so that two can be compared.
inline Json parts(const Json& json, const std::vector<std::string>& names) {
  Json result = Json::object();
  for (const std::string& name : names) {
    if (const Json* value = json.find(name)) result[name] = *value;
  }
  return result;
}

// What an interface is, without its numbers.
inline Json link_shape(const std::string& ifname, const std::string& netns) {
  const Json link = ip_json("-d link show " + ifname, netns).as_array().at(0);
  Json shape = parts(link, {"ifname", "mtu", "address", "operstate"});
  Json info = link.at("linkinfo");
  shape["linkinfo"] = parts(info, {"info_kind", "info_data"});
  return shape;
}

// Routes of all tables by an interface, as text without what counts up.
inline std::vector<std::string> routes(const std::string& ifname, const std::string& netns,
                                       const std::string& table = "main") {
  std::vector<std::string> result;
  for (const char* const family : {"-4", "-6"}) {
    const std::string show = std::string(family) + " route show table " + table + " dev " + ifname;
    if (!ip_succeeds(show, netns)) continue;
    for (const Json& route : ip_json(show, netns).as_array()) {
      const Json* gateway = route.find("gateway");
      const std::string to = route.at("dst").as_string();
      if (to == "fe80::/64" || to == "multicast") continue;
      result.push_back(to + (gateway == nullptr ? "" : " via " + gateway->as_string()));
    }
  }
  std::sort(result.begin(), result.end());
  return result;
}

// An interface of Debian's bridge with an address of host-local's.
inline Json bridge(const std::string& name, const std::string& subnet) {
  return Json::object(
      {{"type", "bridge"},
       {"bridge", name},
       {"isGateway", true},
       {"ipam", Json::object({{"type", "host-local"},
                              {"dataDir", "/run/host-local-" + name},
                              {"ranges", Json::parse(R"([[{"subnet": ")" + subnet + R"("}]])")},
                              {"routes", Json::parse(R"([{"dst": "10.77.0.0/16"}])")}})}});
}

struct Bridge {
  std::string name;
  explicit Bridge(std::string n) : name(std::move(n)) {}
  ~Bridge() {
    if (ip_succeeds("link show " + name)) ip("link del " + name);
  }
};

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_NETNS_DROPIN_WORLD_H_
