// A clock that is set while Pods run.
#include "railcni/clock.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "railcni/ipam.h"
#include "railcni/pool.h"
#include "railcni/store.h"
#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

TEST_CASE("a quarantine that a clock of the year 2100 has written is over") {
  enter_sandbox();
  const Rail rail("rail0");
  const Pod pod("pod");
  const std::string dir = make_folder("clock");
  Json pool = Json::object({{"name", "p"}, {"subnet", "10.9.0.0/24"}});
  pool["ips"] = Json::array({"10.9.0.7"});
  const Json list = macvlan_list(dir, "rail0", pool);
  const Container container{.id = "c1", .netns = pod.path()};
  Runtime runtime;
  REQUIRE(runtime.add(list, container).ok());
  const Container other{.id = "c2", .netns = pod.path(), .ifname = "net2"};
  const auto quarantine_until = [&dir](int64_t until) {
    Store::open(Store::File::kState, StorePaths::from_data_dir(dir), Store::Mode::kExisting)
        ->write([until](Txn& txn) {
          const Lease lease{"p", IpPrefix::parse("10.9.0.7/24").value()};
          quarantine(txn, lease, {"net", "c1", "net1"}, until);
        });
  };
  SECTION("one of this boot's clock lasts") {
    quarantine_until(boot_seconds() + 600);
    CHECK(runtime.add(list, other).code() == 11);
  }
  SECTION("one of the year 2100 does not") {
    quarantine_until(4102444800);
    const Call add = runtime.add(list, other);
    INFO(add.describe());
    CHECK(add.ok());
  }
}

TEST_CASE("host-local's reservations from before the clock was set are this boot's") {
  enter_sandbox();
  const Pod pod("pod");
  const std::string dir = make_folder("original");
  const std::string folder = dir + "/hl";
  REQUIRE(mkdir(folder.c_str(), 0755) == 0);
  const std::string reservation = folder + "/10.1.0.2";
  const auto set_time = [](const std::string& path, const std::string& ago) {
    REQUIRE(run({.argv = {"/usr/bin/touch", "-d", ago + " ago", path}}).ok());
  };
  REQUIRE(run({.argv = {"/bin/sh", "-c", "printf 'old\\r\\neth0' >" + reservation}}).ok());
  // The machine came up two years ago by its clock, a Pod a day later; then the clock was set, and
  // it is up for an hour or so.
  const std::string device = dir + "/null";
  REQUIRE(mknod(device.c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0);
  REQUIRE(mount(device.c_str(), "/dev/null", nullptr, MS_BIND, nullptr) == 0);
  set_time(device, "730 days");
  set_time(reservation, "729 days");
  const Json config = make_conflist(
      "1.0.0", "hl",
      {Json::object(
          {{"type", "macvlan"},
           {"ipam",
            Json::object({{"type", "host-local"},
                          {"dataDir", dir},
                          {"ranges", Json::parse(R"([[{"subnet": "10.1.0.0/29"}]])")}})}})});
  const std::string links = make_folder("bin");
  REQUIRE(symlink(railcni_binary().c_str(), (links + "/host-local").c_str()) == 0);
  const Runtime runtime;
  const Container container{.id = "new", .netns = pod.path(), .ifname = "eth0"};
  const auto call = [&](const std::string& verb) {
    return exec_plugin(links + "/host-local", runtime.environment(verb, container),
                       Runtime::plugin_config(config, 0, container, nullptr).dump());
  };
  Call add = call("ADD");
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(add.json.at("ips").as_array()[0].at("address").as_string() == "10.1.0.3/29");
  CHECK(umount("/dev/null") == 0);
}
