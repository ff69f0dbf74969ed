#include "railcni/store.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "railcni/error.h"
#include "railcni/lock.h"
#include "src/store/files.h"
#include "src/store/lmdb_env.h"
#include "src/store/lmdb_store.h"

namespace railcni {
namespace {

// In the state folder: a folder for each network of the name host-local.
constexpr const char* kNetworks = "/networks";

}  // namespace

void name_store_in_errors(const std::string& path, const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    const bool is_named = error.msg().find(path) != std::string::npos;
    if (error.code() != Code::kStoreDamaged || is_named) throw;
    throw error.with_context("the store " + path);
  }
}

StorePaths StorePaths::of_network(const std::string& folder, const std::string& network) const {
  const std::string parent = folder.empty() ? state_dir + kNetworks : folder;
  return {parent + "/" + network, pools_dir};
}

std::vector<StorePaths> StorePaths::with_networks() const {
  std::vector<StorePaths> all = {*this};
  for (const std::string& network : entries_of(state_dir + kNetworks)) {
    all.push_back(of_network("", network));
  }
  return all;
}

StorePaths StorePaths::from_data_dir(const std::string& data_dir) {
  if (data_dir.empty()) return {"/run/railcni", "/var/lib/railcni"};
  if (data_dir[0] != '/' || data_dir.find('\0') != std::string::npos) {
    throw Error(Code::kInvalidConfig,
                "dataDir: \"" + data_dir + "\" must be an absolute path, such as /run/railcni");
  }
  return {data_dir, data_dir};
}

std::string store_file_path(Store::File file, const StorePaths& paths) {
  if (file == Store::File::kPools) return paths.pools_dir + "/pools.mdb";
  // To read the boot's ID in /proc takes 7 us, and 20 with cold caches.
  if (is_in_memory(paths.state_dir)) return paths.state_dir + "/state.mdb";
  return paths.state_dir + "/state-" + boot_name() + ".mdb";
}

namespace {

// A store's file has its meta from its first moment on: it is made whole under another name. So an
// empty one is one that lost all it had, and is never taken for a new one.
void make_store(Store::File file, const StorePaths& paths, const std::string& path,
                size_t map_size) {
  const NamedLock lock = NamedLock::acquire(paths, path, std::chrono::seconds(60));
  if (access(path.c_str(), F_OK) == 0) return;
  const std::string draft = path + ".new";
  unlink(draft.c_str());  // of a maker who died
  LmdbStore(file, draft).make(map_size);
  if (rename(draft.c_str(), path.c_str()) != 0) {
    throw_errno(Code::kIoFailure, "cannot make the store " + path, errno);
  }
}

}  // namespace

std::unique_ptr<Store> open_store(Store::File file, const StorePaths& paths, Store::Mode mode,
                                  size_t initial_map_size) {
  const std::string& folder = file == Store::File::kState ? paths.state_dir : paths.pools_dir;
  require_own_folder(folder);
  std::string path = store_file_path(file, paths);
  require_own_file(path);
  struct stat info;
  const bool exists = stat(path.c_str(), &info) == 0;
  if (!exists && mode != Store::Mode::kCreate) {
    // ENOTDIR: a folder that cannot be cannot hold a file either.
    if (errno == ENOENT || errno == ENOTDIR) return nullptr;
    throw_errno(Code::kIoFailure, "cannot open the store " + path, errno);
  }
  if (exists && info.st_size == 0) throw_damaged(file, path, "it is empty");
  if (!exists) {
    make_folder(folder);
    path = store_file_path(file, paths);  // before there was no filesystem to name it by
    make_store(file, paths, path, initial_map_size);
  }
  auto store = std::make_unique<LmdbStore>(file, path);
  store->open(mode);
  if (!exists && file == Store::File::kState) remove_other_boots(folder, boot_name());
  if (!exists && file == Store::File::kPools) sync_folder(folder);
  return store;
}

std::unique_ptr<Store> Store::open(File file, const StorePaths& paths, Mode mode) {
  return open_store(file, paths, mode, kInitialMapSize);
}

}  // namespace railcni
