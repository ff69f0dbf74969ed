// How often an operation moves interfaces between namespaces: a move waits for every CPU (RCU),
// several milliseconds each on a busy node, with the lock of all network configuration held.
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "railcni/fd.h"
#include "tests/vm/machine.h"
#include "tests/vm/sriov_world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

constexpr const char* kTracing = "/sys/kernel/tracing";

void write_to(const std::string& file, const std::string& text) {
  const std::string path = std::string(kTracing) + "/" + file;
  const Fd fd(open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (!fd || write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw std::runtime_error("cannot write \"" + text + "\" to " + path + ": " + strerror(errno));
  }
}

// Counts, with a trace event of its own, the kernel's calls of the one function that all moves of
// an interface go through, by program.
class MoveCounter {
 public:
  MoveCounter() {
    mounted_ = mount("trace", kTracing, "tracefs", 0, nullptr) == 0;
    if (!mounted_ && errno != EBUSY) {
      throw std::runtime_error(std::string(kTracing) + ": " + strerror(errno));
    }
    write_to("kprobe_events", "p:railcni/netns_move __dev_change_net_namespace\n");
    write_to("events/railcni/netns_move/enable", "1");
  }
  MoveCounter(const MoveCounter&) = delete;
  MoveCounter& operator=(const MoveCounter&) = delete;
  ~MoveCounter() {
    write_to("events/railcni/netns_move/enable", "0");
    write_to("kprobe_events", "-:railcni/netns_move\n");
    if (mounted_) umount(kTracing);
  }

  // Of processes of that name, since the last call.
  int take(const std::string& program) {
    std::ifstream in(std::string(kTracing) + "/trace");
    int count = 0;
    for (std::string line; std::getline(in, line);) {
      const bool ours = line.find(program + "-") != std::string::npos;
      if (ours && line.find("netns_move:") != std::string::npos) ++count;
    }
    // Opening it for writing empties it.
    std::ofstream(std::string(kTracing) + "/trace", std::ios::trunc);
    return count;
  }

 private:
  bool mounted_ = false;
};

}  // namespace

TEST_CASE("an ADD and a DEL of a VF move its interface once each", "[ethernet]") {
  Machine machine;
  const std::vector<std::string> vfs = vfs_of("rail1");
  const Json before = machine_snapshot();
  Pod pod;
  Runtime runtime;
  const Container container{.id = "moved", .netns = pod.path()};
  const Json list =
      with_device(sriov_list(make_folder("moves"), Json::parse(R"({"mac": "02:00:00:00:0a:09",
          "mtu": 1400, "vlanID": 12, "trust": "on"})")),
                  vfs.at(2));
  MoveCounter counter;
  // The counter sees what others do: `ip` makes a link in one namespace and moves it there and
  // back.
  const std::string netdev = netdev_of(vfs.at(3));
  ip("link set " + netdev + " netns " + pod.path());
  ip("link set " + netdev + " netns 1", pod.path());
  CHECK(counter.take("ip") == 2);

  const Call added = runtime.add(list, container);
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(counter.take("railcni") == 1);
  const Call deleted = runtime.del(list, container);
  INFO(deleted.describe());
  REQUIRE(deleted.ok());
  CHECK(counter.take("railcni") == 1);
  CHECK(machine_changes_since(before) == "");
}
