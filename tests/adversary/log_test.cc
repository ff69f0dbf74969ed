// A log that writes where its configuration says, as root.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/netns/plugin_names.h"
#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;
namespace fs = std::filesystem;

namespace {

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

struct World {
  Rail rail{"rail0"};
  Pod pod;
  std::string dir = make_folder("log");
  Runtime runtime;
  Container container{.id = "c1", .netns = pod.path()};

  Json list(const std::string& log_file) const {
    Json list = macvlan_list(dir, "rail0", pool_v4());
    Json& plugin = list["plugins"].as_array()[0];
    plugin["logFile"] = log_file;
    plugin["logLevel"] = "debug";
    return list;
  }
  // ADD twice, which the second time has something to say, and DEL: none of them fails.
  Outcome use(const std::string& log_file) {
    const Json list = this->list(log_file);
    const Call first = runtime.add(list, container);
    INFO(first.describe());
    REQUIRE(first.ok());
    const Call again = runtime.add(list, container);
    REQUIRE(again.ok());
    REQUIRE(runtime.del(list, container).ok());
    return again.process;
  }
};

}  // namespace

TEST_CASE("a log file is below /var/log, or it is none") {
  enter_sandbox();
  World world;
  const std::string secret = make_folder("secret");
  for (const std::string& path :
       {secret + "/authorized_keys", std::string("/var/log/../../run/escaped.log"),
        std::string("relative.log"), std::string("/var/logs/x.log"), std::string("/dev/kmsg"),
        std::string("/var/log/pods/x.log"), std::string("/var/log"),
        std::string("//etc/cron.d/x")}) {
    INFO(path);
    const Outcome outcome = world.use(path);
    CHECK_THAT(outcome.err, Catch::Contains("logFile") && Catch::Contains("/var/log"));
    CHECK_THAT(outcome.err, Catch::Contains("returned again"));  // which goes to stderr then
  }
  CHECK(fs::is_empty(secret));
  CHECK_FALSE(fs::exists("/run/escaped.log"));
  CHECK_FALSE(fs::exists("/etc/cron.d/x"));
  CHECK_FALSE(fs::exists("/var/log/pods"));
}

TEST_CASE("a log file is made with its folder") {
  enter_sandbox();
  World world;
  CHECK(world.use("/var/log/a/b/rail.log").err.empty());
  CHECK_THAT(content("/var/log/a/b/rail.log"), Catch::Contains("returned again"));
  struct stat info = {};
  REQUIRE(stat("/var/log/a", &info) == 0);
  CHECK((info.st_mode & 07777) == 0755);
}

TEST_CASE("a log file is no link, no device, no FIFO and nobody else's") {
  enter_sandbox();
  World world;
  const std::string target = make_folder("target") + "/file";
  write(target, "kept");
  write("/var/log/foreign.log", "kept");
  REQUIRE(chown("/var/log/foreign.log", 1000, 0) == 0);
  write("/var/log/one-name.log", "kept");
  REQUIRE(link("/var/log/one-name.log", "/var/log/other-name.log") == 0);
  fs::create_symlink(target, "/var/log/link.log");
  fs::create_directory_symlink(fs::path(target).parent_path(), "/var/log/folder");
  fs::create_symlink(target + "-new", "/var/log/dangling.log");
  REQUIRE(mkfifo("/var/log/fifo.log", 0600) == 0);
  for (const std::string name : {"foreign.log", "one-name.log", "other-name.log", "link.log",
                                 "folder/file", "folder/new", "dangling.log", "fifo.log"}) {
    INFO(name);
    CHECK_THAT(world.use("/var/log/" + name).err,
               Catch::Contains("logFile") && Catch::Contains("the log goes to stderr"));
  }
  // With a reader a FIFO could be written to.
  const Fd reader(open("/var/log/fifo.log", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  CHECK_THAT(world.use("/var/log/fifo.log").err, Catch::Contains("must be a regular file"));
  CHECK(content(target) == "kept");
  CHECK_FALSE(fs::exists(target + "-new"));
  CHECK(content("/var/log/foreign.log") == "kept");
  CHECK(content("/var/log/one-name.log") == "kept");
  for (const auto& entry : fs::directory_iterator("/var/log")) fs::remove_all(entry.path());
}

TEST_CASE("the policy says where logs may be") {
  enter_sandbox();
  World world;
  const std::string folder = make_folder("logs");
  const NodePolicyFile policy(R"({"logDirs": [")" + folder + R"("]})");
  CHECK(world.use(folder + "/rail.log").err.empty());
  CHECK_THAT(content(folder + "/rail.log"), Catch::Contains("returned again"));
  CHECK_THAT(world.use("/var/log/rail.log").err, Catch::Contains(folder));
  CHECK_FALSE(fs::exists("/var/log/rail.log"));
}

TEST_CASE("a log line is one line, whatever the configuration's values hold") {
  enter_sandbox();
  World world;
  // A new line, an escape sequence, C1's one, a change of direction, and DEL.
  const std::string hostile =
      "x\nssh-ed25519 AAAA root\r\x1b[2J\xc2\x9b"
      "2J\xe2\x80\xae"
      "gol\xe2\x81\xa6\x7f";
  Json list = world.list("/var/log/rail.log");
  list["plugins"].as_array()[0]["macvlan"]["mode"] = hostile;
  const Call add = world.runtime.add(list, world.container);
  INFO(add.describe());
  CHECK(add.code() == 7);
  const std::string escaped = "x\\nssh-ed25519 AAAA root\\r\\x1b[2J\\u009b2J\\u202egol\\u2066\\x7f";
  CHECK_THAT(add.msg(), Catch::Contains(escaped));
  const std::string log = content("/var/log/rail.log");
  CHECK_THAT(log, Catch::Contains(escaped) && Catch::EndsWith("\n"));
  CHECK(std::count(log.begin(), log.end(), '\n') == 1);
  // Of what is printed, too, no byte moves a cursor.
  for (const char c : {'\x1b', '\x7f', '\r'}) {
    CHECK(add.process.out.find(c) == std::string::npos);
    CHECK(log.find(c) == std::string::npos);
  }
  CHECK(add.process.out.find("\xc2\x9b") == std::string::npos);
  unlink("/var/log/rail.log");
}

TEST_CASE("the command line's errors and tables are escaped") {
  enter_sandbox();
  const std::string dir = make_folder("cli");
  const Outcome error = run({.argv = {railcni_binary(), "pool", "show", "no\x1b[2J\xe2\x80\xaepool",
                                      "--data-dir", dir, "-o", "json"}});
  CHECK(error.exit_code == 1);
  for (const std::string& text : {error.out, error.err}) {
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find("\xe2\x80\xae") == std::string::npos);
    CHECK_THAT(text, Catch::Contains("x1b[2J"));
  }
  // A table: the Pod's name comes from the runtime.
  World world;
  world.container.args =
      "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=a\x1b[31m\xe2\x80\xae"
      "b";
  const Json list = world.list("");
  REQUIRE(world.runtime.add(list, world.container).ok());
  const std::string table = cli(world.dir, {"lease", "list"});
  CHECK_THAT(table, Catch::Contains("ns/a\\x1b[31m\\u202eb"));
  REQUIRE(world.runtime.del(list, world.container).ok());
}

TEST_CASE("other names' log keys are under the same rule") {
  enter_sandbox();
  Rail rail("rail0");
  Pod pod;
  const std::string secret = make_folder("secret");
  const std::string path = path_with_names({"spiderpool", "macvlan"});
  const std::string dir = make_folder("names-log");
  const Container container{.id = "c1", .netns = pod.path()};
  Runtime runtime(path);
  SECTION("spiderpool's log_file_path") {
    const Json config = Json::parse(
        R"({"cniVersion": "0.3.1", "name": "sp", "type": "macvlan", "ipam": {"type": "spiderpool",
            "log_level": "DEBUG", "log_file_path": ")" +
        secret + R"(/x"}})");
    const Call add = exec_plugin(runtime.find_plugin("spiderpool"),
                                 runtime.environment("STATUS", container), config.dump());
    CHECK_THAT(add.process.err + add.process.out, !Catch::Contains("internal error"));
    const Call ran = exec_plugin(runtime.find_plugin("spiderpool"),
                                 runtime.environment("DEL", container), config.dump());
    CHECK(ran.ok());
    CHECK_THAT(ran.process.err, Catch::Contains("/var/log"));
  }
  SECTION("an original's logFile") {
    const Json config = Json::parse(
        R"({"cniVersion": "1.0.0", "name": "mv", "type": "macvlan", "master": "rail0",
            "dataDir": ")" +
        dir + R"(", "logFile": ")" + secret + R"(/x", "logLevel": "debug"})");
    for (const char* verb : {"ADD", "DEL"}) {
      const Call call = exec_plugin(runtime.find_plugin("macvlan"),
                                    runtime.environment(verb, container), config.dump());
      INFO(call.describe());
      CHECK(call.ok());
      CHECK_THAT(call.process.err, Catch::Contains("/var/log"));
    }
  }
  CHECK(fs::is_empty(secret));
}
