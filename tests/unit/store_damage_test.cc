#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>

#include <random>

#include "railcni/json.h"
#include "railcni/lock.h"
#include "src/store/fault.h"
#include "temp_store.h"

namespace railcni {
namespace {

using test::count_keys;
using test::error_of;
using test::fill;
using test::open_state;
using test::read_file;
using test::state_path;
using test::TempDir;
using test::write_file;

// Changes a railcni store's raw file with LMDB itself.
void with_lmdb(const std::string& path, const std::function<void(MDB_txn*, MDB_dbi)>& work) {
  MDB_env* env = nullptr;
  MDB_txn* txn = nullptr;
  MDB_dbi dbi = 0;
  REQUIRE(mdb_env_create(&env) == 0);
  REQUIRE(mdb_env_open(env, path.c_str(), MDB_NOSUBDIR, 0600) == 0);
  REQUIRE(mdb_txn_begin(env, nullptr, 0, &txn) == 0);
  REQUIRE(mdb_dbi_open(txn, nullptr, 0, &dbi) == 0);
  work(txn, dbi);
  REQUIRE(mdb_txn_commit(txn) == 0);
  mdb_env_close(env);
}

void raw_put(const std::string& path, std::string key, std::string value) {
  with_lmdb(path, [&](MDB_txn* txn, MDB_dbi dbi) {
    MDB_val k{key.size(), key.data()};
    MDB_val v{value.size(), value.data()};
    REQUIRE(mdb_put(txn, dbi, &k, &v, 0) == 0);
  });
}

Error open_error(const TempDir& dir, Store::File file = Store::File::kState) {
  return error_of(
      [&] { Store::open(file, dir.paths(), Store::Mode::kExisting)->read([](const Txn&) {}); });
}

TEST_CASE("foreign and newer files are refused", "[store]") {
  TempDir dir;
  std::string path = state_path(dir);
  SECTION("not LMDB") {
    write_file(path, std::string(20000, 'x'));
    Error error = open_error(dir);
    CHECK(error.code() == Code::kStoreDamaged);
    CHECK_THAT(error.msg(), Catch::Contains(path + " is not a railcni store"));
    CHECK(read_file(path) == std::string(20000, 'x'));
  }
  SECTION("a few bytes") {
    write_file(path, "hello");
    CHECK(open_error(dir).code() == Code::kStoreDamaged);
  }
  SECTION("somebody else's LMDB file") {
    raw_put(path, "their key", "their value");
    Error error = open_error(dir);
    CHECK(error.code() == Code::kStoreDamaged);
    CHECK(error.msg() == path + " is not a railcni store");
    const std::string theirs = read_file(path);
    const auto store = open_state(dir);
    error = error_of([&] { store->write([](Txn& txn) { txn.put("X", "ours"); }); });
    CHECK(error.msg() == path + " is not a railcni store");
    CHECK(read_file(path) == theirs);
  }
  SECTION("their key is ours, their value is not") {
    raw_put(path, "M", "something");
    CHECK(open_error(dir).msg() == path + " is not a railcni store");
  }
  SECTION("a newer schema") {
    open_state(dir);
    raw_put(path, "M", "railcni state 7");
    Error error = open_error(dir);
    CHECK(error.code() == Code::kStoreDamaged);
    CHECK_THAT(error.msg(),
               Catch::Contains("schema version 7") && Catch::Contains("knows version 3"));
  }
  SECTION("the pools file in the state's place") {
    Store::open(Store::File::kPools, dir.paths(), Store::Mode::kCreate)->write([](Txn&) {});
    std::filesystem::copy_file(dir.path() + "/pools.mdb", path);
    CHECK_THAT(open_error(dir).msg(), Catch::Contains("of this kind (railcni pools 2)"));
  }
  SECTION("a folder") {
    std::filesystem::create_directory(path);
    CHECK_THAT(open_error(dir).msg(), Catch::Contains("not a regular file"));
  }
  SECTION("an empty file") {
    write_file(path, "");
    const Error error = open_error(dir);
    CHECK(error.code() == Code::kStoreDamaged);
    CHECK_THAT(error.msg(), Catch::Contains(path) && Catch::Contains("it is empty"));
    CHECK(read_file(path).empty());
  }
  SECTION("an LMDB file without keys") {
    with_lmdb(path, [](MDB_txn*, MDB_dbi) {});
    CHECK(open_error(dir).msg() == path + " is not a railcni store");
  }
  SECTION("what a maker who died has left is made anew") {
    write_file(path + ".new", "half");
    fill(*open_state(dir), 3, 10);
    CHECK(count_keys(*open_state(dir)) == 3);
    CHECK_FALSE(std::filesystem::exists(path + ".new"));
  }
}

TEST_CASE("a store of the schema before is taken over, once nobody of that version has it open") {
  TempDir dir;
  const std::string path = state_path(dir);
  fill(*open_state(dir), 3, 10);
  raw_put(path, "M", "railcni state 2");
  // What LMDB holds while it has a file open.
  const std::string lock_path = path + "-lock";
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t older = test::in_child([&] {
    const int fd = open(lock_path.c_str(), O_RDWR | O_CREAT, 0600);
    struct flock lock {};
    lock.l_type = F_RDLCK;
    lock.l_len = 1;
    if (fd < 0 || fcntl(fd, F_SETLK, &lock) != 0 || write(ready[1], "1", 1) != 1) return 1;
    pause();
    return 0;
  });
  char byte;
  REQUIRE(read(ready[0], &byte, 1) == 1);
  {
    const ShortWaits no_patience;
    const Error error = open_error(dir);
    CHECK(error.code() == Code::kTryAgainLater);
    CHECK_THAT(error.msg(), Catch::Contains("older railcni") &&
                                Catch::Contains("process " + std::to_string(older)));
  }
  kill(older, SIGKILL);
  test::wait_for(older);
  close(ready[0]);
  close(ready[1]);
  SECTION("by a reader") {
    const auto store = Store::open(Store::File::kState, dir.paths(), Store::Mode::kRead);
    CHECK(count_keys(*store) == 3);
  }
  SECTION("by a writer") {
    fill(*open_state(dir), 1, 10, 3);
    CHECK(count_keys(*open_state(dir)) == 4);
  }
  CHECK_FALSE(std::filesystem::exists(lock_path));
}

TEST_CASE("a truncated file is refused before it is read", "[store]") {
  TempDir dir;
  fill(*open_state(dir), 2000, 100);
  std::string path = state_path(dir);
  for (off_t size : {off_t{100}, off_t{4096}, off_t{8192}, off_t{20000}, off_t{100000}}) {
    CAPTURE(size);
    REQUIRE(truncate(path.c_str(), size) == 0);
    Error error = open_error(dir);
    CHECK(error.code() == Code::kStoreDamaged);
    CHECK_THAT(error.msg(), Catch::Contains(path));
    CHECK_FALSE(error.details().empty());
  }
}

TEST_CASE("a page that was given back unwritten does not look like a truncation", "[store]") {
  std::mt19937 random(1);
  for (int round = 0; round < 30; ++round) {
    TempDir dir;
    auto store = open_state(dir);
    for (int i = 0; i < 5; ++i) {
      const size_t size = random() % 1900 + 1;
      const auto count = random() % 50 + 1;
      store->write([&](Txn& txn) {
        for (size_t n = 0; n < count; ++n) {
          txn.put("T" + std::to_string(random() % 100), std::string(size, 't'));
        }
        for (int n = 0; n < 100; ++n) {
          if (random() % 10 < 9) txn.erase("T" + std::to_string(n));
        }
      });
      store.reset();
      // In one of four transactions the last page is one that LMDB never wrote.
      REQUIRE_NOTHROW(store = open_state(dir));
    }
  }
}

// Everything that can be done with a store, as a process of its own does it.
int use_everything(const TempDir& dir) {
  try {
    auto store = Store::open(Store::File::kState, dir.paths(), Store::Mode::kExisting);
    uint64_t sum = 0;
    store->read([&](const Txn& txn) {
      txn.scan("", "", [&](std::string_view key, std::string_view value) {
        for (char c : key) sum += static_cast<uint8_t>(c);
        for (char c : value) sum += static_cast<uint8_t>(c);
        return true;
      });
    });
    store->write([&](Txn& txn) {
      for (int i = 0; i < 300; i += 7) txn.put("X" + std::to_string(i), std::string(120, 'n'));
      for (int i = 0; i < 300; i += 5) txn.erase("X" + std::to_string(i));
      txn.put("Xsum", std::to_string(sum));
    });
    return 0;
  } catch (const Error& error) {
    dprintf(STDOUT_FILENO, "{\"code\":%u}\n", static_cast<unsigned>(error.code()));
    return 1;
  }
}

TEST_CASE("flipped bytes never crash: a result, or one error document", "[store]") {
  TempDir dir;
  fill(*open_state(dir), 400, 100);
  std::string path = state_path(dir);
  REQUIRE(truncate(path.c_str(), 0x20000) == 0);  // without the hole behind the data
  const std::string good = read_file(path);
  std::mt19937 random(5);
  int faults = 0;
  for (int round = 0; round < 300; ++round) {
    std::string bad = good;
    int flips = 1 + static_cast<int>(random() % 30);
    // Mostly in the pages' headers and node tables, where it hurts.
    for (int i = 0; i < flips; ++i) {
      size_t page = random() % 20;
      size_t at = page * 4096 + (random() % 2 == 0 ? random() % 64 : random() % 4096);
      if (at < bad.size()) bad[at] = static_cast<char>(random());
    }
    write_file(path, bad);
    alarm(30);
    test::ChildResult result = test::run_child(STDOUT_FILENO, [&] {
      close(STDERR_FILENO);
      alarm(5);
      return use_everything(dir);
    });
    alarm(0);
    CAPTURE(round, result.output, result.status);
    REQUIRE(WIFEXITED(result.status));
    if (WEXITSTATUS(result.status) == 0) continue;
    REQUIRE(WEXITSTATUS(result.status) == 1);
    REQUIRE(Json::parse(result.output).at("code").is_integer());
    if (result.output.find("cannot be read") != std::string::npos) ++faults;
  }
  INFO("faults caught: " << faults);
  CHECK(faults > 0);
}

TEST_CASE("a page that is not there is one error, in the style that was asked for", "[store]") {
  TempDir dir;
  fill(*open_state(dir), 4000, 100);
  auto lose_pages = [&] {
    auto store = Store::open(Store::File::kState, dir.paths(), Store::Mode::kExisting);
    int sum = 0;
    store->read([&](const Txn& txn) {
      if (truncate(store->path().c_str(), 8192) != 0) _exit(50);
      txn.scan("X", "", [&](std::string_view, std::string_view value) {
        return ++sum > 0 && !value.empty();
      });
    });
    return 0;
  };
  std::string copy = read_file(state_path(dir));
  auto json = test::run_child(STDOUT_FILENO, lose_pages);
  REQUIRE(WIFEXITED(json.status));
  CHECK(WEXITSTATUS(json.status) == 1);
  Json document = Json::parse(json.output);
  CHECK(document.at("code").as_int() == 102);
  CHECK(document.at("cniVersion").as_string() == "1.1.0");
  CHECK_THAT(document.at("msg").as_string(), Catch::Contains(state_path(dir)));

  write_file(state_path(dir), copy);
  auto text = test::run_child(STDERR_FILENO, [&] {
    set_store_fault_style(StoreFaultStyle::kPlainText);
    return lose_pages();
  });
  CHECK(WEXITSTATUS(text.status) == 1);
  CHECK_THAT(text.output, Catch::StartsWith("railcni: the store " + state_path(dir)));

  // Any name of a folder makes a document that can be read.
  const std::string quotes = std::string(300, '"') + "\n" + std::string(300, '\\');
  const auto die = [&quotes] {
    const FaultScope scope(quotes);
    die_of_store_fault();
    return 0;
  };
  json = test::run_child(STDOUT_FILENO, die);
  CHECK(Json::parse(json.output).at("msg").as_string() ==
        std::string(300, '"') + "?" + std::string(300, '\\'));
  text = test::run_child(STDERR_FILENO, [&] {
    set_store_fault_style(StoreFaultStyle::kPlainText);
    return die();
  });
  CHECK(text.output == "railcni: " + quotes + "\n");

  // A fault that has nothing to do with the store stays a crash.
  auto own_bug = test::run_child(STDERR_FILENO, [&] {
    signal(SIGSEGV, SIG_DFL);
    FaultGuard guard;
    // The first one puts the old action back; a real fault then happens again by itself.
    raise(SIGSEGV);
    raise(SIGSEGV);
    return 0;
  });
  CHECK(WIFSIGNALED(own_bug.status));
}

TEST_CASE("a crash after the store was used is one error, too", "[store]") {
  TempDir dir;
  auto crash = test::run_child(STDOUT_FILENO, [&] {
    const auto store = open_state(dir);
    raise(SIGABRT);
    return 0;
  });
  REQUIRE(WIFEXITED(crash.status));
  CHECK(WEXITSTATUS(crash.status) == 1);
  CHECK_THAT(Json::parse(crash.output).at("msg").as_string(),
             Catch::StartsWith("railcni crashed") && Catch::Contains(state_path(dir)));
  // Also where there is no stack left for the handler.
  auto deep = test::run_child(STDOUT_FILENO, [&] {
    const auto store = open_state(dir);
    std::function<int(int)> recurse = [&](int depth) {
      volatile char frame[4096] = {};
      return recurse(depth + 1) + frame[depth % 4096];
    };
    return recurse(0);
  });
  REQUIRE(WIFEXITED(deep.status));
  CHECK(WEXITSTATUS(deep.status) == 1);
}

}  // namespace
}  // namespace railcni
