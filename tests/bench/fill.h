// Stores and folders with many leases in them, made without a process for each.
#ifndef RAILCNI_TESTS_BENCH_FILL_H_
#define RAILCNI_TESTS_BENCH_FILL_H_

#include <string>

#include "railcni/json.h"

namespace railcni::bench {

// As if railcni, by the name host-local, had served `count` ADDs of this configuration: leases and
// records in its dataDir.
void fill_ours(const Json& config, int count);
// The same for the original: a file for each address, and the one with the last address.
void fill_original(const Json& config, int count);

}  // namespace railcni::bench

#endif  // RAILCNI_TESTS_BENCH_FILL_H_
