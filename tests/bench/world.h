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

// railcni and the floor as they are on a node: copied to a disk, in one piece. What a linker has
// written, here and there, the kernel holds in small pieces until the next boot, and every start
// takes 40 us longer.
class Installation {
 public:
  // Makes a folder in `tools`, which goes with this object.
  Installation(const std::string& railcni, const std::string& tools);
  ~Installation();
  Installation(const Installation&) = delete;
  Installation& operator=(const Installation&) = delete;

  const std::string& folder() const { return folder_; }
  std::string program(const std::string& name) const { return folder_ + "/" + name; }
  // An empty folder on the same disk.
  std::string disk() const { return folder_ + "/disk"; }

 private:
  std::string folder_;
};

// Where test::make_folder() makes one on the disk (World mounts it; it goes with the installation).
// A plugin keeps its state where it does by default: host-local there, in /var/lib/cni, and railcni
// in /run, which is a tmpfs.
inline constexpr const char* kOnDisk = "/var/lib";

class World {
 public:
  // `tools`: the folder of bench_launcher and bench_floor. The process must be in the sandbox,
  // whose /var/lib is then on a disk.
  World(const std::string& railcni, const std::string& tools);

  Launcher& launcher() { return launcher_; }
  const std::string& pod() const { return pod_.path(); }
  std::string floor() const { return ours_.program("floor"); }
  // railcni, or a link to it by another name.
  std::string by_name(const std::string& name) const { return ours_.program(name); }

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
  const Installation ours_;
  test::Rail rail_;
  test::Pod pod_;
  Launcher launcher_;
  int containers_ = 0;
};

}  // namespace railcni::bench

#endif  // RAILCNI_TESTS_BENCH_WORLD_H_
