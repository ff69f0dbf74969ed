#include "railcni/store.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <random>

#include "src/store/files.h"
#include "temp_store.h"

namespace railcni {
namespace {

using test::count_keys;
using test::error_of;
using test::fill;
using test::in_child;
using test::open_state;
using test::TempDir;
using test::wait_for;
using test::write_file;

TEST_CASE("an ordered map with transactions", "[store]") {
  TempDir dir;
  auto store = open_state(dir);
  store->write([](Txn& txn) {
    txn.put("Xb", "2");
    txn.put("Xa", "1");
    txn.put("Xc", "");
    txn.put("Y", "other");
    CHECK(txn.erase("Xb"));
    CHECK_FALSE(txn.erase("Xb"));
    txn.put("Xd", "4");
  });
  store->read([](const Txn& txn) {
    CHECK(txn.get("Xa") == "1");
    CHECK(txn.get("Xc") == "");
    CHECK_FALSE(txn.get("Xb"));
    std::string keys;
    auto collect = [&](std::string_view key, std::string_view) {
      keys += key;
      return true;
    };
    txn.scan("X", "", collect);
    CHECK(keys == "XaXcXd");
    keys.clear();
    txn.scan("X", "Xb", collect);
    CHECK(keys == "XcXd");
    keys.clear();
    txn.scan("X", "", [&](std::string_view key, std::string_view) {
      keys += key;
      return false;
    });
    CHECK(keys == "Xa");
    CHECK_THROWS_AS(const_cast<Txn&>(txn).put("X", "no"), Error);
  });
  // What throws leaves nothing.
  CHECK_THROWS_AS(store->write([](Txn& txn) {
    txn.put("Xz", "lost");
    throw std::runtime_error("stop");
  }),
                  std::runtime_error);
  store->read([](const Txn& txn) { CHECK_FALSE(txn.get("Xz")); });
  CHECK(error_of([&] { store->write([](Txn& txn) { txn.put("", "x"); }); }).code() ==
        Code::kIoFailure);
  CHECK_THROWS_AS(store->write([](Txn& txn) { txn.put(std::string(512, 'k'), "x"); }), Error);
  CHECK_NOTHROW(store->write([](Txn& txn) { txn.put(std::string(511, 'k'), "x"); }));
}

TEST_CASE("files, folders and their modes", "[store]") {
  TempDir dir;
  StorePaths paths = StorePaths::from_data_dir(dir.path() + "/a/b");
  CHECK(Store::open(Store::File::kState, paths, Store::Mode::kExisting) == nullptr);
  CHECK_FALSE(std::filesystem::exists(dir.path() + "/a"));
  auto state = Store::open(Store::File::kState, paths, Store::Mode::kCreate);
  auto pools = Store::open(Store::File::kPools, paths, Store::Mode::kCreate);
  // Of a disk's; store_disk_test.cc has one in memory.
  const std::string boot = is_in_memory(dir.path()) ? "" : "-" + boot_name();
  CHECK(state->path() == dir.path() + "/a/b/state" + boot + ".mdb");
  CHECK(pools->path() == dir.path() + "/a/b/pools.mdb");
  struct stat info;
  REQUIRE(stat((dir.path() + "/a/b").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0700);
  for (const std::string& path : {state->path(), pools->path()}) {
    REQUIRE(stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0600);
  }
  CHECK(error_of([&] { Store::open(Store::File::kState, paths, Store::Mode::kExisting); }).msg() ==
        "the store " + state->path() + " is open in this process already");
  state.reset();
  CHECK(Store::open(Store::File::kState, paths, Store::Mode::kExisting) != nullptr);

  CHECK(StorePaths::from_data_dir("").state_dir == "/run/railcni");
  CHECK(StorePaths::from_data_dir("").pools_dir == "/var/lib/railcni");
  CHECK(error_of([] { StorePaths::from_data_dir("run"); }).code() == Code::kInvalidConfig);
}

TEST_CASE("state of other boots is removed, other files are not", "[store]") {
  TempDir dir;
  for (const char* name : {"state-00000000.mdb", "state-00000000.mdb-lock", "state-noboot.mdb",
                           "state-xyz.mdb", "notes.txt", "state-00000000.mdb.bak"}) {
    write_file(dir.path() + "/" + name, "old");
  }
  open_state(dir);
  auto exists = [&](const std::string& name) {
    return std::filesystem::exists(dir.path() + "/" + name);
  };
  CHECK_FALSE(exists("state-00000000.mdb"));
  CHECK_FALSE(exists("state-00000000.mdb-lock"));
  CHECK(exists("state-noboot.mdb"));
  CHECK(exists("state-xyz.mdb"));
  CHECK(exists("notes.txt"));
  CHECK(exists("state-00000000.mdb.bak"));
}

TEST_CASE("a full map grows, and the work runs again", "[store]") {
  TempDir dir;
  {
    auto store =
        open_store(Store::File::kState, dir.paths(), Store::Mode::kCreate, size_t{64} << 10);
    int runs = 0;
    store->write([&](Txn& txn) {
      ++runs;
      for (int i = 0; i < 2000; ++i) txn.put("X" + std::to_string(i), std::string(300, 'v'));
    });
    CHECK(runs > 3);
    CHECK(count_keys(*store) == 2000);
    // Work that takes the full map for an error of its own and goes on is not committed in part.
    store->write([](Txn& txn) {
      for (int i = 0; i < 5000; ++i) {
        try {
          txn.put("Y" + std::to_string(i), std::string(300, 'v'));
        } catch (...) {
        }
      }
    });
    CHECK(count_keys(*store, "Y") == 5000);
  }
  auto store = open_state(dir);
  CHECK(count_keys(*store) == 2000);
  fill(*store, 10, 10, 5000);
}

TEST_CASE("a map that another process grew is followed", "[store]") {
  TempDir dir;
  auto store = open_store(Store::File::kState, dir.paths(), Store::Mode::kCreate, size_t{64} << 10);
  fill(*store, 10, 100);
  store.reset();
  int go[2];
  int done[2];
  REQUIRE(pipe(go) == 0);
  REQUIRE(pipe(done) == 0);
  pid_t pid = in_child([&] {
    auto own = Store::open(Store::File::kState, dir.paths(), Store::Mode::kExisting);
    char byte = 0;
    if (write(done[1], "1", 1) != 1 || read(go[0], &byte, 1) != 1) return 1;
    // The map of this process still has its old size.
    if (count_keys(*own) != 3010) return 2;
    fill(*own, 1, 100, 9000);
    return count_keys(*own) == 3011 ? 0 : 3;
  });
  char byte;
  REQUIRE(read(done[0], &byte, 1) == 1);
  store = open_state(dir);
  fill(*store, 3000, 300, 10);
  REQUIRE(write(go[1], "1", 1) == 1);
  CHECK(wait_for(pid) == 0);
  CHECK(count_keys(*store) == 3011);
  for (int fd : {go[0], go[1], done[0], done[1]}) close(fd);
}

TEST_CASE("a writer that is killed in its transaction leaves nothing and blocks nobody",
          "[store]") {
  TempDir dir;
  fill(*open_state(dir), 10, 10);
  for (int round = 0; round < 20; ++round) {
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    pid_t pid = in_child([&] {
      auto store = open_state(dir);
      store->write([&](Txn& txn) {
        for (int i = 100; i < 2000; ++i) txn.put("X" + std::to_string(i), std::string(200, 'x'));
        if (write(ready[1], "1", 1) != 1) _exit(1);
        pause();
      });
      return 0;
    });
    char byte;
    REQUIRE(read(ready[0], &byte, 1) == 1);
    // A writer that waits for the lock gets it when its holder dies.
    pid_t waiter = in_child([&] {
      fill(*open_state(dir), 1, 10, 5000 + round);
      return 0;
    });
    usleep(2000);
    kill(pid, SIGKILL);
    wait_for(pid);
    CHECK(wait_for(waiter) == 0);
    close(ready[0]);
    close(ready[1]);
    CHECK(count_keys(*open_state(dir)) == 10 + round + 1);
  }
}

TEST_CASE("writers killed at any moment", "[store]") {
  TempDir dir;
  fill(*open_state(dir), 1, 10);
  std::mt19937 random(9);
  for (int round = 0; round < 40; ++round) {
    pid_t pid = in_child([&] {
      for (int i = 0;; ++i) {
        auto store = open_state(dir);
        // Two keys that always agree.
        store->write([&](Txn& txn) {
          std::string value = std::to_string(getpid()) + ":" + std::to_string(i);
          txn.put("Aone", value);
          txn.put("Ztwo", value);
        });
      }
      return 0;
    });
    usleep(static_cast<useconds_t>(random() % 4000));
    kill(pid, SIGKILL);
    wait_for(pid);
    auto store = open_state(dir);
    store->write([&](Txn& txn) {
      REQUIRE(txn.get("Aone") == txn.get("Ztwo"));
      txn.put("Xround", std::to_string(round));
    });
  }
}

TEST_CASE("folders that cannot be are errors with their path", "[store]") {
  TempDir dir;
  write_file(dir.path() + "/file", "");
  StorePaths paths = StorePaths::from_data_dir(dir.path() + "/file/x");
  CHECK(Store::open(Store::File::kState, paths, Store::Mode::kExisting) == nullptr);
  Error error = error_of([&] { Store::open(Store::File::kState, paths, Store::Mode::kCreate); });
  CHECK(error.code() == Code::kIoFailure);
  CHECK_THAT(error.msg(), Catch::Contains(dir.path() + "/file"));
  paths = StorePaths::from_data_dir(dir.path() + "/" + std::string(300, 'n'));
  CHECK_THAT(error_of([&] { Store::open(Store::File::kState, paths, Store::Mode::kCreate); }).msg(),
             Catch::Contains("File name too long"));
}

TEST_CASE("no descriptor of the store outlives an exec", "[store]") {
  TempDir dir;
  auto store = open_state(dir);
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (!target.starts_with(dir.path())) continue;
    CAPTURE(target);
    CHECK((fcntl(std::stoi(entry.path().filename().string()), F_GETFD) & FD_CLOEXEC) != 0);
  }
}

TEST_CASE("a write inside of a transaction is refused", "[store]") {
  TempDir dir;
  auto store = open_state(dir);
  store->read([&](const Txn&) {
    CHECK_THROWS_AS(store->write([](Txn& txn) { txn.put("X", "x"); }), Error);
    CHECK_NOTHROW(store->read([](const Txn&) {}));
  });
  CHECK_NOTHROW(store->write([](Txn& txn) { txn.put("X", "x"); }));
}

}  // namespace
}  // namespace railcni
