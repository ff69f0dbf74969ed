// What needs no hardware is tested without a VM; this one is for the kernels.
#include <catch2/catch.hpp>

#include "tests/netns/world.h"
#include "tests/vm/machine.h"

using namespace railcni;
using namespace railcni::test;

TEST_CASE("macvlan Pods reach each other, and leave nothing", "[ethernet][kernels]") {
  const Machine machine;
  const Json before = machine_snapshot();
  const std::string dir = make_folder("macvlan");
  const Pod pods[2];
  Runtime runtime;
  const Json list = macvlan_list(dir, "rail1", pool_v4());
  const auto container = [&](int i) {
    return Container{.id = "c" + std::to_string(i), .netns = pods[i].path()};
  };
  for (int i = 0; i < 2; ++i) {
    const Call add = runtime.add(list, container(i));
    INFO(add.describe());
    REQUIRE(add.ok());
    CHECK(runtime.check(list, container(i)).ok());
  }
  const std::string second = addresses_of("net1", pods[1].path()).at(0);
  CHECK(reaches(second.substr(0, second.find('/')), pods[0].path()));
  for (int i = 0; i < 2; ++i) CHECK(runtime.del(list, container(i)).ok());
  CHECK(leased(dir).empty());
  CHECK(machine_changes_since(before) == "");
}
