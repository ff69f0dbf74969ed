// What the tests with RDMA devices share.
#ifndef RAILCNI_TESTS_VM_RDMA_WORLD_H_
#define RAILCNI_TESTS_VM_RDMA_WORLD_H_

#include <string>
#include <vector>

#include "railcni/json.h"
#include "tests/netns/world.h"
#include "tests/support/runtime.h"
#include "tests/vm/machine.h"
#include "tests/vm/sriov_world.h"

namespace railcni::test {

// The machine, the seeds' pool for the first GPU's rail, and a runtime.
struct RdmaWorld {
  RdmaWorld();

  // {"cniType":TYPE,BLOCK_NAME:BLOCK} with the seeds' pool.
  Json list(const std::string& type, const std::string& block_name, const Json& block) const;
  // An ib-sriov list for that VF.
  Json ib_list(const std::string& vf, const Json& block = Json::object()) const;

  // What a verb is run with, for killing it.
  Command command(const std::string& verb, const Json& list, const Container& container) const;
  // Each expects success.
  Json add(const Json& list, const Container& container);
  void check(const Json& list, const Container& container);
  void del(const Json& list, const Container& container);
  // Has the VF's IPoIB interface join its multicast group, and takes that for how it was before:
  // the group's MTU stays with an interface that has joined once.
  void join_once(const std::string& vf);
  // Expects that nothing differs from before, and no lease is left.
  void require_nothing_left();

  Machine machine;
  std::vector<std::string> near = vfs_of("rail1");
  std::vector<std::string> far = vfs_of("rail1b");
  std::string dir;
  Runtime runtime;
  Json before;
};

// The container with a GUID that its runtime hands on (capability infinibandGUID).
Container with_guid(Container container, const std::string& guid);

// The interface's one address, without the prefix length.
std::string address_of(const Pod& pod, const std::string& ifname = "net1");
// The port's GUID in an IPoIB interface's address, "02:00:...".
std::string guid_of(const std::string& ifname, const std::string& netns = "");
// True when a packet reaches the address within some seconds: an IPoIB link has to join first.
bool reaches(const std::string& address, const Pod& pod);

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_VM_RDMA_WORLD_H_
