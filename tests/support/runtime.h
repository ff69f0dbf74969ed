// What a container runtime does: libcni's way of running a list of plugins.
#ifndef RAILCNI_TESTS_SUPPORT_RUNTIME_H_
#define RAILCNI_TESTS_SUPPORT_RUNTIME_H_

#include <map>
#include <string>
#include <vector>

#include "railcni/json.h"
#include "tests/support/process.h"

namespace railcni::test {

// The binary under test: RAILCNI_BIN, as an absolute path. Throws std::runtime_error when the
// variable is not set or names no program.
std::string railcni_binary();

// The outcome of one plugin, or of the last one of a chain that ran.
struct Call {
  Outcome process;
  Json json;  // stdout parsed; null when it is empty or not one JSON document

  bool ok() const { return process.ok(); }
  // The code of an error document; 0 when there is none.
  int64_t code() const;
  std::string msg() const;
  std::string describe() const { return process.describe(); }
};

// Runs one program with this environment ("CNI_COMMAND=ADD", ...) and stdin; no more, no less.
Call exec_plugin(const std::string& path, const std::vector<std::string>& env,
                 const std::string& stdin_text);

struct Container {
  std::string id;
  std::string netns;  // a path
  std::string ifname = "net1";
  std::string args = {};        // CNI_ARGS
  Json capabilities = nullptr;  // what the runtime offers: {"ips": [...], "mac": "..."}
};

class Runtime {
 public:
  // `cni_path` empty: a folder with railcni in it, and Debian's plugins.
  explicit Runtime(std::string cni_path = "");

  // Each runs all plugins of the list (for DEL: from the last to the first, going on past errors as
  // runtimes do; otherwise until one fails). ADD's result is kept, and given to CHECK and DEL.
  Call add(const Json& conflist, const Container& container);
  Call check(const Json& conflist, const Container& container);
  Call del(const Json& conflist, const Container& container);
  Call status(const Json& conflist);
  Call gc(const Json& conflist, const std::vector<Container>& valid);

  // The stdin of the plugin at `index` of the list.
  static Json plugin_config(const Json& conflist, size_t index, const Container& container,
                            const Json& prev_result);
  // The environment of a verb, empty variables included, as libcni sets them.
  std::vector<std::string> environment(const std::string& command,
                                       const Container& container) const;
  // The program of a plugin's type. Throws std::runtime_error when it is nowhere in the path.
  std::string find_plugin(const std::string& type) const;
  const std::string& cni_path() const { return cni_path_; }
  // Takes back what cached() gave to another Runtime.
  void restore(const Json& conflist, const Container& container, const Json& result);
  // The kept result of an ADD; null when there is none.
  Json cached(const Json& conflist, const Container& container) const;

 private:
  Call run_plugin(const std::string& command, const Json& config, const Container& container) const;

  std::string cni_path_;
  std::map<std::string, Json> results_;
};

// {"cniVersion", "name", "plugins"}.
Json make_conflist(const std::string& version, const std::string& name, Json::Array plugins);

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_SUPPORT_RUNTIME_H_
