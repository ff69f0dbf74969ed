// One VF, and attachments that are recorded in two folders.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <optional>

#include "tests/netns/world.h"
#include "tests/vm/machine.h"
#include "tests/vm/sriov_world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

constexpr int kVf = 4;

struct World {
  Machine machine;
  std::vector<std::string> vfs = vfs_of("rail1");
  std::string dir_a = make_folder("a");
  std::string dir_b = make_folder("b");
  Runtime runtime;
  Json list_a = with_device(sriov_list(dir_a, Json::object({{"vlanID", 300}})), vfs[kVf]);
  Json list_b = with_device(sriov_list(dir_b, Json::object({{"vlanID", 301}})), vfs[kVf]);
  Json before = machine_snapshot();
  std::optional<Pod> one{std::in_place};
  Pod two;

  Container first() const { return {.id = "first", .netns = one->path()}; }
  Container second() const { return {.id = "second", .netns = two.path()}; }
  int64_t vlan() const {
    const Json vf = vf_of("rail1", kVf);
    const Json* list = vf.find("vlan_list");
    if (list == nullptr || list->as_array().at(0).find("vlan") == nullptr) return 0;
    return list->as_array().at(0).at("vlan").as_int();
  }
  Call add_second() {
    Call add = runtime.add(list_b, second());
    for (int i = 0; i < 100 && add.code() == 11; ++i) {
      usleep(100'000);
      add = runtime.add(list_b, second());
    }
    return add;
  }
  void require_nothing_left() {
    CHECK(machine_changes_since(before) == "");
    for (const std::string& dir : {dir_a, dir_b}) CHECK(leased(dir).empty());
    CHECK_NOTHROW(cli(dir_a, {"gc"}));
  }
};

}  // namespace

TEST_CASE("a VF that an attachment of one folder has is not another's", "[ethernet]") {
  World world;
  REQUIRE(world.runtime.add(world.list_a, world.first()).ok());
  const Call refused = world.runtime.add(world.list_b, world.second());
  INFO(refused.describe());
  CHECK(refused.code() == 11);
  CHECK(world.vlan() == 300);
  REQUIRE(world.runtime.del(world.list_a, world.first()).ok());
  REQUIRE(world.runtime.add(world.list_b, world.second()).ok());
  CHECK(world.vlan() == 301);
  REQUIRE(world.runtime.del(world.list_b, world.second()).ok());
  world.require_nothing_left();
}

TEST_CASE("a VF whose Pod is gone is taken from one folder to the other", "[ethernet]") {
  World world;
  REQUIRE(world.runtime.add(world.list_a, world.first()).ok());
  const std::string copy = world.dir_b + "-copy";
  std::filesystem::copy(world.dir_a, copy);
  world.one.reset();
  const Call add = world.add_second();
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(world.vlan() == 301);
  SECTION("the first one's record is gone") {
    CHECK(cli_json(world.dir_a, {"gc"}).at("undone").as_array().empty());
  }
  SECTION("a record that nobody undid does not touch the VF any more") {
    std::filesystem::remove_all(world.dir_a);
    std::filesystem::rename(copy, world.dir_a);
    CHECK(cli_json(world.dir_a, {"gc"}).at("undone").as_array().size() == 1);
  }
  CHECK(world.vlan() == 301);
  CHECK(world.runtime.check(world.list_b, world.second()).ok());
  REQUIRE(world.runtime.del(world.list_b, world.second()).ok());
  std::filesystem::remove_all(copy);
  world.require_nothing_left();
}
