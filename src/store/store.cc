#include "railcni/store.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "railcni/error.h"
#include "railcni/lock.h"
#include "src/store/fault.h"
#include "src/store/files.h"
#include "src/store/lmdb_env.h"
#include "src/store/lmdb_txn.h"
#include "src/store/schema.h"

namespace railcni {
namespace {

// In the state folder: a folder for each network of the name host-local.
constexpr const char* kNetworks = "/networks";

const char* kind_name(Store::File file) { return file == Store::File::kState ? "state" : "pools"; }

int schema_version(Store::File file) {
  return file == Store::File::kState ? schema::kStateVersion : schema::kPoolsVersion;
}

std::string meta_text(Store::File file) {
  return std::string("railcni ") + kind_name(file) + " " + std::to_string(schema_version(file));
}

// MDB_NOTLS: a reader's slot belongs to the transaction, so reads may nest. The state lives one
// boot long: what the kernel has in its cache is as good as on the disk, and a power cut that tears
// the file also ends the boot that it is named after.
unsigned flags_of(Store::File file) {
  return MDB_NOSUBDIR | MDB_NOTLS | (file == Store::File::kState ? MDB_NOSYNC : 0);
}

class LmdbStore : public Store {
 public:
  LmdbStore(File file, std::string path)
      : file_(file),
        path_(std::move(path)),
        fault_text_("the store " + path_ + " is damaged: a page of it cannot be read; " +
                    way_out(file)) {
    // LMDB's locks are POSIX ones: closing a second descriptor of the file would drop those of the
    // first.
    if (!open_paths().insert(path_).second) {
      throw Error(Code::kIoFailure, "the store " + path_ + " is open in this process already");
    }
  }
  ~LmdbStore() override {
    FaultScope scope(fault_text_);
    close();
    open_paths().erase(path_);
  }

  void open(Mode mode);
  // Makes the file, with its meta, where there is none, for nobody but this process.
  void make(size_t map_size);
  void write(const std::function<void(Txn&)>& work) override;
  void read(const std::function<void(const Txn&)>& work) override;
  const std::string& path() const override { return path_; }

 private:
  static std::set<std::string>& open_paths() {
    static std::set<std::string> paths;
    return paths;
  }

  int open_env(unsigned flags, size_t map_size);
  void close() {
    if (env_ != nullptr) mdb_env_close(std::exchange(env_, nullptr));
  }
  LmdbTxn begin(unsigned flags);
  int reopen();
  void refresh_map_size() {
    MDB_envinfo info;
    mdb_env_info(env_, &info);
    map_size_ = info.me_mapsize;
  }
  void check_file();
  void check_meta(const Txn& txn);
  [[noreturn]] void throw_foreign(std::string_view meta) const;
  void extend_file();
  bool top_up_reserve();
  size_t used_bytes() const;
  void use_huge_pages_since(size_t was_used);

  File file_;
  std::string path_;
  std::string fault_text_;
  FaultGuard guard_{"railcni crashed, to which damage of the store " + path_ + " can lead; " +
                    way_out(file_)};
  MDB_env* env_ = nullptr;
  unsigned flags_ = 0;  // that the environment was opened with
  MDB_dbi dbi_ = 0;
  bool read_only_ = false;
  bool is_ours_ = false;  // a transaction has seen the file's meta, or written it
  size_t map_size_ = 0;
  int open_txns_ = 0;
};

int LmdbStore::open_env(unsigned flags, size_t map_size) {
  close();
  flags_ = flags;
  int rc = mdb_env_create(&env_);
  if (rc != MDB_SUCCESS) return rc;
  mdb_env_set_assert(env_, [](MDB_env*, const char*) { die_of_store_fault(); });
  mdb_env_set_maxreaders(env_, kMaxReaders);
  if (map_size != 0) mdb_env_set_mapsize(env_, map_size);
  rc = mdb_env_open(env_, path_.c_str(), flags, 0600);
  if (rc != MDB_SUCCESS) return rc;
  // LMDB leaves the data file open across an exec, for a delegated plugin to inherit.
  int fd = -1;
  mdb_env_get_fd(env_, &fd);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  return rc;
}

void LmdbStore::make(size_t map_size) {
  FaultScope scope(fault_text_);
  const int rc = open_env(flags_of(file_) | MDB_NOLOCK, map_size);
  if (rc != MDB_SUCCESS) throw_lmdb(rc, file_, path_, "make");
  refresh_map_size();
  is_ours_ = true;
  write([this](Txn& txn) { txn.put(schema::table(schema::kMeta), meta_text(file_)); });
}

void LmdbStore::open(Mode mode) {
  FaultScope scope(fault_text_);
  const unsigned flags = flags_of(file_);
  // The file knows its map's size; LMDB takes it from there.
  constexpr size_t map_size = 0;

  int rc = prepare_lock_file(path_ + "-lock");
  if (rc == 0) {
    // For reading without a writer's buffers and its second descriptor of the file.
    read_only_ = mode == Mode::kRead;
    rc = open_env(read_only_ ? flags | MDB_RDONLY : flags, map_size);
  }
  auto refused = [&rc] { return rc == EROFS || rc == EACCES || rc == EPERM; };
  if (refused() && mode != Mode::kCreate) {
    // Reading needs no more than the file; who cannot write the lock file reads without it, which
    // is safe where nobody can write.
    read_only_ = true;
    rc = open_env(flags | MDB_RDONLY, map_size);
    if (refused()) rc = open_env(flags | MDB_RDONLY | MDB_NOLOCK, map_size);
  }
  if (rc != MDB_SUCCESS) throw_lmdb(rc, file_, path_, "open");
  int dead = 0;
  mdb_reader_check(env_, &dead);
  refresh_map_size();
  check_file();
}

// Every page up to the last one that is in use must be in the file, else reading it is a SIGBUS.
void LmdbStore::check_file() {
  MDB_envinfo info;
  MDB_stat stat;
  int fd = -1;
  struct stat file_info;
  mdb_env_info(env_, &info);
  mdb_env_stat(env_, &stat);
  mdb_env_get_fd(env_, &fd);
  if (fstat(fd, &file_info) != 0) throw_errno(Code::kIoFailure, "cannot stat " + path_, errno);
  // By division: a damaged number of pages may be of any size.
  size_t pages = static_cast<size_t>(file_info.st_size) / stat.ms_psize;
  if (info.me_last_pgno >= pages) {
    throw_damaged(file_, path_,
                  "it ends after " + std::to_string(pages) + " of its " +
                      std::to_string(info.me_last_pgno + 1) + " pages");
  }
}

// LMDB does not write a page that a transaction took and gave back, so the last page in use may be
// one that was never written, and the file shorter than it says. For check_file() to know
// a truncated file, the file is made as long as its map, with a hole at its end. Under the write
// lock, so that no two processes set different sizes.
void LmdbStore::extend_file() {
  int fd = -1;
  struct stat info;
  mdb_env_get_fd(env_, &fd);
  if (fstat(fd, &info) != 0) throw_errno(Code::kIoFailure, "cannot stat " + path_, errno);
  if (static_cast<size_t>(info.st_size) >= map_size_) return;
  if (ftruncate(fd, static_cast<off_t>(map_size_)) != 0) {
    throw_errno(Code::kIoFailure, "cannot extend the store " + path_, errno);
  }
}

// LMDB writes a changed page to another place, so a DEL needs blocks before it gives any back. The
// state file therefore has blocks for kReservePages behind its last page, got before a transaction
// that may use them up; false when the disk has none left, and then only what makes the state
// smaller is committed (LmdbTxn::keep_reserve()). Some ten pages are what a DEL takes, and LMDB
// has them back for the next but one.
//
// All blocks from the start of the file are got, holes among its used pages included, so that
// their number alone says whether there are enough.
bool LmdbStore::top_up_reserve() {
  constexpr size_t kReservePages = 64;
  constexpr size_t kStepPages = 16;  // so that not every transaction has to
  if (file_ != File::kState) return true;
  int fd = -1;
  MDB_stat stat;
  mdb_env_get_fd(env_, &fd);
  mdb_env_stat(env_, &stat);
  const size_t used = used_bytes();
  const auto blocks = [fd]() -> size_t {
    struct stat file_info;
    return fstat(fd, &file_info) == 0 ? static_cast<size_t>(file_info.st_blocks) * 512 : SIZE_MAX;
  };
  const size_t wanted = used + kReservePages * stat.ms_psize;
  const size_t there = blocks() / stat.ms_psize * stat.ms_psize;
  if (there >= wanted) return true;
  const auto get_between = [fd](size_t from, size_t to) {
    return fallocate(fd, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from),
                     static_cast<off_t>(to - from)) == 0;
  };
  // What is in use mostly is without a hole, and only the end is to be got. The kernel walks over
  // every page that it is told to get: 3 ms for a gigabyte.
  const size_t end = std::min(there, used);
  const auto get = [&](size_t size) {
    return (get_between(end, size) && blocks() >= size) || get_between(0, size);
  };
  if (get(wanted + kStepPages * stat.ms_psize) || get(wanted)) return true;
  // A filesystem that cannot do it gives no guarantees, and is used without.
  return errno != ENOSPC && errno != EDQUOT;
}

// Up to its last page that is in use.
size_t LmdbStore::used_bytes() const {
  MDB_envinfo info;
  MDB_stat stat;
  mdb_env_info(env_, &info);
  mdb_env_stat(env_, &stat);
  return (info.me_last_pgno + 1) * stat.ms_psize;
}

// An ADD reads eight pages in eight places of a state with a million attachments, and in small
// pages each such place takes a page table. That is for states far beyond what one node has: up to
// kInSmallPages, some 15 000 attachments, nobody pays for it. Each huge page is made once, by the
// transaction that fills it.
void LmdbStore::use_huge_pages_since(size_t was_used) {
  constexpr size_t kInSmallPages = size_t{16} << 20;
  if (file_ != File::kState) return;
  const size_t from = std::max(was_used / kHugePage * kHugePage, kInSmallPages);
  const size_t to = used_bytes() / kHugePage * kHugePage;
  if (from >= to) return;
  int fd = -1;
  mdb_env_get_fd(env_, &fd);
  use_huge_pages(fd, from, to);
}

// The key 'M' says whose file this is and of which schema; one of somebody else, or of another
// schema, is refused.
void LmdbStore::check_meta(const Txn& txn) {
  if (is_ours_) return;
  const std::optional<std::string_view> meta = txn.get(schema::table(schema::kMeta));
  if (meta != meta_text(file_)) throw_foreign(meta.value_or(""));
  is_ours_ = true;
}

void LmdbStore::throw_foreign(std::string_view meta) const {
  const std::string magic = std::string("railcni ") + kind_name(file_) + " ";
  int version = 0;
  if (meta.starts_with(magic)) {
    std::from_chars(meta.data() + magic.size(), meta.data() + meta.size(), version);
  }
  if (version > 0) {
    throw Error(Code::kStoreDamaged,
                path_ + " has schema version " + std::to_string(version) +
                    ", this railcni knows version " + std::to_string(schema_version(file_)) +
                    ": use the railcni that wrote it",
                way_out(file_));
  }
  const bool is_other_kind = meta.starts_with("railcni ");
  throw Error(Code::kStoreDamaged,
              path_ + " is not a railcni store" +
                  (is_other_kind ? " of this kind (" + std::string(meta) + ")" : ""),
              way_out(file_));
}

// After a commit that could not write its meta page LMDB gives nothing but MDB_PANIC. What was
// committed before is whole, and the rollback of a failed ADD needs it.
int LmdbStore::reopen() {
  const int rc = open_env(flags_, 0);
  dbi_ = 0;
  if (rc == MDB_SUCCESS) refresh_map_size();
  return rc;
}

LmdbTxn LmdbStore::begin(unsigned flags) {
  MDB_txn* txn = nullptr;
  int rc = mdb_txn_begin(env_, nullptr, flags, &txn);
  if (rc == MDB_PANIC && open_txns_ == 0) {
    rc = reopen();
    if (rc == MDB_SUCCESS) rc = mdb_txn_begin(env_, nullptr, flags, &txn);
  }
  // Another process may grow the file as often as it likes.
  while (rc == MDB_MAP_RESIZED) {
    rc = open_txns_ > 0 ? EBUSY : mdb_env_set_mapsize(env_, 0);
    if (rc != MDB_SUCCESS) throw_lmdb(rc, file_, path_, "map");
    refresh_map_size();
    rc = mdb_txn_begin(env_, nullptr, flags, &txn);
  }
  if (rc != MDB_SUCCESS) throw_lmdb(rc, file_, path_, "open");
  if (dbi_ == 0) {
    unsigned db_flags = 0;
    rc = mdb_dbi_open(txn, nullptr, 0, &dbi_);
    if (rc == MDB_SUCCESS) rc = mdb_dbi_flags(txn, dbi_, &db_flags);
    if (rc == MDB_SUCCESS && db_flags != 0) rc = MDB_INCOMPATIBLE;
    if (rc != MDB_SUCCESS) {
      mdb_txn_abort(txn);
      throw_lmdb(rc, file_, path_, "open");
    }
  }
  return LmdbTxn(txn, dbi_, file_, path_, map_size_);
}

void LmdbStore::write(const std::function<void(Txn&)>& work) {
  if (read_only_) throw_errno(Code::kIoFailure, "cannot write the store " + path_, EROFS);
  // Growing the map moves it, under the feet of any other transaction.
  if (open_txns_ > 0) {
    throw Error(Code::kIoFailure, "the store " + path_ + ": a write inside of a transaction");
  }
  FaultScope scope(fault_text_);
  for (;;) {
    {
      LmdbTxn txn = begin(0);
      struct Count {
        int& n;
        ~Count() { --n; }
      } count{++open_txns_};
      // Before anything is done to what may be somebody else's file.
      name_store_in_errors(path_, [&] { check_meta(txn); });
      extend_file();
      if (!top_up_reserve()) txn.keep_reserve();
      const size_t was_used = used_bytes();
      try {
        name_store_in_errors(path_, [&] { work(txn); });
        if (!txn.map_full() && txn.commit()) {
          top_up_reserve();  // a large one may have used it up, and a DEL may be the next
          use_huge_pages_since(was_used);
          return;
        }
      } catch (const MapFull&) {
        // Falls through to the growing, after the transaction has ended.
      }
    }
    int rc = mdb_env_set_mapsize(env_, map_size_ * 2);
    if (rc != MDB_SUCCESS) throw_lmdb(rc, file_, path_, "grow");
    refresh_map_size();
  }
}

void LmdbStore::read(const std::function<void(const Txn&)>& work) {
  FaultScope scope(fault_text_);
  LmdbTxn txn = begin(MDB_RDONLY);
  struct Count {
    int& n;
    ~Count() { --n; }
  } count{++open_txns_};
  name_store_in_errors(path_, [&] {
    check_meta(txn);
    work(txn);
  });
}

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
  std::string path = store_file_path(file, paths);
  struct stat info;
  const bool exists = stat(path.c_str(), &info) == 0;
  if (!exists && mode != Store::Mode::kCreate) {
    // ENOTDIR: a folder that cannot be cannot hold a file either.
    if (errno == ENOENT || errno == ENOTDIR) return nullptr;
    throw_errno(Code::kIoFailure, "cannot open the store " + path, errno);
  }
  if (exists && !S_ISREG(info.st_mode)) {
    throw Error(Code::kStoreDamaged, path + " is not a railcni store (not a regular file)");
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
