#include "src/store/lmdb_store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <thread>

#include "railcni/error.h"
#include "railcni/fd.h"
#include "src/store/schema.h"

namespace railcni {
namespace {

// Transactions take a fraction of a millisecond; a slow disk syncs the pools within seconds.
constexpr std::chrono::seconds kTransactionTimeout{10};
// What a call of an older railcni takes at most, in practice.
constexpr std::chrono::seconds kOlderTimeout{60};
// The byte that stands for the whole file: far behind all that it will ever hold.
constexpr off_t kLockOffset = off_t{1} << 62;
// Whoever waits for that one has a shared lock on this one.
constexpr off_t kWaitOffset = kLockOffset - (off_t{1} << 32);

const char* kind_name(Store::File file) { return file == Store::File::kState ? "state" : "pools"; }

int schema_version(Store::File file) {
  return file == Store::File::kState ? schema::kStateVersion : schema::kPoolsVersion;
}

std::string meta_start(Store::File file) { return std::string("railcni ") + kind_name(file) + " "; }

std::string meta_text(Store::File file) {
  return meta_start(file) + std::to_string(schema_version(file));
}

// The schema version that a meta speaks of; 0 when it is not one of that file.
int version_in(std::string_view meta, Store::File file) {
  const std::string start = meta_start(file);
  int version = 0;
  if (meta.starts_with(start)) {
    std::from_chars(meta.data() + start.size(), meta.data() + meta.size(), version);
  }
  return version;
}

// MDB_NOTLS: a reader's slot belongs to the transaction, so reads may nest. The state lives one
// boot long: what the kernel has in its cache is as good as on the disk, and a power cut that tears
// the file also ends the boot that it is named after.
unsigned flags_of(Store::File file) {
  return MDB_NOSUBDIR | MDB_NOTLS | MDB_NOLOCK | (file == Store::File::kState ? MDB_NOSYNC : 0);
}

bool is_refusal(int rc) { return rc == EROFS || rc == EACCES || rc == EPERM; }

}  // namespace

class LmdbStore::Hold {
 public:
  Hold(LmdbStore& store, LockType type) : store_(store), is_outermost_(store.open_txns_ == 0) {
    if (is_outermost_) lock(type);
    ++store_.open_txns_;
  }
  ~Hold() {
    --store_.open_txns_;
    if (is_outermost_) unlock(store_.fd(), kLockOffset);
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  void lock(LockType type) {
    const int fd = store_.fd();
    // One transaction right after the other would leave no moment to those who wait.
    if (std::exchange(store_.has_worked_, true) && is_locked(fd, kWaitOffset)) {
      std::this_thread::sleep_for(2 * kLongestPause);
    }
    const std::string what = "the store " + store_.path_;
    if (try_lock(fd, type, kLockOffset, what)) return;
    const bool is_marked = try_lock(fd, LockType::kShared, kWaitOffset, what);
    const auto unmark = [&] {
      if (is_marked) unlock(fd, kWaitOffset);
    };
    try {
      lock_within(fd, type, kLockOffset, kTransactionTimeout, what);
    } catch (const Error&) {
      unmark();
      throw;
    }
    unmark();
  }

  LmdbStore& store_;
  bool is_outermost_;
};

LmdbStore::LmdbStore(File file, std::string path)
    : file_(file),
      path_(std::move(path)),
      fault_text_("the store " + path_ + " is damaged: a page of it cannot be read; " +
                  way_out(file)),
      guard_("railcni crashed, to which damage of the store " + path_ + " can lead; " +
             way_out(file)) {
  if (!open_paths().insert(path_).second) {
    throw Error(Code::kIoFailure, "the store " + path_ + " is open in this process already");
  }
}

LmdbStore::~LmdbStore() {
  FaultScope scope(fault_text_);
  close();
  open_paths().erase(path_);
}

std::set<std::string>& LmdbStore::open_paths() {
  static std::set<std::string> paths;
  return paths;
}

int LmdbStore::fd() const {
  int fd = -1;
  mdb_env_get_fd(env_, &fd);
  return fd;
}

void LmdbStore::refresh_map_size() {
  MDB_envinfo info;
  mdb_env_info(env_, &info);
  map_size_ = info.me_mapsize;
}

int LmdbStore::open_env(unsigned flags, size_t map_size) {
  close();
  flags_ = flags;
  dbi_ = 0;
  int rc = mdb_env_create(&env_);
  if (rc != MDB_SUCCESS) return rc;
  mdb_env_set_assert(env_, [](MDB_env*, const char*) { die_of_store_fault(); });
  if (map_size != 0) mdb_env_set_mapsize(env_, map_size);
  rc = mdb_env_open(env_, path_.c_str(), flags, 0600);
  if (rc != MDB_SUCCESS) return rc;
  // LMDB leaves the data file open across an exec, for a delegated plugin to inherit.
  fcntl(fd(), F_SETFD, FD_CLOEXEC);
  refresh_map_size();
  return rc;
}

void LmdbStore::make(size_t map_size) {
  FaultScope scope(fault_text_);
  const int rc = open_env(flags_of(file_), map_size);
  if (rc != MDB_SUCCESS) throw_lmdb(rc, file_, path_, "make");
  is_ours_ = true;
  write([this](Txn& txn) { txn.put(schema::table(schema::kMeta), meta_text(file_)); });
}

void LmdbStore::open(Mode mode) {
  FaultScope scope(fault_text_);
  // For reading without a writer's buffers and its second descriptor of the file. The file knows
  // its map's size.
  read_only_ = mode == Mode::kRead;
  int rc = open_env(flags_of(file_) | (read_only_ ? MDB_RDONLY : 0), 0);
  if (is_refusal(rc) && mode == Mode::kExisting) {
    read_only_ = true;
    rc = open_env(flags_of(file_) | MDB_RDONLY, 0);
  }
  if (rc != MDB_SUCCESS) throw_lmdb(rc, file_, path_, "open");
  check_file();
}

// Every page up to the last one that is in use must be in the file, else reading it is a SIGBUS.
void LmdbStore::check_file() {
  MDB_envinfo info;
  MDB_stat stat;
  struct stat file_info;
  mdb_env_info(env_, &info);
  mdb_env_stat(env_, &stat);
  if (fstat(fd(), &file_info) != 0) throw_errno(Code::kIoFailure, "cannot stat " + path_, errno);
  // By division: a damaged number of pages may be of any size.
  size_t pages = static_cast<size_t>(file_info.st_size) / stat.ms_psize;
  if (info.me_last_pgno >= pages) {
    throw_damaged(file_, path_,
                  "it ends after " + std::to_string(pages) + " of its " +
                      std::to_string(info.me_last_pgno + 1) + " pages");
  }
}

// The key 'M' says whose file this is and of which schema; one of somebody else, or of a newer
// schema, is refused. False when it is an older railcni's.
bool LmdbStore::check_meta(const Txn& txn) {
  if (is_ours_) return true;
  const std::string_view meta = txn.get(schema::table(schema::kMeta)).value_or("");
  if (meta == schema::kRemoved) {
    throw Error(Code::kTryAgainLater, path_ + " was removed this moment, since nobody used it");
  }
  const int version = version_in(meta, file_);
  if (version == schema_version(file_) - 1) return false;
  if (version != schema_version(file_)) throw_foreign(meta);
  is_ours_ = true;
  return true;
}

void LmdbStore::throw_foreign(std::string_view meta) const {
  if (const int version = version_in(meta, file_); version > 0) {
    throw Error(Code::kStoreDamaged,
                path_ + " has schema version " + std::to_string(version) +
                    ", this railcni knows version " + std::to_string(schema_version(file_)) +
                    ": use the railcni that wrote it, or a later one",
                way_out(file_));
  }
  const bool is_other_kind = meta.starts_with("railcni ");
  throw Error(Code::kStoreDamaged,
              path_ + " is not a railcni store" +
                  (is_other_kind ? " of this kind (" + std::string(meta) + ")" : ""),
              way_out(file_));
}

// A file of the last schema version holds what one of this version may hold, and becomes one by its
// meta. But that version's railcni has LMDB's own locks in place of ours: as long as it has the
// file open it holds a shared lock on the first byte of LMDB's lock file, so that to have an
// exclusive one is to know that nobody of that version has it open. One that comes later finds the
// new meta.
void LmdbStore::take_over() {
  const unsigned flags = flags_;
  const std::string lock_path = path_ + "-lock";
  const Fd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock && read_only_ && is_refusal(errno)) {
    is_ours_ = true;  // nobody can write here, so that it can be read without locks
    return;
  }
  if (!lock) throw_errno(Code::kIoFailure, "cannot open " + lock_path, errno);
  lock_within(lock.get(), LockType::kExclusive, 0, kOlderTimeout,
              "the store " + path_ + ", in use by an older railcni,");
  int rc = open_env(flags & ~static_cast<unsigned>(MDB_RDONLY), 0);
  if (rc != MDB_SUCCESS) throw_lmdb(rc, file_, path_, "open");
  const bool was_read_only = std::exchange(read_only_, false);
  is_ours_ = true;
  // Another process of ours may have done it by now, which does no harm.
  write([this](Txn& txn) { txn.put(schema::table(schema::kMeta), meta_text(file_)); });
  unlink(lock_path.c_str());
  read_only_ = was_read_only;
  if (read_only_) rc = open_env(flags, 0);
  if (rc != MDB_SUCCESS) throw_lmdb(rc, file_, path_, "open");
}

// The caller holds the file's lock.
LmdbTxn LmdbStore::begin(unsigned flags) {
  MDB_txn* txn = nullptr;
  int rc = mdb_txn_begin(env_, nullptr, flags, &txn);
  if (rc == MDB_PANIC && open_txns_ == 1) {
    // After a commit that could not write its meta page LMDB gives nothing else. What was committed
    // before is whole, and the rollback of a failed ADD needs it.
    rc = open_env(flags_, 0);
    if (rc == MDB_SUCCESS) {
      lock_within(fd(), flags == 0 ? LockType::kExclusive : LockType::kShared, kLockOffset,
                  kTransactionTimeout, "the store " + path_);
      rc = mdb_txn_begin(env_, nullptr, flags, &txn);
    }
  }
  // Another process may grow the file as often as it likes.
  while (rc == MDB_MAP_RESIZED) {
    rc = open_txns_ > 1 ? EBUSY : mdb_env_set_mapsize(env_, 0);
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

LmdbStore::Outcome LmdbStore::try_write(const std::function<void(Txn&)>& work) {
  const Hold hold(*this, LockType::kExclusive);
  LmdbTxn txn = begin(0);
  // Before anything is done to what may be somebody else's file.
  bool is_current = false;
  name_store_in_errors(path_, [&] { is_current = check_meta(txn); });
  if (!is_current) return Outcome::kOlder;
  extend_file();
  if (!top_up_reserve()) txn.keep_reserve();
  const size_t was_used = used_bytes();
  try {
    name_store_in_errors(path_, [&] { work(txn); });
    if (txn.map_full() || !txn.commit()) return Outcome::kMapFull;
  } catch (const MapFull&) {
    return Outcome::kMapFull;
  }
  top_up_reserve();  // a large one may have used it up, and a DEL may be the next
  use_huge_pages_since(was_used);
  return Outcome::kDone;
}

void LmdbStore::grow() {
  const int rc = mdb_env_set_mapsize(env_, map_size_ * 2);
  if (rc != MDB_SUCCESS) throw_lmdb(rc, file_, path_, "grow");
  refresh_map_size();
}

void LmdbStore::write(const std::function<void(Txn&)>& work) {
  if (read_only_) throw_errno(Code::kIoFailure, "cannot write the store " + path_, EROFS);
  // Growing the map moves it, under the feet of any other transaction.
  if (open_txns_ > 0) {
    throw Error(Code::kIoFailure, "the store " + path_ + ": a write inside of a transaction");
  }
  FaultScope scope(fault_text_);
  for (;;) {
    switch (try_write(work)) {
      case Outcome::kDone:
        return;
      case Outcome::kMapFull:
        grow();
        break;
      case Outcome::kOlder:
        take_over();
        break;
    }
  }
}

void LmdbStore::read(const std::function<void(const Txn&)>& work) {
  FaultScope scope(fault_text_);
  for (;;) {
    {
      const Hold hold(*this, LockType::kShared);
      const LmdbTxn txn = begin(MDB_RDONLY);
      bool is_current = false;
      name_store_in_errors(path_, [&] {
        is_current = check_meta(txn);
        if (is_current) work(txn);
      });
      if (is_current) return;
    }
    take_over();
  }
}

}  // namespace railcni
