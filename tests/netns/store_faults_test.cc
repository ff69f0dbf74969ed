// A state folder that is read-only, full, damaged, somebody else's or another version's: one clear
// error, nothing left.
#include <fcntl.h>
#include <lmdb.h>
#include <sys/mount.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <random>

#include "tests/netns/world.h"
#include "tests/support/sanitized.h"

using namespace railcni;
using namespace railcni::test;

namespace {

struct World {
  Rail rail{"rail0"};
  Pod pod;
  std::string dir = make_folder("faults");
  Runtime runtime;
  Container container{.id = "c1", .netns = pod.path()};
  Json list = macvlan_list(dir, "rail0", pool_v4());
  Json host = snapshot();
  Json inside = snapshot(pod.path());

  std::string state_file() const {
    for (const auto& entry : std::filesystem::directory_iterator(dir)) {
      const std::string name = entry.path().filename();
      if (name.starts_with("state") && name.ends_with(".mdb")) return entry.path();
    }
    throw std::runtime_error("no state file");
  }

  Container other(int n) const {
    return {
        .id = "c" + std::to_string(n), .netns = pod.path(), .ifname = "eth" + std::to_string(n)};
  }

  void require_refused(int64_t code) {
    const Call call = runtime.add(list, container);
    INFO(call.describe());
    CHECK_FALSE(call.ok());
    CHECK(call.process.signal == 0);
    CHECK(call.code() == code);
    CHECK_THAT(call.msg(), Catch::Contains(dir));
    CHECK(snapshot() == host);
    CHECK(snapshot(pod.path()) == inside);
  }
};

void mount_tmpfs(const std::string& folder, const char* options, unsigned long flags = 0) {
  const std::string all = std::string("mode=700,") + options;
  REQUIRE(::mount("tmpfs", folder.c_str(), "tmpfs", flags, all.c_str()) == 0);
}

void fill_disk(const std::string& folder) {
  const int fd = open((folder + "/other").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  const std::string block(4096, 'x');
  while (write(fd, block.data(), block.size()) > 0) {
  }
  close(fd);
}

std::string bytes_of(const std::string& path, size_t size) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(size, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(size));
  bytes.resize(static_cast<size_t>(file.gcount()));
  return bytes;
}

void put_bytes(const std::string& path, size_t at, const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(at));
  file << bytes;
}

// Changes the value of a key in the file, beside railcni; `change` gets what it is.
void change_value(const std::string& file, const std::string& key_prefix,
                  const std::function<std::string(const std::string&)>& change) {
  MDB_env* env = nullptr;
  MDB_txn* txn = nullptr;
  MDB_dbi dbi = 0;
  MDB_cursor* cursor = nullptr;
  REQUIRE(mdb_env_create(&env) == 0);
  REQUIRE(mdb_env_open(env, file.c_str(), MDB_NOSUBDIR, 0600) == 0);
  REQUIRE(mdb_txn_begin(env, nullptr, 0, &txn) == 0);
  REQUIRE(mdb_dbi_open(txn, nullptr, 0, &dbi) == 0);
  REQUIRE(mdb_cursor_open(txn, dbi, &cursor) == 0);
  std::string key = key_prefix;
  MDB_val k{key.size(), key.data()};
  MDB_val v{};
  REQUIRE(mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE) == 0);
  key.assign(static_cast<const char*>(k.mv_data), k.mv_size);
  std::string value = change(std::string(static_cast<const char*>(v.mv_data), v.mv_size));
  mdb_cursor_close(cursor);
  k = {key.size(), key.data()};
  v = {value.size(), value.data()};
  REQUIRE(mdb_put(txn, dbi, &k, &v, 0) == 0);
  REQUIRE(mdb_txn_commit(txn) == 0);
  mdb_env_close(env);
}

// Every verb and every look at the state, one after the other.
std::vector<Outcome> run_everything(const World& world, const Container& container) {
  std::vector<Outcome> outcomes;
  for (const char* verb : {"CHECK", "STATUS", "ADD", "DEL", "GC"}) {
    Json config = Runtime::plugin_config(world.list, 0, container,
                                         std::string(verb) == "CHECK" ? Json::object() : Json());
    if (std::string(verb) == "GC") config["cni.dev/valid-attachments"] = Json::array();
    outcomes.push_back(run({.argv = {railcni_binary()},
                            .env = world.runtime.environment(verb, container),
                            .stdin_text = config.dump()}));
  }
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"lease", "list"}, std::vector<std::string>{"gc"}}) {
    Command command{.argv = {railcni_binary()}};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    command.argv.insert(command.argv.end(), {"--data-dir", world.dir});
    outcomes.push_back(run(command));
  }
  return outcomes;
}

}  // namespace

TEST_CASE("a read-only dataDir is an I/O error") {
  enter_sandbox();
  World world;
  mount_tmpfs(world.dir, "size=1m", MS_RDONLY);
  world.require_refused(5);
  umount(world.dir.c_str());
}

TEST_CASE("a full dataDir is an I/O error, at whatever size it is full") {
  enter_sandbox();
  World world;
  for (int pages = 1; pages < 140; pages += kSanitized ? 12 : 4) {
    INFO(pages << " pages");
    mount_tmpfs(world.dir, ("size=" + std::to_string(pages * 4) + "k").c_str());
    const Call call = world.runtime.add(world.list, world.container);
    INFO(call.describe());
    CHECK(call.process.signal == 0);
    if (call.ok()) {
      CHECK(world.runtime.del(world.list, world.container).ok());
    } else {
      CHECK(call.code() == 5);
    }
    CHECK(snapshot(world.pod.path()) == world.inside);
    umount(world.dir.c_str());
  }
  CHECK(snapshot() == world.host);
}

TEST_CASE("a dataDir that is a file is an I/O error") {
  enter_sandbox();
  World world;
  std::filesystem::remove_all(world.dir);
  std::ofstream(world.dir) << "a file";
  world.require_refused(5);
}

TEST_CASE("a foreign, a truncated and a damaged state file are refused") {
  enter_sandbox();
  World world;
  REQUIRE(world.runtime.add(world.list, world.container).ok());
  REQUIRE(world.runtime.del(world.list, world.container).ok());
  const std::string file = world.state_file();
  SECTION("foreign") {
    std::ofstream(file, std::ios::trunc) << std::string(8192, 'x');
    world.require_refused(102);
  }
  SECTION("truncated") {
    std::filesystem::resize_file(file, 8192);
    world.require_refused(102);
  }
  SECTION("empty") {
    std::filesystem::resize_file(file, 0);
    world.require_refused(102);
  }
  SECTION("damaged pages") {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(8192);
    stream << std::string(1 << 16, '\xff');
    stream.close();
    world.require_refused(102);
  }
}

TEST_CASE("on a disk that has become full DEL and GC go on, and ADD leaves nothing") {
  enter_sandbox();
  World world;
  mount_tmpfs(world.dir, "size=1m");
  for (int n = 1; n <= 12; ++n) REQUIRE(world.runtime.add(world.list, world.other(n)).ok());
  fill_disk(world.dir);
  const Json full = snapshot(world.pod.path());
  // Whatever fits into what is left of the reserve's step; then no more.
  int added = 13;
  for (; added < 100; ++added) {
    const Json before = snapshot(world.pod.path());
    const Call add = world.runtime.add(world.list, world.other(added));
    INFO(add.describe());
    if (add.ok()) continue;
    CHECK(add.code() == 5);
    CHECK_THAT(add.msg(), Catch::Contains("No space left on device"));
    CHECK(snapshot(world.pod.path()) == before);
    break;
  }
  REQUIRE(added < 100);
  for (int n = 1; n <= 6; ++n) {
    const Call del = world.runtime.del(world.list, world.other(n));
    INFO(del.describe());
    REQUIRE(del.ok());
  }
  const Call gc = world.runtime.gc(world.list, {});
  INFO(gc.describe());
  REQUIRE(gc.ok());
  CHECK(leased(world.dir).empty());
  CHECK(snapshot(world.pod.path()) == world.inside);
  umount(world.dir.c_str());
}

TEST_CASE("whichever page of the state is damaged: a result, or one error that names the file") {
  enter_sandbox();
  World world;
  for (int n = 1; n <= 20; ++n) REQUIRE(world.runtime.add(world.list, world.other(n)).ok());
  const std::string file = world.state_file();
  constexpr size_t kPage = 4096;
  std::string good = bytes_of(file, size_t{1} << 20);
  good.resize(good.find_last_not_of('\0') / kPage * kPage + kPage);
  std::mt19937 random(7);
  int refused = 0;
  for (size_t page = 0; page < good.size() / kPage; ++page) {
    for (int kind = 0; kind < 8; ++kind) {
      std::string bad = good.substr(page * kPage, kPage);
      if (kind == 0) bad.assign(kPage, '\0');
      if (kind == 1) bad.assign(kPage, '\xff');
      if (kind == 2) bad[random() % 12] ^= static_cast<char>(1 + random() % 255);
      for (int i = 0; kind == 3 && i < 20; ++i) bad[random() % kPage] ^= 0x55;
      // Where the page's free room begins and ends: LMDB moves memory by it.
      if (kind >= 4) bad[static_cast<size_t>(kind) + 8] ^= 1;
      std::filesystem::resize_file(file, good.size());
      put_bytes(file, 0, good);
      put_bytes(file, page * kPage, bad);
      for (const Outcome& outcome : run_everything(world, world.other(5))) {
        INFO("page " << page << ", damage " << kind << "\n" << outcome.describe());
        CHECK(outcome.signal == 0);
        CHECK_FALSE(outcome.timed_out);
        CHECK((outcome.exit_code == 0 || outcome.exit_code == 1));
        if (outcome.exit_code != 1) continue;
        const std::string said = outcome.out + outcome.err;
        // Of a page that has become another, valid one no more may be found than that something is
        // not as it should be: by CHECK, by ADD or by `railcni gc`, which lists it.
        const auto says = [&said](const char* text) {
          return said.find(text) != std::string::npos;
        };
        if (says("\"code\": 101") || says("already exists in the container")) continue;
        if (says("inconsistent state: ")) continue;
        // LMDB moves memory by what a damaged page says. AddressSanitizer is quicker to see it than
        // the processor, whose signal becomes the error.
        if (kSanitized && says("AddressSanitizer") && says("liblmdb")) continue;
        CHECK_THAT(said, Catch::Contains(world.dir));
        ++refused;
        if (outcome.out.empty()) continue;
        CHECK(Json::parse(outcome.out).at("code").is_integer());
      }
    }
  }
  CHECK(refused > 50);
}

TEST_CASE("a state of another schema version is refused by every verb, and stays as it is") {
  enter_sandbox();
  World world;
  REQUIRE(world.runtime.add(world.list, world.container).ok());
  const std::string file = world.state_file();
  const char* meta = GENERATE("railcni state 4", "railcni state 1");
  change_value(file, "M", [&](const std::string&) { return meta; });
  const std::string before = bytes_of(file, size_t{1} << 20);
  const Json host = snapshot();
  const Json inside = snapshot(world.pod.path());
  for (const Outcome& outcome : run_everything(world, world.container)) {
    INFO(outcome.describe());
    CHECK(outcome.exit_code == 1);
    CHECK_THAT(outcome.out + outcome.err, Catch::Contains(file));
  }
  CHECK(bytes_of(file, size_t{1} << 20) == before);
  CHECK(snapshot() == host);
  CHECK(snapshot(world.pod.path()) == inside);
}

TEST_CASE("records of another version of the same schema are read, and undone") {
  enter_sandbox();
  World world;
  const Call add = world.runtime.add(world.list, world.container);
  REQUIRE(add.ok());
  change_value(world.state_file(), "A", [](const std::string& record) {
    Json json = Json::parse(record);
    SECTION("a newer one has keys that this one does not know") {
      json["annotations"] = Json::object({{"later", 1}});
      json["link"]["later"] = "x";
      json["routing"]["later"] = Json::array();
    }
    SECTION("an older one had none of another plugin's IPAM") { json.erase("ipam"); }
    return json.dump();
  });
  const Call again = world.runtime.add(world.list, world.container);
  INFO(again.describe());
  REQUIRE(again.ok());
  CHECK(again.json == add.json);
  CHECK(world.runtime.check(world.list, world.container).ok());
  REQUIRE(world.runtime.del(world.list, world.container).ok());
  CHECK(leased(world.dir).empty());
  CHECK_NOTHROW(cli(world.dir, {"gc"}));
  CHECK(snapshot(world.pod.path()) == world.inside);
}

TEST_CASE("a record of a backend that this version does not have is kept, and named") {
  enter_sandbox();
  World world;
  REQUIRE(world.runtime.add(world.list, world.container).ok());
  change_value(world.state_file(), "A", [](const std::string& record) {
    Json json = Json::parse(record);
    json["cniType"] = "later";
    return json.dump();
  });
  const Json inside = snapshot(world.pod.path());
  const Call del = world.runtime.del(world.list, world.container);
  CHECK(del.code() == 102);
  CHECK_THAT(del.msg(), Catch::Contains("net/c1/net1") && Catch::Contains("later") &&
                            Catch::Contains(world.state_file()));
  CHECK(snapshot(world.pod.path()) == inside);
  CHECK(leased(world.dir).size() == 1);
}

TEST_CASE("a record whose routing makes no sense is kept, and named with its file") {
  enter_sandbox();
  World world;
  REQUIRE(world.runtime.add(world.list, world.container).ok());
  change_value(world.state_file(), "A", [](const std::string& record) {
    Json json = Json::parse(record);
    json["routing"] = Json::object({{"routes", 7}});
    return json.dump();
  });
  const Call del = world.runtime.del(world.list, world.container);
  CHECK(del.code() == 102);
  CHECK_THAT(del.msg(),
             Catch::Contains("routing cannot be read") && Catch::Contains(world.state_file()));
  CHECK(leased(world.dir).size() == 1);
}
