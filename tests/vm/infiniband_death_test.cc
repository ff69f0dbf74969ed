// InfiniBand attachments whose railcni is killed.
#include <catch2/catch.hpp>

#include "tests/support/kill_at.h"
#include "tests/vm/rdma_world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

// By DEL and by GC in turns, every second time without the Pod; nothing is left.
void clean_up(RdmaWorld& world, const Json& list, const Container& container, Pod& pod, int n) {
  if (n % 4 >= 2) pod.destroy();
  if (n % 2 == 1) {
    world.del(list, container);
  } else {
    const Call gc = world.runtime.gc(list, {});
    INFO(gc.describe());
    REQUIRE(gc.ok());
  }
  world.require_nothing_left();
}

// Kills an ADD at each step with an effect, has DEL, GC or the next ADD clean up, and looks for
// what is left. Every second Pod is gone by then.
void kill_adds(RdmaWorld& world, const Json& list, const char* guid) {
  int n = 1;
  for (;; ++n) {
    INFO("ADD killed at step " << n);
    Pod pod;
    Container container{.id = "victim", .netns = pod.path()};
    if (guid != nullptr) container = with_guid(container, guid);
    if (!run_and_kill_at(world.command("ADD", list, container), n, KillPoints::kEffects)) {
      world.del(list, container);
      break;
    }
    clean_up(world, list, container, pod, n);
  }
  CHECK(n > 12);
  world.require_nothing_left();
}

void kill_dels(RdmaWorld& world, const Json& list, const char* guid) {
  for (int n = 1;; ++n) {
    INFO("DEL killed at step " << n);
    Pod pod;
    Container container{.id = "victim", .netns = pod.path()};
    if (guid != nullptr) container = with_guid(container, guid);
    world.add(list, container);
    const bool killed =
        run_and_kill_at(world.command("DEL", list, container), n, KillPoints::kEffects);
    clean_up(world, list, container, pod, n);
    if (!killed) break;
  }
}

constexpr const char* kGuid = "02:00:00:00:00:00:00:77";

}  // namespace

TEST_CASE("an ib-sriov ADD killed at each step is undone", "[infiniband]") {
  RdmaWorld world;
  kill_adds(world, world.ib_list(world.near[1], Json::object({{"rdmaDeviceName", "hca_pod"}})),
            kGuid);
}

TEST_CASE("an ib-sriov DEL killed at each step is completed", "[infiniband]") {
  RdmaWorld world;
  kill_dels(world, world.ib_list(world.near[1], Json::object({{"rdmaDeviceName", "hca_pod"}})),
            kGuid);
}

TEST_CASE("an ib-sriov ADD with a pkey killed at each step is undone", "[infiniband]") {
  RdmaWorld world;
  world.join_once(world.near[1]);
  kill_adds(
      world,
      world.ib_list(world.near[1], Json::object({{"pkey", "0x8001"}, {"rdmaIsolation", false}})),
      nullptr);
}

TEST_CASE("an ipoib ADD killed at each step is undone", "[infiniband]") {
  RdmaWorld world;
  kill_adds(world,
            world.list("ipoib", "ipoib", Json::object({{"master", "rail1"}, {"pkey", "0x8001"}})),
            nullptr);
}

TEST_CASE("an ipoib DEL killed at each step is completed", "[infiniband]") {
  RdmaWorld world;
  kill_dels(world, world.list("ipoib", "ipoib", Json::object({{"master", "rail1"}})), nullptr);
}
