// An installation that somebody else keeps waiting.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "railcni/fd.h"
#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;
namespace fs = std::filesystem;

namespace {

Fd lock(const std::string& path, int flags) {
  Fd file(open(path.c_str(), flags | O_CLOEXEC, 0600));
  REQUIRE(file);
  REQUIRE(flock(file.get(), LOCK_EX) == 0);
  return file;
}

}  // namespace

TEST_CASE("install: a lock that any user can have on the folder keeps nobody waiting") {
  enter_sandbox();
  const std::string folder = make_folder("bin");
  REQUIRE(chmod(folder.c_str(), 0755) == 0);
  // Whoever may read the folder can have this.
  const Fd held = lock(folder, O_RDONLY | O_DIRECTORY);
  const Outcome outcome =
      run({.argv = {railcni_binary(), "install", "--to", folder, "--as", "sbr"}});
  INFO(outcome.describe());
  CHECK(outcome.ok());
  CHECK(fs::read_symlink(folder + "/sbr") == "railcni");
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"railcni", "sbr"});
}

TEST_CASE("install: an installation that has stopped is named, and not waited for without end") {
  enter_sandbox();
  const std::string folder = make_folder("bin");
  const Fd held = lock(folder + "/.railcni-install.lock", O_RDWR | O_CREAT);
  const Outcome outcome =
      run({.argv = {railcni_binary(), "install", "--to", folder, "-o", "json"}});
  INFO(outcome.describe());
  CHECK(outcome.exit_code == 1);
  CHECK(Json::parse(outcome.out).at("code").as_int() == 11);
  CHECK_THAT(outcome.err, Catch::Contains("process " + std::to_string(getpid())));
  CHECK_FALSE(fs::exists(folder + "/railcni"));
}
