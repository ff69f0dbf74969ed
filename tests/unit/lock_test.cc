#include "railcni/lock.h"

#include <signal.h>

#include "temp_store.h"

namespace railcni {
namespace {

using namespace std::chrono_literals;
using test::error_of;
using test::in_child;
using test::TempDir;
using test::wait_for;

TEST_CASE("a name is locked once, other names are free", "[lock]") {
  TempDir dir;
  auto held = NamedLock::try_acquire(dir.paths(), "table 7");
  REQUIRE(held);
  // Another open file description is another holder, in this process as in others.
  CHECK_FALSE(NamedLock::try_acquire(dir.paths(), "table 7"));
  CHECK(NamedLock::try_acquire(dir.paths(), "table 8"));
  auto start = std::chrono::steady_clock::now();
  Error error = error_of([&] { NamedLock::acquire(dir.paths(), "table 7", 30ms); });
  CHECK(std::chrono::steady_clock::now() - start >= 30ms);
  CHECK(error.code() == Code::kTryAgainLater);
  CHECK_THAT(error.msg(), Catch::Contains("table 7"));
  held.reset();
  CHECK(NamedLock::try_acquire(dir.paths(), "table 7"));
}

TEST_CASE("a lock dies with its holder", "[lock]") {
  TempDir dir;
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  pid_t pid = in_child([&] {
    auto lock = NamedLock::acquire(dir.paths(), "x", 1s);
    if (write(ready[1], "1", 1) != 1) return 1;
    pause();
    return 0;
  });
  char byte;
  REQUIRE(read(ready[0], &byte, 1) == 1);
  CHECK_FALSE(NamedLock::try_acquire(dir.paths(), "x"));
  kill(pid, SIGKILL);
  CHECK_NOTHROW(NamedLock::acquire(dir.paths(), "x", 5s));
  wait_for(pid);
  close(ready[0]);
  close(ready[1]);
}

TEST_CASE("locked sections of processes do not overlap", "[lock]") {
  TempDir dir;
  std::string counter = dir.path() + "/counter";
  test::write_file(counter, "0");
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    children.push_back(in_child([&] {
      for (int n = 0; n < 50; ++n) {
        auto lock = NamedLock::acquire(dir.paths(), "counter", 20s);
        int value = std::stoi(test::read_file(counter));
        test::write_file(counter, std::to_string(value + 1));
      }
      return 0;
    }));
  }
  for (pid_t pid : children) CHECK(wait_for(pid) == 0);
  CHECK(test::read_file(counter) == "400");
}

TEST_CASE("a lock file that cannot be made is an error with its path", "[lock]") {
  TempDir dir;
  test::write_file(dir.path() + "/file", "");
  StorePaths paths{dir.path() + "/file/below", dir.path()};
  Error error = error_of([&] { NamedLock::try_acquire(paths, "x"); });
  CHECK(error.code() == Code::kIoFailure);
  CHECK_THAT(error.msg(), Catch::Contains(dir.path()));
}

}  // namespace
}  // namespace railcni
