// railcni install: what appears in the folder appears whole, or nothing does.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <climits>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/netns/world.h"
#include "tests/support/kill_at.h"

using namespace railcni;
using namespace railcni::test;
namespace fs = std::filesystem;

namespace {

Outcome install(const std::string& folder, std::vector<std::string> more = {},
                const std::string& program = railcni_binary()) {
  std::vector<std::string> argv = {program, "install", "--to", folder};
  argv.insert(argv.end(), more.begin(), more.end());
  return run({.argv = argv});
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

ino_t inode_of(const std::string& path) {
  struct stat info = {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  return info.st_ino;
}

// A small file system in memory.
struct Disk {
  std::string path = make_folder("disk");
  Disk(const std::string& options, unsigned long flags = 0) {
    REQUIRE(mount("tmpfs", path.c_str(), "tmpfs", 0, options.c_str()) == 0);
    if (flags != 0) {
      REQUIRE(mount(nullptr, path.c_str(), nullptr, MS_REMOUNT | flags, options.c_str()) == 0);
    }
  }
  ~Disk() { umount2(path.c_str(), MNT_DETACH); }
};

}  // namespace

TEST_CASE("install: the binary and its links, again and under another umask") {
  enter_sandbox();
  const std::string folder = make_folder("bin");
  const mode_t mask = umask(077);
  const Outcome first = install(folder, {"--as", "macvlan,sbr", "--as", "sriov"});
  umask(mask);
  INFO(first.describe());
  REQUIRE(first.ok());
  CHECK(names_in(folder) == std::vector<std::string>{"macvlan", "railcni", "sbr", "sriov"});
  CHECK(content(folder + "/railcni") == content(railcni_binary()));
  struct stat info = {};
  REQUIRE(stat((folder + "/railcni").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0755);
  CHECK(fs::read_symlink(folder + "/macvlan") == "railcni");
  // By itself, from where it is being executed.
  const Outcome second = install(folder, {"--as", "macvlan,ipvlan", "-o", "json"}, folder + "/sbr");
  INFO(second.describe());
  REQUIRE(second.ok());
  CHECK(Json::parse(second.out) == Json::parse(R"({"binary": ")" + folder + R"(/railcni", "links": [
          {"name": "ipvlan", "action": "created"}, {"name": "macvlan", "action": "unchanged"}]})"));
  CHECK(content(folder + "/railcni") == content(railcni_binary()));
  const Call version = exec_plugin(folder + "/macvlan", {"CNI_COMMAND=VERSION"}, "");
  CHECK(version.ok());
}

TEST_CASE("install: a program that is running is neither written to nor disturbed") {
  enter_sandbox();
  const std::string folder = make_folder("bin");
  REQUIRE(install(folder).ok());
  const ino_t before = inode_of(folder + "/railcni");
  // It waits for its configuration.
  Child child({.argv = {folder + "/railcni"},
               .env = {"CNI_COMMAND=STATUS", "CNI_PATH=/nowhere"},
               .stdin_mode = Command::Stdin::kSilent});
  const std::string exe = "/proc/" + std::to_string(child.pid()) + "/exe";
  while (content(exe).empty() || fs::read_symlink(exe) != folder + "/railcni") usleep(1000);
  const Outcome again = install(folder);
  INFO(again.describe());
  CHECK(again.ok());
  CHECK(inode_of(folder + "/railcni") != before);
  CHECK(fs::read_symlink(exe) == folder + "/railcni (deleted)");
  CHECK(::kill(child.pid(), 0) == 0);
}

TEST_CASE("install: another plugin of that name stays, unless it is to be replaced") {
  enter_sandbox();
  const std::string folder = make_folder("bin");
  write(folder + "/macvlan", "the original");
  fs::create_symlink("/elsewhere/sbr", folder + "/sbr");
  for (const std::string names : {"sriov,macvlan", "sbr"}) {
    const Outcome refused = install(folder, {"--as", names});
    CHECK(refused.exit_code == 1);
    CHECK_THAT(refused.err, Catch::Contains("--replace") && Catch::Contains("nothing was changed"));
  }
  CHECK(names_in(folder) == std::vector<std::string>{"macvlan", "sbr"});
  const Outcome replaced = install(folder, {"--as", "macvlan,sbr", "--replace"});
  INFO(replaced.describe());
  REQUIRE(replaced.ok());
  CHECK_THAT(replaced.out, Catch::Contains("macvlan replaced"));
  CHECK(fs::read_symlink(folder + "/macvlan") == "railcni");
  CHECK(fs::read_symlink(folder + "/sbr") == "railcni");
  // A folder is nothing that a program could be put in the place of.
  fs::create_directory(folder + "/ipvlan");
  const Outcome no = install(folder, {"--as", "ipvlan", "--replace"});
  CHECK(no.exit_code == 1);
  CHECK_THAT(no.err, Catch::Contains("/ipvlan: is a folder"));
}

TEST_CASE("install: a full disk, and one that cannot be written to") {
  enter_sandbox();
  const Disk full("size=256k");
  write(full.path + "/railcni", "the old one");
  const Outcome failed = install(full.path, {"--as", "macvlan"});
  CHECK(failed.exit_code == 1);
  CHECK_THAT(failed.err,
             Catch::Contains(full.path + "/railcni") && Catch::Contains("No space left on device"));
  CHECK(names_in(full.path) == std::vector<std::string>{"railcni"});
  CHECK(content(full.path + "/railcni") == "the old one");

  const Disk read_only("size=16m", MS_RDONLY);
  const Outcome refused = install(read_only.path);
  CHECK(refused.exit_code == 1);
  CHECK_THAT(refused.err, Catch::Contains("Read-only file system"));
  CHECK(names_in(read_only.path).empty());

  const Outcome missing = install("/run/no/such/folder");
  CHECK(missing.exit_code == 1);
  CHECK_THAT(missing.err, Catch::Contains("/run/no/such/folder: No such file or directory"));
}

TEST_CASE("install: many at once") {
  enter_sandbox();
  const std::string folder = make_folder("bin");
  write(folder + "/.railcni-install-0123456789abcdef", "of one that was killed");
  std::vector<Child> children;
  for (int i = 0; i < 8; ++i) {
    children.emplace_back(
        Command{.argv = {railcni_binary(), "install", "--to", folder, "--as", "macvlan,sbr"}});
  }
  for (Child& child : children) {
    const Outcome outcome = child.wait();
    INFO(outcome.describe());
    CHECK(outcome.ok());
  }
  CHECK(names_in(folder) == std::vector<std::string>{"macvlan", "railcni", "sbr"});
  CHECK(content(folder + "/railcni") == content(railcni_binary()));
}

TEST_CASE("install: killed at any system call it leaves the old program or the new one, whole") {
  enter_sandbox();
  const std::string folder = make_folder("bin");
  const std::string whole = content(railcni_binary());
  int n = 1;
  const auto killed = [&] {
    write(folder + "/railcni.old", "the old one");
    fs::rename(folder + "/railcni.old", folder + "/railcni");
    fs::remove(folder + "/sbr");
    return run_and_kill_at({.argv = {railcni_binary(), "install", "--to", folder, "--as", "sbr"}},
                           n);
  };
  bool was_old = false;
  bool was_new = false;
  while (killed()) {
    INFO("killed at system call " << n);
    const std::string found = content(folder + "/railcni");
    (found == whole ? was_new : was_old) = true;
    REQUIRE((found == whole || found == "the old one"));
    if (fs::is_symlink(folder + "/sbr")) REQUIRE(fs::read_symlink(folder + "/sbr") == "railcni");
    ++n;
  }
  CHECK(was_old);
  CHECK(was_new);
  // The last one, which was not killed, has cleaned up after all others.
  CHECK(names_in(folder) == std::vector<std::string>{"railcni", "sbr"});
}

TEST_CASE("install: a name that nobody stands in for") {
  enter_sandbox();
  const std::string folder = make_folder("bin");
  const Outcome outcome = install(folder, {"--as", "macvlan,sriow"});
  CHECK(outcome.exit_code == 1);
  CHECK_THAT(outcome.err, Catch::Contains("\"sriow\"") && Catch::Contains("ib-sriov") &&
                              Catch::Contains("did you mean \"sriov\""));
  CHECK(names_in(folder).empty());
  CHECK(run({.argv = {railcni_binary(), "install"}}).exit_code == 2);
}
