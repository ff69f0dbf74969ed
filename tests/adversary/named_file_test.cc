// Files that a configuration names: what hangs, fills the memory, or is somebody's secret.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/netns/plugin_names.h"
#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;
namespace fs = std::filesystem;

namespace {

struct HostLocal {
  std::string path = path_with_names({"host-local"});
  std::string dir = make_folder("hl");
  Runtime runtime{path};
  Pod pod;

  Json config(const std::string& resolv_conf) const {
    Json ipam = Json::object({{"type", "host-local"}, {"subnet", "10.1.0.0/24"}, {"dataDir", dir}});
    if (!resolv_conf.empty()) ipam["resolvConf"] = resolv_conf;
    return Json::object(
        {{"cniVersion", "1.0.0"}, {"name", "hl"}, {"type", "bridge"}, {"ipam", ipam}});
  }
  Call call(const std::string& verb, const std::string& id, const Json& config) const {
    const Container container{.id = id, .netns = pod.path(), .ifname = "eth0"};
    return exec_plugin(runtime.find_plugin("host-local"), runtime.environment(verb, container),
                       config.dump());
  }
};

}  // namespace

TEST_CASE("resolvConf: what is no small regular file is refused at once") {
  enter_sandbox();
  const HostLocal world;
  const std::string fifo = world.dir + "/fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  const std::string large = world.dir + "/large";
  std::ofstream(large) << "nameserver 10.0.0.1\n";
  REQUIRE(truncate(large.c_str(), off_t{1} << 40) == 0);
  for (const std::string& file :
       {fifo, large, std::string("/dev/zero"), std::string("/dev/watchdog"),
        std::string("/proc/kcore"), std::string("/run"), world.dir}) {
    INFO(file);
    const Call add = world.call("ADD", "c1", world.config(file));
    CHECK(add.code() == 5);
    CHECK_THAT(add.msg(), Catch::Contains("ipam.resolvConf: " + file));
  }
  // Files of the kernel have no size: nothing is read, and nobody waits for more of them.
  for (const char* file : {"/proc/kmsg", "/proc/self/environ"}) {
    INFO(file);
    const Call add = world.call("ADD", "c1", world.config(file));
    if (add.ok()) CHECK(add.json.at("dns") == Json::object());
    CHECK(world.call("DEL", "c1", world.config("")).ok());
  }
}

TEST_CASE("resolvConf: links are followed, and other files' lines are not told") {
  enter_sandbox();
  const HostLocal world;
  const std::string stub = world.dir + "/stub-resolv.conf";
  std::ofstream(stub)
      << "nameserver 10.0.0.53\nnameserver fe80::1%eth0\nsearch a.example b.example\n"
         "options ndots:2\n";
  const std::string link = world.dir + "/resolv.conf";
  fs::create_symlink(stub, link);
  const Call add = world.call("ADD", "c1", world.config(link));
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(add.json.at("dns") ==
        Json::parse(R"({"nameservers": ["10.0.0.53", "fe80::1%eth0"], "search": ["a.example",
                        "b.example"], "options": ["ndots:2"]})"));
  const std::string secret = world.dir + "/secret";
  std::ofstream(secret) << "root:$6$hash:19000:0:99999:7:::\nnameserver hunter2\n"
                           "domain pass=word\noptions token=abc\nsearch x \x1b[2J\n";
  const Call told = world.call("ADD", "c2", world.config(secret));
  INFO(told.describe());
  REQUIRE(told.ok());
  CHECK(told.json.at("dns") == Json::object());
  CHECK_THAT(told.process.err + told.process.out,
             !Catch::Contains("hash") && !Catch::Contains("hunter2") && !Catch::Contains("abc"));
}

TEST_CASE("host-local's own folder: FIFOs and links in it neither hang nor lead elsewhere") {
  enter_sandbox();
  const HostLocal world;
  const std::string folder = world.dir + "/hl";
  fs::create_directory(folder);
  const std::string outside = make_folder("outside");
  std::ofstream(outside + "/victim") << "c1\r\neth0";
  REQUIRE(mkfifo((folder + "/10.1.0.77").c_str(), 0600) == 0);
  fs::create_symlink(outside + "/victim", folder + "/10.1.0.78");
  std::ofstream(folder + "/10.1.0.79") << std::string(1 << 20, 'x');
  std::ofstream(folder + "/10.1.0.80") << "c1\r\neth0";
  CHECK(world.call("DEL", "c1", world.config("")).ok());
  CHECK(fs::exists(outside + "/victim"));
  CHECK(fs::exists(fs::symlink_status(folder + "/10.1.0.78")));
  CHECK_FALSE(fs::exists(folder + "/10.1.0.80"));
  // The folder itself a link: what is behind it is nobody's reservation.
  fs::remove_all(folder);
  std::ofstream(outside + "/10.1.0.2") << "c1\r\neth0";
  fs::create_directory_symlink(outside, folder);
  (void)world.call("DEL", "c1", world.config(""));
  CHECK(fs::exists(outside + "/10.1.0.2"));
}
