// railcni under the names ib-sriov, ipoib and rdma, and what render makes of documents with RDMA.
#include <catch2/catch.hpp>

#include "tests/vm/rdma_world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

using Names = std::vector<std::string>;

std::string install_names() {
  const std::string folder = make_folder("names");
  const Outcome outcome = run({.argv = {railcni_binary(), "install", "--to", folder, "--as",
                                        "sriov,ib-sriov,ipoib,rdma,sbr"}});
  INFO(outcome.describe());
  REQUIRE(outcome.ok());
  return folder;
}

// As a NAD of the original has it, with railcni's own pools for an IPAM.
Json flat(const RdmaWorld& world, const std::string& type, const Json& keys) {
  Json config = keys;
  config["type"] = type;
  config["dataDir"] = world.dir;
  config["ipam"] = Json::parse(R"({"type": "railcni", "ippools": {"ipv4": ["gpu1-net11"]}})");
  return config;
}

// ADD, what `look` has to say, CHECK, DEL.
template <typename Look>
void add_check_delete(Runtime& runtime, const Json& list, const Container& container, Look look) {
  const Call add = runtime.add(list, container);
  INFO(add.describe());
  REQUIRE(add.ok());
  look(add.json);
  if (list.at("cniVersion") != "0.3.1") {  // which has no CHECK
    const Call check = runtime.check(list, container);
    INFO(check.describe());
    CHECK(check.ok());
  }
  const Call del = runtime.del(list, container);
  INFO(del.describe());
  CHECK(del.ok());
}

// And nothing is left.
template <typename Look>
void add_and_delete(RdmaWorld& world, Runtime& runtime, const Json& list,
                    const Container& container, Look look) {
  add_check_delete(runtime, list, container, look);
  world.require_nothing_left();
}

Json render(const std::string& document) {
  const Outcome rendered = run(
      {.argv = {railcni_binary(), "render", "-f", "-", "-o", "conflist"}, .stdin_text = document});
  INFO(rendered.describe());
  REQUIRE(rendered.ok());
  return Json::parse(rendered.out);
}

Json with_data_dir(Json list, const std::string& dir) {
  for (Json& plugin : list["plugins"].as_array()) plugin["dataDir"] = dir;
  return list;
}

// The network that render makes of a seeds' document is added to a Pod, with a VF of its rail, and
// has its RDMA device and the first address of the seeds' pool.
void add_rendered(const std::string& document) {
  RdmaWorld world;
  const Pod pod;
  const Container container{.id = "seed", .netns = pod.path()};
  const Json list = with_data_dir(render(document), world.dir);
  Runtime runtime;
  add_and_delete(world, runtime, with_device(list, world.near[1]), container, [&](const Json&) {
    CHECK(rdma_devices(pod.path()).size() == 1);
    CHECK(addresses_of("net1", pod.path()) == Names{"172.16.11.1/16"});
  });
}

}  // namespace

TEST_CASE("dropin: a NAD of ib-sriov-cni that ib-kubernetes manages", "[infiniband]") {
  RdmaWorld world;
  Runtime runtime(install_names() + ":/usr/lib/cni");
  const Pod pod;
  const Container container{.id = "nad", .netns = pod.path()};
  Json config = flat(world, "ib-sriov",
                     Json::object({{"link_state", "enable"},
                                   {"rdmaIsolation", true},
                                   {"ibKubernetesEnabled", true},
                                   {"pkey", "0x7fff"}}));
  const Json waiting = with_device(make_conflist("0.3.1", "ib", {config}), world.near[0]);
  CHECK(runtime.add(waiting, container).code() == 11);
  world.require_nothing_left();
  config["args"] = Json::parse(R"({"cni": {"guid": "02:00:00:00:00:00:00:61",
      "mellanox.infiniband.app": "configured", "pkey": "0x7fff"}})");
  const Json list = with_device(make_conflist("0.4.0", "ib", {config}), world.near[0]);
  add_and_delete(world, runtime, list, container, [&](const Json& result) {
    CHECK(guid_of("net1", pod.path()) == "02:00:00:00:00:00:00:61");
    CHECK(rdma_devices(pod.path()).size() == 1);
    CHECK(result.at("interfaces").as_array().size() == 1);
    CHECK(vf_of("rail1", 0).at("link_state") == "enable");
  });
}

TEST_CASE("dropin: a NAD of ipoib-cni", "[infiniband]") {
  RdmaWorld world;
  Runtime runtime(install_names() + ":/usr/lib/cni");
  const Pod pod;
  const Container container{.id = "nad", .netns = pod.path()};
  const Json list = make_conflist(
      "0.4.0", "ib", {flat(world, "ipoib", Json::object({{"master", "rail1"}, {"mtu", 1500}}))});
  add_and_delete(world, runtime, list, container, [&](const Json&) {
    const Json link = link_of("net1", pod.path());
    CHECK(link.at("mtu") == 1500);
    CHECK(link.at("linkinfo").at("info_data").at("key") == "0xffff");
    CHECK(link.at("linkinfo").at("info_data").at("umcast") == "0001");
  });
}

TEST_CASE("dropin: what render makes of the seeds' ib-sriov document is added", "[infiniband]") {
  add_rendered(R"(
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderMultusConfig
metadata:
  name: gpu1-ib-sriov
  namespace: spiderpool
spec:
  cniType: ib-sriov
  ibsriov:
    resourceName: spidernet.io/eno3np2
    rdmaIsolation: true
    ippools:
      ipv4: ["gpu1-net11"]
)");
}

TEST_CASE("dropin: sriov-cni's NAD with rdma-cni's behind it", "[roce]") {
  RdmaWorld world;
  Runtime runtime(install_names() + ":/usr/lib/cni");
  const Pod pod;
  const Container container{.id = "nad", .netns = pod.path()};
  const Json rdma = Json::object({{"type", "rdma"}, {"dataDir", world.dir}});
  Json list =
      make_conflist("1.0.0", "roce", {flat(world, "sriov", Json::object({{"vlan", 100}})), rdma});
  const bool told = GENERATE(true, false);
  INFO("rdma is told the device " << told);
  list = with_device(list, world.near[0]);
  if (!told) {
    list["plugins"].as_array().at(1).erase("deviceID");
    list["plugins"].as_array().at(1).erase("pciBusID");
  }
  add_and_delete(world, runtime, list, container, [&](const Json& result) {
    CHECK(rdma_devices(pod.path()).size() == 1);
    CHECK(result.at("interfaces").as_array().size() == 1);
  });
}

TEST_CASE("dropin: what render makes of the seeds' sriov document with RDMA is added", "[roce]") {
  add_rendered(R"(
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderMultusConfig
metadata:
  name: gpu1-sriov
  namespace: spiderpool
spec:
  cniType: sriov
  sriov:
    resourceName: spidernet.io/gpu1sriov
    enableRdma: true
    ippools:
      ipv4: ["gpu1-net11"]
)");
}

TEST_CASE("as another plugin's IPAM, railcni finds the master of its deviceID", "[roce]") {
  RdmaWorld world;
  const Pod pod;
  const Container container{.id = "outer", .netns = pod.path()};
  ip("addr add 172.16.11.250/16 dev rail1");
  world.before = machine_snapshot();
  Json config = Json::object({{"type", "host-device"}, {"pciBusID", world.near[2]}});
  config["ipam"] = Json::parse(R"({"type": "railcni", "matchMasterSubnet": true,
      "ippools": {"ipv4": ["gpu1-*"]}})");
  config["ipam"]["dataDir"] = world.dir;
  const Json list = with_device(make_conflist("1.0.0", "outer", {config}), world.near[2]);
  const Call add = world.runtime.add(list, container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(addresses_of("net1", pod.path()) == Names{"172.16.11.1/16"});
  CHECK(world.runtime.del(list, container).ok());
  // On a PF without an address of the pool's subnet there is nothing to give.
  const Json other = with_device(list, world.far[2]);
  CHECK_FALSE(world.runtime.add(other, container).ok());
  CHECK(leased(world.dir).empty());
  ip("addr del 172.16.11.250/16 dev rail1");
}

TEST_CASE("dropin: bridge with railcni's addresses, railcni with RDMA, tuning and sbr", "[roce]") {
  RdmaWorld world;
  Runtime runtime(install_names() + ":/usr/lib/cni");
  const Pod pod;
  ip("link add eth0 type dummy", pod.path());
  ip("addr add 10.244.0.5/24 dev eth0", pod.path());
  ip("link set eth0 up", pod.path());
  ip("route add default via 10.244.0.1", pod.path());
  const Container container{.id = "four", .netns = pod.path()};
  Json bridge = Json::object({{"type", "bridge"}, {"bridge", "br7"}});
  bridge["ipam"] = Json::parse(R"({"type": "railcni", "ippools": {"ipv4": ["gpu1-net11"]}})");
  bridge["ipam"]["dataDir"] = world.dir;
  const Json own = Json::object({{"type", "railcni"},
                                 {"dataDir", world.dir},
                                 {"rdmaIsolation", true},
                                 {"deviceID", world.near[0]}});
  const Json tuning =
      Json::parse(R"({"type": "tuning", "sysctl": {"net.ipv4.conf.net1.log_martians": "1"}})");
  const Json sbr = Json::object({{"type", "sbr"}, {"dataDir", world.dir}});
  const Json list = make_conflist("1.0.0", "four", {bridge, own, tuning, sbr});
  // Debian's plugins do not speak 1.1.0, which GC came with: ours get it.
  const Json ours = make_conflist("1.1.0", "four", {own, sbr});
  add_check_delete(runtime, list, container, [&](const Json&) {
    CHECK(rdma_devices(pod.path()).size() == 1);
    CHECK(ip_json("rule show", pod.path()).dump().find("172.16.11.1") != std::string::npos);
    REQUIRE(runtime.gc(ours, {container}).ok());
    CHECK(rdma_devices(pod.path()).size() == 1);
  });
  ip("link del br7");  // which the bridge plugin leaves standing
  world.require_nothing_left();
}
