// A Pod on a cluster's network, for the routing tests.
#ifndef RAILCNI_TESTS_NETNS_CLUSTER_H_
#define RAILCNI_TESTS_NETNS_CLUSTER_H_

#include <memory>
#include <stdexcept>
#include <string>

#include "tests/netns/world.h"

namespace railcni::test {

// Debian's bridge plugin, with addresses of host-local, as the cluster's network.
inline Json bridge_list() {
  return make_conflist(
      "1.0.0", "cluster",
      {Json::object(
          {{"type", "bridge"},
           {"bridge", "cni0"},
           {"isDefaultGateway", true},
           {"ipam", Json::object({{"type", "host-local"},
                                  {"dataDir", "/run/host-local"},
                                  {"ranges", Json::array({Json::array({Json::object(
                                                 {{"subnet", "10.233.64.0/24"}})})})}})}})});
}

// A Pod with an eth0 of Debian's bridge plugin, as the cluster's network, and rails to come.
struct Cluster {
  Pod pod;
  std::string dir = make_folder("routing");
  Runtime runtime;
  Json list = bridge_list();
  Container eth0{.id = "c1", .netns = pod.path(), .ifname = "eth0"};

  Cluster() {
    make_settled("eth0", pod.path(), [this] {
      const Call add = runtime.add(list, eth0);
      if (!add.ok()) throw std::runtime_error(add.describe());
    });
  }
  ~Cluster() {
    runtime.del(list, eth0);
    if (ip_succeeds("link show cni0")) ip("link del cni0");
  }

  Container rail(int n) const {
    return {.id = "c1", .netns = pod.path(), .ifname = "net" + std::to_string(n)};
  }
  // The pool of rail N, applied: 172.16.1N.0/24, its gateway .254.
  Json rail_list(int n, const Json& coordinator = nullptr, bool v6 = false) const {
    const std::string subnet = "172.16.1" + std::to_string(n) + ".";
    Json plugin =
        macvlan_plugin(dir, "rail" + std::to_string(n),
                       Json::object({{"name", "gpu" + std::to_string(n)},
                                     {"subnet", subnet + "0/24"},
                                     {"ips", Json::array({subnet + "10-" + subnet + "99"})},
                                     {"gateway", subnet + "254"}}));
    if (v6) {
      const std::string prefix = "fd00:" + std::to_string(n) + "::";
      plugin["ipam"]["pools"].push_back(Json::object({{"name", "six" + std::to_string(n)},
                                                      {"subnet", prefix + "/64"},
                                                      {"gateway", prefix + "1"}}));
    }
    if (!coordinator.is_null()) plugin["coordinator"] = coordinator;
    return make_conflist("1.1.0", "rail" + std::to_string(n), {with_applied_pools(dir, plugin)});
  }
  std::string text(const std::string& arguments) const {
    return run({.argv = {"/bin/sh", "-c", "ip " + arguments}, .netns = pod.path()}).out;
  }
};

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_NETNS_CLUSTER_H_
