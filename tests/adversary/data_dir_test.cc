// A dataDir that leads elsewhere.
#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;
namespace fs = std::filesystem;

namespace {

Call call(const std::string& verb, const Json& list, const Container& container) {
  const Runtime runtime;
  Json config = Runtime::plugin_config(list, 0, container, nullptr);
  if (verb == "GC") config["cni.dev/valid-attachments"] = Json::array();
  return exec_plugin(railcni_binary(), runtime.environment(verb, container), config.dump());
}

}  // namespace

TEST_CASE(
    "a dataDir is below /run or /var/lib: nothing is made elsewhere, and a DEL does not fail") {
  enter_sandbox();
  const Rail rail("rail0");
  const Pod pod;
  const Container container{.id = "c1", .netns = pod.path()};
  for (const std::string& folder :
       {std::string("/var/log/state"), std::string("/run/../etc/state"), std::string("/run"),
        std::string("relative"), std::string("/run/./x"), std::string("/etc/railcni-state"),
        std::string("/run/containerd/io.containerd.runtime.v2.task/k8s.io/1/rootfs/x"),
        std::string("/var/lib/kubelet/pods/1/volumes/x"), std::string("/run//containerd/x"),
        std::string("/run/new\nline")}) {
    INFO(folder);
    const Json list = macvlan_list(folder, "rail0", pool_v4());
    for (const char* verb : {"ADD", "STATUS", "CHECK"}) {
      const Call refused = call(verb, list, container);
      INFO(refused.describe());
      CHECK(refused.code() == 7);
      CHECK_THAT(refused.msg(), Catch::Contains("dataDir") && Catch::Contains("/run, /var/lib"));
    }
    // What never could be used leaves nothing to undo, and keeps no Pod.
    CHECK(call("DEL", list, container).ok());
    CHECK(call("GC", list, container).ok());
  }
  CHECK(link_of("net1", pod.path()).is_null());
  CHECK_FALSE(fs::exists("/var/log/state"));
  CHECK_FALSE(fs::exists("/etc/state"));
  CHECK_FALSE(fs::exists("/etc/railcni-state"));
  CHECK_FALSE(fs::exists("/run/state.mdb"));
  CHECK_FALSE(fs::exists("/run/containerd"));
  CHECK_FALSE(fs::exists("/var/lib/kubelet"));
}

TEST_CASE("what stands in a dataDir that the policy no longer allows is not forgotten") {
  enter_sandbox();
  const Rail rail("rail0");
  const Pod pod;
  const Container container{.id = "c1", .netns = pod.path()};
  const std::string folder = make_folder("own", "/var/log");
  const Json list = macvlan_list(folder, "rail0", pool_v4());
  {
    const NodePolicyFile policy(R"({"dataDirs": ["/var/log"]})");
    REQUIRE(call("ADD", list, container).ok());
  }
  for (const char* verb : {"DEL", "GC"}) {
    const Call refused = call(verb, list, container);
    CHECK(refused.code() == 7);
    CHECK_THAT(refused.msg(), Catch::Contains("there is a state file in it"));
  }
  CHECK_FALSE(link_of("net1", pod.path()).is_null());
  const NodePolicyFile policy("dataDirs: [/run, /var/log]\n", "policy.yaml");
  CHECK(call("DEL", list, container).ok());
  CHECK(link_of("net1", pod.path()).is_null());
  fs::remove_all(folder);
}

TEST_CASE("the dataDir of an IPAM, under each of its names, is under the same rule") {
  enter_sandbox();
  const std::string folder = "/var/log/outer";
  for (const char* program : {"railcni", "host-local"}) {
    INFO(program);
    const std::string path = make_folder("bin");
    fs::create_symlink(railcni_binary(), path + "/" + program);
    const Json config = Json::parse(
        R"({"cniVersion": "1.0.0", "name": "n", "type": "bridge", "ipam": {"type": ")" +
        std::string(program) + R"(", "dataDir": ")" + folder + R"(", )" +
        (std::string(program) == "railcni" ? R"("pools": [{"name": "p", "subnet": "10.1.0.0/24"}])"
                                           : R"("subnet": "10.1.0.0/24")") +
        "}}");
    const Runtime runtime(path);
    const Container container{.id = "c1", .netns = "/proc/self/ns/net", .ifname = "eth0"};
    const Call add =
        exec_plugin(path + "/" + program, runtime.environment("ADD", container), config.dump());
    INFO(add.describe());
    CHECK(add.code() == 7);
    CHECK_THAT(add.msg(), Catch::Contains("dataDir"));
    CHECK(exec_plugin(path + "/" + program, runtime.environment("DEL", container), config.dump())
              .ok());
  }
  CHECK_FALSE(fs::exists(folder));
}
