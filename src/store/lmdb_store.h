// One of the two LMDB files: how it is opened and made, its transactions, and what an older railcni
// left.
#ifndef RAILCNI_SRC_STORE_LMDB_STORE_H_
#define RAILCNI_SRC_STORE_LMDB_STORE_H_

#include <lmdb.h>

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "railcni/store.h"
#include "src/store/fault.h"
#include "src/store/file_lock.h"
#include "src/store/lmdb_txn.h"

namespace railcni {

// LMDB is opened without its locks (MDB_NOLOCK): its mutexes have no time-out, its table of readers
// is by PID, which two PID namespaces have in common, and both lie in a file that processes of
// different C libraries would have to agree on. A lock on a byte of the data file stands in:
// shared for a read transaction, exclusive for a write transaction. So no reader ever has pages
// that a writer takes, and a process that was killed leaves nothing to repair.
class LmdbStore : public Store {
 public:
  LmdbStore(File file, std::string path);
  ~LmdbStore() override;

  void open(Mode mode);
  // Makes the file, with its meta, where there is none, for nobody but this process. `map_size`:
  // the size of the map, in bytes.
  void make(size_t map_size);
  void write(const std::function<void(Txn&)>& work) override;
  void read(const std::function<void(const Txn&)>& work) override;
  const std::string& path() const override { return path_; }

 private:
  // Holds the file's lock; it lasts as long as the outermost transaction of this process.
  class Hold;

  static std::set<std::string>& open_paths();
  int open_env(unsigned flags, size_t map_size);
  void close() {
    if (env_ != nullptr) mdb_env_close(std::exchange(env_, nullptr));
  }
  int fd() const;
  LmdbTxn begin(unsigned flags);
  void refresh_map_size();
  void check_file();
  bool check_meta(const Txn& txn);
  [[noreturn]] void throw_foreign(std::string_view meta) const;
  void take_over();
  enum class Outcome { kDone, kMapFull, kOlder };
  Outcome try_write(const std::function<void(Txn&)>& work);
  void grow();
  // Of lmdb_room.cc.
  void extend_file();
  bool top_up_reserve();
  size_t used_bytes() const;
  void use_huge_pages_since(size_t was_used);

  File file_;
  std::string path_;
  std::string fault_text_;
  FaultGuard guard_;
  MDB_env* env_ = nullptr;
  unsigned flags_ = 0;  // that the environment was opened with
  MDB_dbi dbi_ = 0;
  bool read_only_ = false;
  bool is_ours_ = false;  // a transaction has seen the file's meta, or written it
  size_t map_size_ = 0;
  int open_txns_ = 0;
  bool has_worked_ = false;  // in a transaction before
};

}  // namespace railcni

#endif  // RAILCNI_SRC_STORE_LMDB_STORE_H_
