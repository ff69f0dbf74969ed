// What all scenarios need: the programs, a host with a rail, and a Pod with a cluster interface.
#ifndef RAILCNI_TESTS_BENCH_WORLD_H_
#define RAILCNI_TESTS_BENCH_WORLD_H_

#include <string>
#include <utility>
#include <vector>

#include "railcni/json.h"
#include "tests/bench/launcher_client.h"
#include "tests/support/sandbox.h"

namespace railcni::bench {

inline constexpr const char* kReference = "/usr/lib/cni";  // Debian's containernetworking-plugins

// Where a plugin is, and the configuration that it gets on stdin.
struct Plugin {
  std::string path;
  Json config;
};

class World {
 public:
  // `tools`: the folder of bench_launcher and bench_floor. The process must be in the sandbox.
  World(const std::string& railcni, const std::string& tools);

  Launcher& launcher() { return launcher_; }
  const std::string& pod() const { return pod_.path(); }
  const std::string& floor() const { return floor_; }
  // railcni by another name: a symbolic link in ours().
  std::string by_name(const std::string& name) const { return ours_ + "/" + name; }
  const std::string& ours() const { return ours_; }

  // One call of a plugin, for the bench's Pod and its interface net1.
  Program call(const std::string& command, const Plugin& plugin,
               const std::string& container) const;
  // A list of plugins as a runtime runs it: each gets the result of the one before. Returns the
  // last one's result.
  std::pair<Sample, Json> add(const std::vector<Plugin>& chain, const std::string& container);
  // From the last to the first.
  Sample del(const std::vector<Plugin>& chain, const std::string& container, const Json& result);
  // A container ID that no call had before.
  std::string new_container();

 private:
  std::string ours_;
  std::string floor_;
  test::Rail rail_;
  test::Pod pod_;
  Launcher launcher_;
  int containers_ = 0;
};

}  // namespace railcni::bench

#endif  // RAILCNI_TESTS_BENCH_WORLD_H_
