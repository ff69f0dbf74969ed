// What the conformance tests share: a rail, a configuration for it, and what every error looks
// like.
#ifndef RAILCNI_TESTS_CONFORMANCE_FIXTURE_H_
#define RAILCNI_TESTS_CONFORMANCE_FIXTURE_H_

#include <string>
#include <vector>

#include "railcni/json.h"
#include "tests/support/runtime.h"
#include "tests/support/sandbox.h"

namespace railcni::test {

inline const std::vector<std::string> kVersions = {"0.1.0", "0.2.0", "0.3.0", "0.3.1",
                                                   "0.4.0", "1.0.0", "1.1.0"};

// A railcni with a state folder of its own: enough for all that fails before the kernel is touched.
struct Plugin {
  Runtime runtime;
  std::string binary = railcni_binary();
  std::string data_dir = make_folder("data");

  // A configuration on master "rail9" with a small inline IPv4 pool.
  Json config(const std::string& version = "1.1.0", const std::string& name = "net-a") const;
  // One execution as libcni does it.
  Call call(const std::string& command, const Json& config, const Container& container) const;
  // As call(), with any text on stdin.
  Call call_text(const std::string& command, const std::string& text,
                 const Container& container) const;
  // `railcni lease list -o json` and `railcni gc -o json` on the state folder.
  Json leases() const;
  Json reclaim(const std::string& options = "") const;
  // What the command line says, whatever its exit code.
  Outcome cli(const std::vector<std::string>& arguments, const std::string& stdin_text = "") const;
  // The addresses that are leased, in order.
  std::vector<std::string> leased() const;
};

// The same with the rail under it: master "rail9", 10.9.0.1/24 and fd00:9::1/64 on the fabric.
struct RailPlugin : Plugin {
  Rail rail{"rail9", {1500, {"10.9.0.250/24"}, {"10.9.0.1/24", "fd00:9::1/64"}}};
};

// A container in the Pod's namespace.
Container container_in(const Pod& pod, const std::string& id = "ctr-1",
                       const std::string& ifname = "net1");

// Checks (Catch2) that this is an error as the specification has it: exit code not 0, and on stdout
// one JSON document with cniVersion, code and msg. `code` 0 takes any; each of `parts` must occur
// in the message or the details.
void check_error(const Call& call, int64_t code, const std::vector<std::string>& parts = {});
// Checks success and an empty stdout: what DEL, CHECK, STATUS and GC give.
void check_silent_success(const Call& call);

// `json` with the value at "a.b.c" replaced or added; an index is a plain number.
Json with(Json json, const std::string& path, Json value);
// Members of all objects in order of their names, so that == does not depend on the order.
Json sorted(const Json& json);

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_CONFORMANCE_FIXTURE_H_
