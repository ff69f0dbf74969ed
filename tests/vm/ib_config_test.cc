// The ib-kubernetes contract, and what is refused of ib-sriov and ipoib configurations.
#include <catch2/catch.hpp>

#include "tests/vm/rdma_world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

// As Multus hands on the cni-args of a Pod's network annotation.
Json with_args(Json list, const Json& args) {
  list["plugins"].as_array().at(0)["args"] = Json::object({{"cni", args}});
  return list;
}

void refuse(RdmaWorld& world, const Json& list, const Container& container, int64_t code,
            const std::string& msg) {
  const Call add = world.runtime.add(list, container);
  INFO(add.describe());
  CHECK(add.code() == code);
  CHECK_THAT(add.msg(), Catch::Contains(msg));
  world.require_nothing_left();
}

}  // namespace

TEST_CASE("an ADD waits for ib-kubernetes, and then does what it said", "[infiniband]") {
  RdmaWorld world;
  const Pod pod;
  const Container container{.id = "waits", .netns = pod.path()};
  const char* key = GENERATE("enableIbKubernetes", "ibKubernetesEnabled");
  const Json list = world.ib_list(world.near[6], Json::object({{key, true}, {"pkey", "0x7fff"}}));
  // The daemon has not seen the Pod yet, then has given it a GUID, and at last UFM knows.
  refuse(world, list, container, 11, "has not configured this Pod yet");
  const Json guid = Json::object({{"guid", "02:00:00:00:00:00:00:51"}});
  refuse(world, with_args(list, guid), container, 11, "has not configured this Pod yet");
  Json args = guid;
  args["mellanox.infiniband.app"] = "configured";
  args["pkey"] = "0x7fff";
  const Json configured = with_args(list, args);
  const Json result = world.add(configured, container);
  CHECK(guid_of("net1", pod.path()) == "02:00:00:00:00:00:00:51");
  CHECK(result.at("ips").as_array().size() == 1);
  world.check(configured, container);
  world.del(configured, container);
  world.require_nothing_left();
}

TEST_CASE("an ADD waits for the subnet manager's partition", "[infiniband]") {
  RdmaWorld world;
  const Pod pod;
  const Container container{.id = "waits", .netns = pod.path()};
  const Json args = Json::object({{"guid", "02:00:00:00:00:00:00:52"},
                                  {"mellanox.infiniband.app", "configured"},
                                  {"pkey", "0x1"}});
  refuse(
      world,
      with_args(world.ib_list(world.near[6], Json::object({{"ibKubernetesEnabled", true}})), args),
      container, 11, "has not put it into 0x8001 yet");
  refuse(world, world.ib_list(world.near[6], Json::object({{"pkey", "0x1234"}})), container, 11,
         "is not in that partition");
}

TEST_CASE("what is wrong with an InfiniBand configuration is said before anything changes",
          "[infiniband]") {
  RdmaWorld world;
  Pod pod;
  const Container container{.id = "wrong", .netns = pod.path()};
  const std::string vf = world.near[0];
  const Json plain = world.ib_list(vf);
  for (const char* guid : {"02:00:00:00:00:00:00", "02:00:00:00:00:00:00:2g", "0200000000000001",
                           "00:00:00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff:ff:ff"}) {
    refuse(world, plain, with_guid(container, guid), 7, guid);
  }
  refuse(world,
         with_args(world.ib_list(vf, Json::object({{"pkey", "0x8001"}})),
                   Json::object({{"pkey", "0x8002"}})),
         container, 7, "args.cni.pkey");
  for (const Json& pkey : {Json("0x8000"), Json(0), Json("65536"), Json("x"), Json(true)}) {
    refuse(world, world.ib_list(vf, Json::object({{"pkey", pkey}})), container, 7, "ibsriov.pkey");
  }
  refuse(world, world.ib_list(vf, Json::object({{"linkState", "up"}})), container, 7, "link_state");
  refuse(world, world.ib_list(vf, Json::object({{"vfioPciMode", true}})), container, 7,
         "vfioPciMode");
  refuse(world, world.ib_list(vf, Json::object({{"rdmaDeviceName", "a/b"}})), container, 7,
         "rdmaDeviceName");
  refuse(world,
         world.ib_list(vf, Json::object({{"rdmaDeviceName", "x"}, {"rdmaIsolation", false}})),
         container, 7, "rdmaDeviceName");
  refuse(world, world.list("ib-sriov", "ibsriov", Json::object()), container, 7, "deviceID");
  Container mac = container;
  mac.args = "IgnoreUnknown=1;MAC=02:00:00:00:00:01";
  refuse(world, plain, mac, 7, "MAC");
  // A name that another device has: this kernel's names are the node's.
  refuse(world, world.ib_list(vf, Json::object({{"rdmaDeviceName", "hca_0"}})), container, 100,
         "rdmaDeviceName \"hca_0\"");
  // Its children would be lost.
  const std::string netdev = netdev_of(vf);
  ip("link add link " + netdev + " name child type ipoib pkey 0x8001");
  const Call add = world.runtime.add(plain, container);
  CHECK(add.code() == 7);
  CHECK_THAT(add.msg(), Catch::Contains("child"));
  ip("link del child");
  world.require_nothing_left();
}

TEST_CASE("two ipoib children in one partition reach each other", "[infiniband][kernels]") {
  RdmaWorld world;
  Pod one("one");
  Pod two("two");
  const Json first = world.list(
      "ipoib", "ipoib", Json::object({{"master", "rail1"}, {"pkey", "0x8001"}, {"mtu", 2000}}));
  const Json second = world.list(
      "ipoib", "ipoib",
      Json::object({{"master", "rail1"}, {"pkey", "1"}, {"umcast", false}, {"mode", "datagram"}}));
  const Container first_container{.id = "first", .netns = one.path()};
  const Container second_container{.id = "second", .netns = two.path()};
  world.add(first, first_container);
  world.add(second, second_container);
  const Json link = link_of("net1", one.path());
  CHECK(link.at("mtu") == 2000);
  CHECK(link.at("linkinfo").at("info_data").at("key") == "0x8001");
  CHECK(link.at("linkinfo").at("info_data").at("umcast") == "0001");
  CHECK(link_of("net1", two.path()).at("linkinfo").at("info_data").at("umcast") == "0000");
  CHECK(reaches(address_of(two), one));
  CHECK(reaches(address_of(one), two));
  world.check(first, first_container);
  SECTION("DEL") {}
  SECTION("a namespace dies") { one.destroy(); }
  SECTION("the child is gone already") { ip("link del net1", one.path()); }
  world.del(first, first_container);
  world.del(second, second_container);
  world.require_nothing_left();
}

TEST_CASE("what is wrong with an ipoib configuration is said before anything changes",
          "[infiniband]") {
  RdmaWorld world;
  Pod pod;
  const Container container{.id = "wrong", .netns = pod.path()};
  const auto refused = [&](const Json& block, int64_t code, const char* msg) {
    refuse(world, world.list("ipoib", "ipoib", block), container, code, msg);
  };
  refused(Json::object(), 7, "ipoib.master");
  refused(Json::object({{"master", "lo"}}), 7, "is not an IPoIB interface");
  refused(Json::object({{"master", "nothing"}}), 7, "no such interface");
  refused(Json::object({{"master", netdev_of(world.near[0])}}), 100, "is down");
  refused(Json::object({{"master", "rail1"}, {"pkey", "0x4000"}}), 11, "is not in that partition");
  refused(Json::object({{"master", "rail1"}, {"mode", "fast"}}), 7, "ipoib.mode");
  refused(Json::object({{"master", "rail1"}, {"mtu", 20}}), 7, "ipoib.mtu");
  refused(Json::object({{"master", "rail1"}, {"mac", "02:00:00:00:00:01"}}), 7, "mac");
  ip("link add link rail1 name child type ipoib pkey 0x8001");
  const Call add = world.runtime.add(
      world.list("ipoib", "ipoib", Json::object({{"master", "child"}})), container);
  CHECK(add.code() == 7);
  CHECK_THAT(add.msg(), Catch::Contains("is a child itself"));
  ip("link del child");
  world.require_nothing_left();
}
