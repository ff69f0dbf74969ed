// What only the store's own tests see of it: the way to choose a small map.
#ifndef RAILCNI_SRC_STORE_LMDB_ENV_H_
#define RAILCNI_SRC_STORE_LMDB_ENV_H_

#include <cstddef>
#include <memory>
#include <string>

#include "railcni/store.h"

namespace railcni {

// Size of the map of a new file. It is address space and a hole in the file, not memory or blocks:
// 64 MiB hold some half a million leases before the map grows for the first time.
constexpr size_t kInitialMapSize = size_t{64} << 20;

std::unique_ptr<Store> open_store(Store::File file, const StorePaths& paths, Store::Mode mode,
                                  size_t initial_map_size);

// Where the file is: "<pools_dir>/pools.mdb", "<state_dir>/state.mdb", and where that folder
// outlives the boot "<state_dir>/state-<boot>.mdb".
std::string store_file_path(Store::File file, const StorePaths& paths);

}  // namespace railcni

#endif  // RAILCNI_SRC_STORE_LMDB_ENV_H_
