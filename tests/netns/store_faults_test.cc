// A state folder that is read-only, full, damaged or somebody else's: one clear error, nothing
// left.
#include <sys/mount.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/netns/world.h"
#include "tests/support/sanitized.h"

using namespace railcni;
using namespace railcni::test;

namespace {

struct World {
  Rail rail{"rail0"};
  Pod pod;
  std::string dir = make_folder("faults");
  Runtime runtime;
  Container container{.id = "c1", .netns = pod.path()};
  Json list = macvlan_list(dir, "rail0", pool_v4());
  Json host = snapshot();
  Json inside = snapshot(pod.path());

  std::string state_file() const {
    for (const auto& entry : std::filesystem::directory_iterator(dir)) {
      const std::string name = entry.path().filename();
      if (name.starts_with("state-") && name.ends_with(".mdb")) return entry.path();
    }
    throw std::runtime_error("no state file");
  }

  void require_refused(int64_t code) {
    const Call call = runtime.add(list, container);
    INFO(call.describe());
    CHECK_FALSE(call.ok());
    CHECK(call.process.signal == 0);
    CHECK(call.code() == code);
    CHECK_THAT(call.msg(), Catch::Contains(dir));
    CHECK(snapshot() == host);
    CHECK(snapshot(pod.path()) == inside);
  }
};

void mount_tmpfs(const std::string& folder, const char* options, unsigned long flags = 0) {
  REQUIRE(::mount("tmpfs", folder.c_str(), "tmpfs", flags, options) == 0);
}

}  // namespace

TEST_CASE("a read-only dataDir is an I/O error") {
  enter_sandbox();
  World world;
  mount_tmpfs(world.dir, "size=1m", MS_RDONLY);
  world.require_refused(5);
  umount(world.dir.c_str());
}

TEST_CASE("a full dataDir is an I/O error, at whatever size it is full") {
  enter_sandbox();
  World world;
  for (int pages = 1; pages < 140; pages += kSanitized ? 12 : 4) {
    INFO(pages << " pages");
    mount_tmpfs(world.dir, ("size=" + std::to_string(pages * 4) + "k").c_str());
    const Call call = world.runtime.add(world.list, world.container);
    INFO(call.describe());
    CHECK(call.process.signal == 0);
    if (call.ok()) {
      CHECK(world.runtime.del(world.list, world.container).ok());
    } else {
      CHECK(call.code() == 5);
    }
    CHECK(snapshot(world.pod.path()) == world.inside);
    umount(world.dir.c_str());
  }
  CHECK(snapshot() == world.host);
}

TEST_CASE("a dataDir that is a file is an I/O error") {
  enter_sandbox();
  World world;
  std::filesystem::remove_all(world.dir);
  std::ofstream(world.dir) << "a file";
  world.require_refused(5);
}

TEST_CASE("a foreign, a truncated and a damaged state file are refused") {
  enter_sandbox();
  World world;
  REQUIRE(world.runtime.add(world.list, world.container).ok());
  REQUIRE(world.runtime.del(world.list, world.container).ok());
  const std::string file = world.state_file();
  SECTION("foreign") {
    std::ofstream(file, std::ios::trunc) << std::string(8192, 'x');
    world.require_refused(102);
  }
  SECTION("truncated") {
    std::filesystem::resize_file(file, 8192);
    world.require_refused(102);
  }
  SECTION("empty is new") {
    std::filesystem::resize_file(file, 0);
    CHECK(world.runtime.add(world.list, world.container).ok());
  }
  SECTION("damaged pages") {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(8192);
    stream << std::string(1 << 16, '\xff');
    stream.close();
    world.require_refused(102);
  }
}
