// Probes, announcements and policy routes on IPoIB links, whose addresses have 20 bytes.
#include <catch2/catch.hpp>

#include "tests/vm/rdma_world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

Json with_coordinator(Json list, const char* coordinator) {
  Json& plugin = list["plugins"].as_array().at(0);
  plugin["coordinator"] = Json::parse(coordinator);
  plugin["capabilities"]["ips"] = true;
  return list;
}

Container with_address(Container container, const char* address) {
  container.capabilities = Json::object({{"ips", Json::array({address})}});
  return container;
}

}  // namespace

TEST_CASE("an address that an IPoIB neighbour has is found in use", "[infiniband]") {
  RdmaWorld world;
  Pod one("one");
  Pod two("two");
  const Container first{.id = "first", .netns = one.path()};
  const Container second{.id = "second", .netns = two.path()};
  const Json plain = with_coordinator(world.ib_list(world.far[0]), "{}");
  world.add(plain, with_address(first, "172.16.11.20"));
  // Another node has a store of its own.
  const std::string other_node = make_folder("other");
  apply_pools(other_node, kSeedPool);
  Json probing = with_coordinator(world.ib_list(world.near[0]),
                                  R"({"detectIPConflict": true, "detectGateway": false})");
  probing["plugins"].as_array().at(0)["dataDir"] = other_node;
  const Call refused = world.runtime.add(probing, with_address(second, "172.16.11.20"));
  INFO(refused.describe());
  CHECK(refused.code() == 11);
  CHECK_THAT(refused.msg(),
             Catch::Contains("172.16.11.20") &&
                 Catch::Contains(link_of("net1", one.path()).at("address").as_string()));
  world.add(probing, with_address(second, "172.16.11.21"));
  CHECK(reaches("172.16.11.20", two));
  world.del(probing, second);
  world.del(plain, first);
  world.require_nothing_left();
}

TEST_CASE("a gateway is asked over IPoIB, and the rail has a table of its own", "[infiniband]") {
  RdmaWorld world;
  Pod pod("pod");
  Pod router("router");
  ip("link add eth0 type dummy", pod.path());
  ip("addr add 10.244.0.5/24 dev eth0", pod.path());
  ip("link set eth0 up", pod.path());
  ip("route add default via 10.244.0.1", pod.path());
  const Container container{.id = "asks", .netns = pod.path()};
  const Json list = with_coordinator(world.ib_list(world.near[0]), R"({"detectGateway": true})");
  const Call silent = world.runtime.add(list, container);
  INFO(silent.describe());
  CHECK(silent.code() == 11);
  CHECK_THAT(silent.msg(), Catch::Contains("172.16.11.254"));
  world.require_nothing_left();

  const Container gateway{.id = "gateway", .netns = router.path()};
  const Json plain = with_coordinator(world.ib_list(world.far[0]), "{}");
  world.add(plain, gateway);
  ip("addr add 172.16.11.254/16 dev net1", router.path());
  world.add(list, container);
  const Json rules = ip_json("rule show", pod.path());
  CHECK(std::ranges::any_of(rules.as_array(), [&](const Json& rule) {
    return rule.at("src") == address_of(pod) && rule.at("table") == "101";
  }));
  const Json routes = ip_json("route show table 101", pod.path());
  CHECK(std::ranges::any_of(routes.as_array(), [](const Json& route) {
    return route.at("dst") == "default" && route.at("gateway") == "172.16.11.254";
  }));
  world.check(list, container);
  world.del(list, container);
  world.del(plain, gateway);
  world.require_nothing_left();
}

TEST_CASE("neighbours learn of an address' new queue pair at once", "[infiniband]") {
  RdmaWorld world;
  Pod one("one");
  Pod two("two");
  const auto dual = [&](const std::string& vf) {
    Json list = with_coordinator(world.ib_list(vf), "{}");
    Json& plugin = list["plugins"].as_array().at(0);
    plugin["ibsriov"] = Json::object();
    plugin["ipam"] = Json::parse(R"({"pools": [
        {"name": "four", "subnet": "10.9.0.0/24", "ips": ["10.9.0.10-10.9.0.20"]},
        {"name": "six", "subnet": "fd09::/64", "ips": ["fd09::10-fd09::20"]}]})");
    return list;
  };
  const auto asking = [](const char* id, const Pod& pod, const char* v4, const char* v6) {
    Container container{.id = id, .netns = pod.path()};
    container.capabilities = Json::object({{"ips", Json::array({v4, v6})}});
    return container;
  };
  const Container first = asking("first", one, "10.9.0.10", "fd09::10");
  const Container second = asking("second", two, "10.9.0.11", "fd09::11");
  const Json near = dual(world.near[0]);
  const Json far = dual(world.far[0]);
  world.add(near, first);
  world.add(far, second);
  REQUIRE(reaches("10.9.0.10", two));
  REQUIRE(reaches("fd09::10", two));
  const std::string before = link_of("net1", one.path()).at("address").as_string();
  world.del(near, first);
  world.add(near, first);
  const std::string now = link_of("net1", one.path()).at("address").as_string();
  CHECK(now != before);
  for (const char* address : {"10.9.0.10", "fd09::10"}) {
    INFO(address);
    CHECK(eventually([&] {
      const Json neighbours = ip_json(std::string("neigh show ") + address, two.path());
      return neighbours.as_array().at(0).at("lladdr") == now.c_str();
    }));
    CHECK(reaches(address, two.path()));
  }
  world.del(near, first);
  world.del(far, second);
  world.require_nothing_left();
}
