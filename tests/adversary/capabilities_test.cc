// What a verb keeps of root's powers, seen while it waits for the store.
#include "railcni/capabilities.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>

#include "railcni/store.h"
#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

struct Powers {
  uint64_t permitted = 0;
  uint64_t effective = 0;
};

Powers powers_of(pid_t pid) {
  Powers powers;
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("CapPrm:")) powers.permitted = std::stoull(line.substr(7), nullptr, 16);
    if (line.starts_with("CapEff:")) powers.effective = std::stoull(line.substr(7), nullptr, 16);
  }
  return powers;
}

// The system call that a process is in, or "running".
std::string system_call_of(pid_t pid) {
  std::string number;
  std::ifstream("/proc/" + std::to_string(pid) + "/syscall") >> number;
  return number;
}

}  // namespace

TEST_CASE("a verb keeps what it needs of root's powers, and no more") {
  using namespace capability;
  enter_sandbox();
  const Rail rail("rail0");
  const Pod pod("pod");
  const std::string dir = make_folder("powers");
  const Runtime runtime;
  const Container container{.id = "c1", .netns = pod.path()};
  Json link = macvlan_list(dir, "rail0", pool_v4());
  Json ipam = make_conflist(
      "1.1.0", "net",
      {Json::object({{"type", "bridge"},
                     {"ipam", Json::object({{"type", "railcni"},
                                            {"dataDir", dir},
                                            {"pools", Json::array({pool_v4()})}})}})});
  struct Case {
    const char* verb;
    const Json& list;
    uint64_t permitted;
    uint64_t effective;
  };
  const Case cases[] = {{"ADD", link, kAll, kAll},     {"DEL", link, kUndo, kUndo},
                        {"GC", link, kUndo, kUndo},    {"STATUS", link, kNone, kNone},
                        {"ADD", ipam, kUndo, kNone},   {"DEL", ipam, kNone, kNone},
                        {"STATUS", ipam, kNone, kNone}};
  for (const Case& one : cases) {
    INFO(one.verb << " " << one.list.dump());
    // Somebody is in a transaction all the time.
    int ready[2];
    REQUIRE(pipe2(ready, O_CLOEXEC) == 0);
    const pid_t writer = fork();
    if (writer == 0) {
      Store::open(Store::File::kState, StorePaths::from_data_dir(dir), Store::Mode::kCreate)
          ->write([&ready](Txn&) {
            if (write(ready[1], "1", 1) == 1) pause();
          });
      _exit(1);
    }
    char byte = 0;
    REQUIRE(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    close(ready[1]);
    Json config = Runtime::plugin_config(one.list, 0, container, nullptr);
    config["cni.dev/valid-attachments"] = Json::array();
    const Child child({.argv = {railcni_binary()},
                       .env = runtime.environment(one.verb, container),
                       .stdin_text = config.dump()});
    // It waits in nanosleep(2) for the store, and for nothing else.
    const std::string nanosleep = std::to_string(SYS_clock_nanosleep);
    while (system_call_of(child.pid()) != nanosleep) usleep(1000);
    const Powers powers = powers_of(child.pid());
    CHECK(powers.permitted == one.permitted);
    CHECK(powers.effective == one.effective);
    kill(writer, SIGKILL);
    waitpid(writer, nullptr, 0);
  }
}

TEST_CASE("VERSION keeps none of root's powers") {
  enter_sandbox();
  // Its stdout is a pipe that is full, so that it waits.
  int full[2];
  REQUIRE(pipe2(full, O_CLOEXEC | O_NONBLOCK) == 0);
  while (write(full[1], "x", 1) == 1) {
  }
  REQUIRE(fcntl(full[1], F_SETFL, 0) == 0);
  const Child child(
      {.argv = {railcni_binary()},
       .env = {"CNI_COMMAND=VERSION"},
       .stdout_path = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(full[1])});
  while (system_call_of(child.pid()) != std::to_string(SYS_write)) usleep(1000);
  const Powers powers = powers_of(child.pid());
  CHECK(powers.permitted == 0);
  CHECK(powers.effective == 0);
  close(full[0]);
  close(full[1]);
}
