// railcni is killed while the kernel is at work for it: in the bind of a driver, and in the move of
// an RDMA device, in which the kernel makes an IPoIB interface and gives up when its caller is
// killed.
#include <catch2/catch.hpp>
#include <optional>

#include "tests/support/faults.h"
#include "tests/vm/rdma_world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

class KilledWorld : public FaultWorld {
 public:
  KilledWorld() {
    dir = rdma.dir;
    list = rdma.ib_list(rdma.near[1]);
  }
  Container container() override {
    if (!pod_) pod_.emplace();
    return with_guid({.id = "victim", .netns = pod_->path()}, "02:00:00:00:00:00:00:77");
  }
  void lose_pod() override { pod_.reset(); }
  void require_as_before() override {
    CHECK(count_records(dir) == 0);
    CHECK(machine_changes_since(rdma.before) == "");
  }

  RdmaWorld rdma;

 private:
  std::optional<Pod> pod_;
};

// A rebind and a move take the VM some tens of milliseconds.
std::string fault_after(int microseconds) {
  return "killed-in-" + std::to_string(microseconds) + ":rdma-set+sysfs";
}

}  // namespace

TEST_CASE("ADD is killed inside a bind or an RDMA move", "[infiniband][kernels]") {
  KilledWorld world;
  for (const int delay : {1000, 3000, 6000, 10000, 20000}) {
    CHECK(walk_add(world, fault_after(delay)) >= 3);
  }
}

TEST_CASE("DEL is killed inside a bind or an RDMA move", "[infiniband]") {
  KilledWorld world;
  for (const int delay : {1000, 3000, 6000, 10000, 20000}) {
    CHECK(walk_del(world, fault_after(delay)) >= 3);
  }
}
