// LMDB transactions behind the Txn contract, and LMDB's return codes as errors.
#ifndef RAILCNI_SRC_STORE_LMDB_TXN_H_
#define RAILCNI_SRC_STORE_LMDB_TXN_H_

#include <lmdb.h>

#include <cstdint>
#include <string>
#include <utility>

#include "railcni/store.h"

namespace railcni {

// Thrown through `work` when the map is full, to unwind to write(), which grows the map and runs
// `work` again. Not an Error, so that nobody takes it for one and goes on.
struct MapFull {};

// What the user can do about a damaged file.
std::string way_out(Store::File file);

[[noreturn]] void throw_damaged(Store::File file, const std::string& path, const std::string& why);
// "cannot VERB the store PATH: ..." for an LMDB return code other than MDB_SUCCESS.
[[noreturn]] void throw_lmdb(int rc, Store::File file, const std::string& path, const char* verb);

class LmdbTxn : public Txn {
 public:
  LmdbTxn(MDB_txn* txn, MDB_dbi dbi, Store::File file, const std::string& path, size_t map_size)
      : txn_(txn), dbi_(dbi), file_(file), path_(path), map_size_(map_size) {}
  ~LmdbTxn() override {
    if (txn_ != nullptr) mdb_txn_abort(txn_);
  }
  LmdbTxn(const LmdbTxn&) = delete;
  LmdbTxn& operator=(const LmdbTxn&) = delete;

  std::optional<std::string_view> get(std::string_view key) const override;
  void put(std::string_view key, std::string_view value) override;
  bool erase(std::string_view key) override;
  void scan(std::string_view prefix, std::string_view from,
            const std::function<bool(std::string_view key, std::string_view value)>& visit)
      const override;

  // The disk has no room left but the reserve, which is for transactions that give room back: one
  // whose rows grow in sum is refused by commit(). To be called before the first change.
  void keep_reserve() { keep_reserve_ = true; }
  // Ends the transaction; false when the map was full.
  bool commit();
  // True when a step met the full map, whatever `work` made of it.
  bool map_full() const { return map_full_; }

 private:
  void check(int rc, const char* verb) const;
  std::string_view to_view(const MDB_val& val) const;
  size_t row_size(std::string_view key) const;

  MDB_txn* txn_;
  MDB_dbi dbi_;
  Store::File file_;
  const std::string& path_;
  size_t map_size_;
  bool keep_reserve_ = false;
  int64_t growth_ = 0;  // bytes that the rows grew by; only counted to keep the reserve
  mutable bool map_full_ = false;
};

}  // namespace railcni

#endif  // RAILCNI_SRC_STORE_LMDB_TXN_H_
