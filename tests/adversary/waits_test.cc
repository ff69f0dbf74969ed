// A process that was stopped, or that waits for a slow disk, in the middle of its work: the others
// wait for it for a while, and then say for whom.
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <functional>
#include <optional>

#include "railcni/attachment.h"
#include "railcni/delegate.h"
#include "railcni/error.h"
#include "railcni/lock.h"
#include "railcni/store.h"
#include "tests/netns/plugin_names.h"
#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

// A process that runs `work`, stops itself in there, and is killed when the test ends.
class Stopped {
 public:
  explicit Stopped(const std::function<void()>& work) : pid_(fork()) {
    if (pid_ == 0) {
      try {
        work();
      } catch (...) {
      }
      _exit(1);
    }
    int status = 0;
    REQUIRE(waitpid(pid_, &status, WUNTRACED) == pid_);
    REQUIRE(WIFSTOPPED(status));
  }
  ~Stopped() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;

  void go_on() const { kill(pid_, SIGCONT); }
  std::string named() const { return "process " + std::to_string(pid_) + " (adversary, stopped)"; }

 private:
  pid_t pid_;
};

struct World {
  World() {
    const Call add = runtime.add(list, first);
    INFO(add.describe());
    REQUIRE(add.ok());
  }

  Rail rail{"rail0"};
  Pod one{"pod"};
  Pod two{"pod"};
  std::string dir = make_folder("waits");
  StorePaths paths = StorePaths::from_data_dir(dir);
  Runtime runtime;
  Json list = macvlan_list(dir, "rail0", pool_v4());
  Container first{.id = "c1", .netns = one.path()};
  Container second{.id = "c2", .netns = two.path()};
};

bool has_open(pid_t pid, const std::string& name) {
  std::error_code gone;
  const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
  for (const auto& fd : std::filesystem::directory_iterator(folder, gone)) {
    if (std::filesystem::read_symlink(fd, gone).string().ends_with(name)) return true;
  }
  return false;
}

void require_refused(const Call& call, const Stopped& process, int64_t code = 11) {
  INFO(call.describe());
  CHECK_FALSE(call.ok());
  CHECK_FALSE(call.process.timed_out);
  CHECK(call.code() == code);
  CHECK_THAT(call.msg(), Catch::Contains(process.named()));
}

}  // namespace

TEST_CASE("a process that is stopped in a transaction does not stop the node") {
  enter_sandbox();
  World world;
  const Json inside = snapshot(world.two.path());
  {
    const Stopped writer([&world] {
      Store::open(Store::File::kState, world.paths, Store::Mode::kCreate)->write([](Txn&) {
        raise(SIGSTOP);
      });
    });
    require_refused(world.runtime.add(world.list, world.second), writer);
    // The specification's code for "not available".
    require_refused(world.runtime.status(world.list), writer, 50);
    require_refused(world.runtime.del(world.list, world.first), writer);
  }
  CHECK(changes_since(inside, world.two.path()) == "");
  const Call add = world.runtime.add(world.list, world.second);
  INFO(add.describe());
  CHECK(add.ok());
  CHECK(world.runtime.del(world.list, world.first).ok());
  CHECK(world.runtime.del(world.list, world.second).ok());
  CHECK(leased(world.dir).empty());
}

TEST_CASE("who waits for a stopped process goes on when that does") {
  enter_sandbox();
  World world;
  const Stopped writer([&world] {
    Store::open(Store::File::kState, world.paths, Store::Mode::kCreate)->write([](Txn&) {
      raise(SIGSTOP);
    });
  });
  Child add({.argv = {railcni_binary()},
             .env = world.runtime.environment("ADD", world.second),
             .stdin_text = Runtime::plugin_config(world.list, 0, world.second, nullptr).dump()});
  while (!has_open(add.pid(), "/state.mdb")) usleep(1000);
  writer.go_on();
  const Outcome outcome = add.wait();
  INFO(outcome.describe());
  CHECK(outcome.ok());
}

TEST_CASE("a plugin that hangs is killed in the end") {
  enter_sandbox();
  const std::string folder = make_folder("hangs");
  put_script(folder, "hangs", "exec sleep 1000");
  DelegateCall call;
  call.command = "ADD";
  call.type = "hangs";
  call.path = folder;
  call.config = Json::object();
  call.timeout = std::chrono::milliseconds(200);
  try {
    run_delegate(call);
    FAIL("it has answered");
  } catch (const Error& error) {
    CHECK(error.code() == Code::kTryAgainLater);
    CHECK_THAT(error.msg(), Catch::Contains("hangs") && Catch::Contains("200 ms"));
  }
}

TEST_CASE("a plugin that hangs at another Pod's DEL does not hold up who needs its address") {
  enter_sandbox();
  const Rail rail("rail0");
  std::optional<Pod> gone(std::in_place);
  const std::string dir = make_folder("hangs");
  const std::string folder = make_folder("bin");
  REQUIRE(symlink(railcni_binary().c_str(), (folder + "/railcni").c_str()) == 0);
  put_script(folder, "hangs",
             "[ $CNI_COMMAND = ADD ] || exec sleep 1000\n"
             "echo '{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.9.0.9/24\"}]}'");
  const Json list =
      make_conflist("1.0.0", "net",
                    {Json::object({{"type", "railcni"},
                                   {"cniType", "macvlan"},
                                   {"dataDir", dir},
                                   {"macvlan", Json::object({{"master", Json::array({"rail0"})}})},
                                   {"ipam", Json::object({{"type", "hangs"}})}})});
  Runtime runtime(folder);
  const Call add = runtime.add(list, {.id = "c1", .netns = gone->path()});
  INFO(add.describe());
  REQUIRE(add.ok());
  gone.reset();
  const auto start = std::chrono::steady_clock::now();
  const Outcome gc = run({.argv = {railcni_binary(), "gc", "--data-dir", dir},
                          .env = {"CNI_PATH=" + folder, "PATH=/usr/bin:/bin"}});
  INFO(gc.describe());
  CHECK(gc.exit_code == 1);
  CHECK_THAT(gc.err, Catch::Contains("\"hangs\"") && Catch::Contains("was killed"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));
}

TEST_CASE("a process that is stopped with a lock held is named, others work on") {
  enter_sandbox();
  World world;
  const AttachmentKey key{"net", "c1", "net1"};
  const Stopped holder([&] {
    const NamedLock lock =
        NamedLock::acquire(world.paths, key.to_string(), std::chrono::seconds(1));
    raise(SIGSTOP);
  });
  CHECK(world.runtime.add(world.list, world.second).ok());
  CHECK(world.runtime.del(world.list, world.second).ok());
  CHECK(world.runtime.status(world.list).ok());
  const Error error = [&] {
    try {
      NamedLock::acquire(world.paths, key.to_string(), std::chrono::milliseconds(50));
    } catch (const Error& refusal) {
      return refusal;
    }
    return Error(Code::kKernel, "no error");
  }();
  CHECK(error.code() == Code::kTryAgainLater);
  CHECK_THAT(error.msg(), Catch::Contains(holder.named()));
}
