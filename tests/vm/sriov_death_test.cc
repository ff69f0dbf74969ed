// VFs whose railcni, Pod or PF goes away in between.
#include <catch2/catch.hpp>

#include "tests/netns/world.h"
#include "tests/vm/machine.h"
#include "tests/vm/sriov_world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

struct Bench {
  Machine machine;
  std::vector<std::string> vfs = vfs_of("rail1");
  std::string dir = make_folder("death");
  Runtime runtime;
  Json list = with_device(sriov_list(dir, Json::object({{"vlanID", 300},
                                                        {"mac", "02:00:00:00:0d:01"},
                                                        {"trust", "on"},
                                                        {"spoofchk", "off"},
                                                        {"maxTxRateMbps", 100},
                                                        {"mtu", 1400}})),
                          vfs[5]);
  Json before = machine_snapshot();

  void require_nothing_left() {
    CHECK(machine_changes_since(before) == "");
    require_store_empty();
  }
  void require_store_empty() {
    CHECK(leased(dir).empty());
    CHECK_NOTHROW(cli(dir, {"gc"}));
  }
};

}  // namespace

TEST_CASE("a VF comes back whole when its namespace dies before DEL", "[ethernet][kernels]") {
  Bench bench;
  Pod pod;
  const Container container{.id = "dies", .netns = pod.path()};
  REQUIRE(bench.runtime.add(bench.list, container).ok());
  pod.destroy();
  const Call del = bench.runtime.del(bench.list, container);
  INFO(del.describe());
  REQUIRE(del.ok());
  bench.require_nothing_left();
}

TEST_CASE("a VF comes back whole when its container's init is killed before DEL", "[ethernet]") {
  Bench bench;
  Child init(Command{.argv = {"unshare", "-n", "sleep", "1000"}, .env = {"PATH=/usr/bin:/bin"}});
  const std::string path = "/proc/" + std::to_string(init.pid()) + "/ns/net";
  REQUIRE(eventually(
      [&] { return read_line("/proc/" + std::to_string(init.pid()) + "/comm") == "sleep"; }));
  const Container container{.id = "init", .netns = path};
  const Call add = bench.runtime.add(bench.list, container);
  INFO(add.describe());
  REQUIRE(add.ok());
  init.kill();
  init.wait();
  const Call del = bench.runtime.del(bench.list, container);
  INFO(del.describe());
  REQUIRE(del.ok());
  bench.require_nothing_left();
}

TEST_CASE("a VF of a container that is gone goes to the next one", "[ethernet]") {
  Bench bench;
  Pod live("live");
  const Container first{.id = "first", .netns = live.path()};
  REQUIRE(bench.runtime.add(bench.list, first).ok());
  Pod next("next");
  const Container second{.id = "second", .netns = next.path()};
  const Call refused = bench.runtime.add(bench.list, second);
  CHECK(refused.code() == 11);
  CHECK_THAT(refused.msg(), Catch::Contains(bench.vfs[5]) && !Catch::Contains("first"));
  CHECK_THAT(refused.process.err, Catch::Contains("container first"));
  live.destroy();
  const Call taken = bench.runtime.add(bench.list, second);
  INFO(taken.describe());
  REQUIRE(taken.ok());
  // The late DEL of the first container must not touch what is the second's.
  REQUIRE(bench.runtime.del(bench.list, first).ok());
  CHECK(link_of("net1", next.path()).at("address") == "02:00:00:00:0d:01");
  CHECK(vf_of("rail1", 5).at("trust") == true);
  REQUIRE(bench.runtime.del(bench.list, second).ok());
  bench.require_nothing_left();
}

TEST_CASE("DEL succeeds when the PF's VFs were taken away, or made anew", "[ethernet]") {
  Bench bench;
  const Pod pod;
  const Container container{.id = "reset", .netns = pod.path()};
  for (const bool again : {false, true}) {
    vfs_of("rail1");
    // The PF resets for that, and takes no rates while its link is down.
    REQUIRE(eventually([&] { return link_of("rail1").at("operstate") == "UP"; }));
    const Call add = bench.runtime.add(bench.list, container);
    INFO(add.describe());
    REQUIRE(add.ok());
    set_vf_count("rail1", 0);
    if (again) vfs_of("rail1");
    REQUIRE(eventually([&] { return link_of("rail1").at("operstate") == "UP"; }));
    const Json fresh = machine_snapshot();
    const Call del = bench.runtime.del(bench.list, container);
    INFO(del.describe());
    REQUIRE(del.ok());
    CHECK_THAT(del.process.err, Catch::Contains("sriov_numvfs") && Catch::Contains(bench.vfs[5]));
    CHECK(machine_changes_since(fresh) == "");
    CHECK(leased(bench.dir).empty());
    // A second DEL finds nothing and says nothing.
    CHECK(bench.runtime.del(bench.list, container).ok());
  }
}

TEST_CASE("a VF whose driver was bound anew under the Pod comes back with its old name",
          "[ethernet]") {
  Bench bench;
  const Pod pod;
  const Container container{.id = "rebind", .netns = pod.path()};
  const std::string name = netdev_of(bench.vfs[5]);
  const Json link = link_of(name);
  const Json vf = vf_of("rail1", 5);
  REQUIRE(bench.runtime.add(bench.list, container).ok());
  rebind(bench.vfs[5]);
  const Call del = bench.runtime.del(bench.list, container);
  INFO(del.describe());
  REQUIRE(del.ok());
  // The interface is another one now (its index is new), with everything of the old one.
  for (const char* key : {"address", "mtu", "flags", "txqlen", "promiscuity"}) {
    INFO(key);
    CHECK(link_of(name).at(key) == link.at(key));
  }
  CHECK(vf_of("rail1", 5) == vf);
  bench.require_store_empty();
}

TEST_CASE("a VF that its Pod keeps resetting during DEL comes back whole", "[ethernet]") {
  Bench bench;
  const Pod pod;
  const Container container{.id = "resets", .netns = pod.path()};
  for (int round = 0; round < 5; ++round) {
    INFO("round " << round);
    REQUIRE(bench.runtime.add(bench.list, container).ok());
    // igbvf resets for a new MTU; a trusted VF then tells the PF its own MAC.
    const Child resets(
        Command{.argv = {"sh", "-c",
                         "while :; do echo link set net1 mtu 1300; echo link set net1 mtu 1400; "
                         "done | ip -force -batch - 2>/dev/null"},
                .env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                .netns = pod.path()});
    REQUIRE(eventually([&] { return link_of("net1", pod.path()).at("mtu") == 1300; }));
    const Call del = bench.runtime.del(bench.list, container);
    INFO(del.describe());
    REQUIRE(del.ok());
    bench.require_nothing_left();
  }
}

TEST_CASE("DEL succeeds when the VF's old name is taken by another link", "[ethernet]") {
  Bench bench;
  const std::string name = netdev_of(bench.vfs[5]);
  const Json link = link_of(name);
  const Json vf = vf_of("rail1", 5);
  const Pod pod;
  const Container container{.id = "name", .netns = pod.path()};
  REQUIRE(bench.runtime.add(bench.list, container).ok());
  ip("link add " + name + " type dummy");
  const Call del = bench.runtime.del(bench.list, container);
  INFO(del.describe());
  REQUIRE(del.ok());
  CHECK_THAT(del.process.err, Catch::Contains(name));
  ip("link del " + name);
  ip("link set " + netdev_of(bench.vfs[5]) + " name " + name);
  CHECK(vf_of("rail1", 5) == vf);
  CHECK(link_of(name).at("address") == link.at("address"));
  bench.require_store_empty();
}
