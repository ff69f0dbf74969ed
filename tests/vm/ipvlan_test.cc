// The ipvlan backend, on a kernel that has ipvlan.
#include <catch2/catch.hpp>

#include "tests/netns/world.h"
#include "tests/vm/machine.h"

using namespace railcni;
using namespace railcni::test;

namespace {

Json ipvlan_list(const std::string& data_dir, const std::string& master, Json block) {
  block["master"] = master;
  const Json pool = Json::object({{"name", "pool-" + master},
                                  {"subnet", "10.7.0.0/24"},
                                  {"ips", Json::array({"10.7.0.10-10.7.0.99"})}});
  return make_conflist("1.1.0", "ipvlan-net",
                       {Json::object({{"type", "railcni"},
                                      {"cniType", "ipvlan"},
                                      {"dataDir", data_dir},
                                      {"ipvlan", block},
                                      {"ipam", Json::object({{"pools", Json::array({pool})}})}})});
}

}  // namespace

TEST_CASE("ipvlan Pods reach each other in each mode", "[ethernet][kernels]") {
  Machine machine;
  const Json before = machine_snapshot();
  for (const char* mode : {"", "l2", "l3", "l3s"}) {
    INFO("mode " << mode);
    const std::string dir = make_folder("ipvlan");
    Runtime runtime;
    const Json list = ipvlan_list(dir, "rail1", Json::object({{"mode", mode}, {"mtu", 1400}}));
    Pod one("one");
    Pod two("two");
    const Container first{.id = "one", .netns = one.path()};
    const Container second{.id = "two", .netns = two.path()};
    for (const Container& container : {first, second}) {
      const Call add = runtime.add(list, container);
      INFO(add.describe());
      REQUIRE(add.ok());
    }
    const Json link = link_of("net1", one.path());
    const Json& info = link.at("linkinfo");
    CHECK(info.at("info_kind") == "ipvlan");
    CHECK(info.at("info_data").at("mode") == (*mode == '\0' ? "l2" : mode));
    CHECK(link.at("mtu") == 1400);
    CHECK(link.at("address") == link_of("rail1").at("address"));
    const std::string address = addresses_of("net1", two.path()).front();
    CHECK(reaches(address.substr(0, address.find('/')), one.path()));
    CHECK(runtime.check(list, first).ok());
    for (const Container& container : {first, second}) CHECK(runtime.del(list, container).ok());
    CHECK(link_of("net1", one.path()).is_null());
    CHECK(leased(dir).empty());
  }
  CHECK(machine_changes_since(before) == "");
}

TEST_CASE("an l2 ipvlan Pod reaches the other end of the wire", "[ethernet]") {
  Machine machine;
  const std::string dir = make_folder("ipvlan");
  Runtime runtime;
  Pod near("near");
  Pod far("far");
  const Json near_list = ipvlan_list(dir, "rail1", Json::object());
  const Json far_list = ipvlan_list(dir, "rail1b", Json::object({{"vlanID", 0}}));
  REQUIRE(runtime.add(near_list, {.id = "near", .netns = near.path()}).ok());
  REQUIRE(runtime.add(far_list, {.id = "far", .netns = far.path()}).ok());
  const std::string address = addresses_of("net1", far.path()).front();
  CHECK(reaches(address.substr(0, address.find('/')), near.path()));
  CHECK(runtime.del(near_list, {.id = "near", .netns = near.path()}).ok());
  CHECK(runtime.del(far_list, {.id = "far", .netns = far.path()}).ok());
}

TEST_CASE("an ipvlan on a VLAN that it makes", "[ethernet]") {
  Machine machine;
  const std::string dir = make_folder("ipvlan");
  Runtime runtime;
  Pod pod;
  const Json list = ipvlan_list(dir, "rail2", Json::object({{"vlanID", 55}}));
  const Container container{.id = "vlan", .netns = pod.path()};
  const Call add = runtime.add(list, container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(link_of("rail2.55").at("linkinfo").at("info_data").at("id") == 55);
  CHECK(runtime.del(list, container).ok());
  CHECK(link_of("rail2.55").is_null());
}

TEST_CASE("what an ipvlan cannot be is refused, and leaves nothing", "[ethernet]") {
  Machine machine;
  const Json before = machine_snapshot();
  const std::string dir = make_folder("ipvlan");
  Runtime runtime;
  Pod pod;
  const Container container{.id = "bad", .netns = pod.path()};
  const auto refuses = [&](const Json& list, const char* text, int64_t code) {
    const Call call = runtime.add(list, container);
    INFO(call.describe());
    CHECK(call.code() == code);
    CHECK_THAT(call.msg(), Catch::Contains(text));
    CHECK(leased(dir).empty());
    CHECK(machine_changes_since(before) == "");
  };
  refuses(ipvlan_list(dir, "rail1", Json::object({{"mode", "l4"}})), "l2, l3 or l3s", 7);
  refuses(ipvlan_list(dir, "rail1", Json::object({{"mtu", 9000}})), "MTU of master", 7);
  refuses(ipvlan_list(dir, "norail", Json::object()), "norail", 7);
  refuses(ipvlan_list(dir, "rail1", Json::object({{"mac", "02:00:00:00:00:01"}})), "mac", 7);
  // A master has macvlan children or ipvlan children, never both.
  ip("link add link rail1 name mv9 type macvlan");
  const Call busy = runtime.add(ipvlan_list(dir, "rail1", Json::object()), container);
  INFO(busy.describe());
  CHECK(busy.code() == 100);
  CHECK_THAT(busy.msg(), Catch::Contains("create ipvlan net1 on master rail1"));
  ip("link del mv9");
  // A link that is not ours stays.
  ip("link add net1 type dummy", pod.path());
  refuses(ipvlan_list(dir, "rail1", Json::object()), "already exists", 7);
  CHECK(link_of("net1", pod.path()).is_object());
}
