// A network of the name host-local has a state of its own, and its name is whoever's who writes the
// network: what nobody uses any more must not fill the node's memory.
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>

#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/store.h"
#include "src/store/files.h"
#include "src/store/lmdb_env.h"
#include "src/store/schema.h"

namespace railcni {
namespace {

bool is_unused(const Txn& txn) {
  bool unused = true;
  txn.scan(schema::table(schema::kAttachment), "",
           [&unused](std::string_view, std::string_view) { return unused = false; });
  txn.scan(schema::table(schema::kLease), "", [&unused](std::string_view, std::string_view value) {
    return unused = unused && !value.starts_with(schema::kLeased);
  });
  return unused;
}

// Seconds since the last change to the file; 0 when there is none.
time_t age_of(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 ? time(nullptr) - info.st_mtime : 0;
}

}  // namespace

bool remove_unused_state(const StorePaths& paths) {
  require_own_folder(paths.state_dir);
  const std::string path = store_file_path(Store::File::kState, paths);
  if (age_of(path) < kUnusedAfter) return false;
  const auto state = Store::open(Store::File::kState, paths, Store::Mode::kExisting);
  if (!state) return false;
  bool removed = false;
  state->write([&removed](Txn& txn) {
    removed = is_unused(txn);
    // For who has opened the file by now, and has not begun.
    if (removed) txn.put(schema::table(schema::kMeta), schema::kRemoved);
  });
  if (!removed) return false;
  unlink(path.c_str());
  unlink((paths.state_dir + "/lock").c_str());
  rmdir(paths.state_dir.c_str());  // it may hold what is not ours
  return true;
}

void remove_unused_siblings(const StorePaths& paths) {
  const size_t slash = paths.state_dir.rfind('/');
  const std::string parent = paths.state_dir.substr(0, slash);
  const std::string own = paths.state_dir.substr(slash + 1);
  for (const std::string& name : entries_of(parent)) {
    const StorePaths sibling{parent + "/" + name, paths.pools_dir};
    if (name == own || access(store_file_path(Store::File::kState, sibling).c_str(), F_OK) != 0) {
      continue;
    }
    try {
      remove_unused_state(sibling);
    } catch (const Error& error) {
      log_warning(error.msg());  // another network's trouble is not this one's
    }
  }
}

}  // namespace railcni
