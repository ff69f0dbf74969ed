// What the netns tests share: configurations, and a rail with the seeds' pool on it.
#ifndef RAILCNI_TESTS_NETNS_WORLD_H_
#define RAILCNI_TESTS_NETNS_WORLD_H_

#include <string>
#include <vector>

#include "railcni/json.h"
#include "tests/support/process.h"
#include "tests/support/runtime.h"
#include "tests/support/sandbox.h"

namespace railcni::test {

// {"type":"railcni","cniType":"macvlan",...} on `master`, with one inline pool "p".
Json macvlan_plugin(const std::string& data_dir, const std::string& master, const Json& pool);

// A list of that one plugin, named "net".
Json macvlan_list(const std::string& data_dir, const std::string& master, const Json& pool);

// 10.9.0.0/24 with a gateway, and fd09::/64 with one.
Json pool_v4();
Json pool_v6();

// Runs `railcni ARGUMENTS --data-dir DIR` and expects success; returns stdout.
std::string cli(const std::string& data_dir, std::vector<std::string> arguments);
// As cli() with `-o json`.
Json cli_json(const std::string& data_dir, std::vector<std::string> arguments);
// Applies the YAML text.
void apply_pools(const std::string& data_dir, const std::string& yaml);
// The plugin's inline pools (`ipam.pools`), applied instead: it names them.
Json with_applied_pools(const std::string& data_dir, Json plugin);
// The addresses that `railcni lease list` shows.
std::vector<std::string> leased(const std::string& data_dir);

// The pool that the AI-cluster documents write for the first GPU's rail.
extern const char* const kSeedPool;

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_NETNS_WORLD_H_
