#include "src/store/lmdb_txn.h"

#include <errno.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <memory>

#include "railcni/error.h"

namespace railcni {
namespace {

MDB_val to_val(std::string_view bytes) {
  return MDB_val{bytes.size(), const_cast<char*>(bytes.data())};
}

// LMDB gives EIO for a write that was cut short, which is how a disk that is about full shows.
bool is_full(const std::string& path) {
  constexpr uint64_t kAboutFull = uint64_t{1} << 20;
  struct statvfs info;
  return statvfs(path.c_str(), &info) == 0 && info.f_bavail * info.f_bsize < kAboutFull;
}

}  // namespace

std::string way_out(Store::File file) {
  return file == Store::File::kState
             ? "delete the Pods on this node's railcni networks and remove the file"
             : "restore the file from a copy, or remove it and apply the pools again";
}

[[noreturn]] void throw_damaged(Store::File file, const std::string& path, const std::string& why) {
  throw Error(Code::kStoreDamaged, "the store " + path + " is damaged: " + why, way_out(file));
}

[[noreturn]] void throw_lmdb(int rc, Store::File file, const std::string& path, const char* verb) {
  switch (rc) {
    case MDB_INVALID:
      throw Error(Code::kStoreDamaged, path + " is not a railcni store (not an LMDB file)",
                  way_out(file));
    case MDB_VERSION_MISMATCH:
      throw Error(Code::kStoreDamaged,
                  path + " is not a railcni store (an LMDB file of another format version)",
                  way_out(file));
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_CURSOR_FULL:
    case MDB_PAGE_FULL:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_TXN:
    case MDB_PANIC:
      throw_damaged(file, path, mdb_strerror(rc));
    case MDB_BAD_VALSIZE:
      throw Error(Code::kIoFailure, "the store " + path + ": a key must have 1 to 511 bytes");
    case MDB_MAP_FULL:
      throw MapFull();
    default:
      break;
  }
  // LMDB's own codes are negative, the positive ones are errno values.
  std::string what = std::string("cannot ") + verb + " the store " + path;
  if (rc > 0) throw_errno(Code::kIoFailure, what, rc);
  throw Error(Code::kIoFailure, what + ": " + mdb_strerror(rc));
}

void LmdbTxn::check(int rc, const char* verb) const {
  if (rc == MDB_SUCCESS) return;
  if (rc == MDB_MAP_FULL) map_full_ = true;
  throw_lmdb(rc, file_, path_, verb);
}

std::string_view LmdbTxn::to_view(const MDB_val& val) const {
  // LMDB takes a value's size from the page without a look at it.
  if (val.mv_size > map_size_) throw_damaged(file_, path_, "a value is larger than the file");
  return {static_cast<const char*>(val.mv_data), val.mv_size};
}

std::optional<std::string_view> LmdbTxn::get(std::string_view key) const {
  MDB_val k = to_val(key);
  MDB_val v;
  int rc = mdb_get(txn_, dbi_, &k, &v);
  if (rc == MDB_NOTFOUND) return std::nullopt;
  check(rc, "read");
  return to_view(v);
}

size_t LmdbTxn::row_size(std::string_view key) const {
  std::optional<std::string_view> value = get(key);
  return value ? key.size() + value->size() : 0;
}

void LmdbTxn::put(std::string_view key, std::string_view value) {
  if (keep_reserve_) growth_ += static_cast<int64_t>(key.size() + value.size() - row_size(key));
  MDB_val k = to_val(key);
  MDB_val v = to_val(value);
  check(mdb_put(txn_, dbi_, &k, &v, 0), "write");
}

bool LmdbTxn::erase(std::string_view key) {
  if (keep_reserve_) growth_ -= static_cast<int64_t>(row_size(key));
  MDB_val k = to_val(key);
  int rc = mdb_del(txn_, dbi_, &k, nullptr);
  if (rc == MDB_NOTFOUND) return false;
  check(rc, "write");
  return true;
}

void LmdbTxn::scan(
    std::string_view prefix, std::string_view from,
    const std::function<bool(std::string_view key, std::string_view value)>& visit) const {
  MDB_cursor* raw = nullptr;
  check(mdb_cursor_open(txn_, dbi_, &raw), "read");
  std::unique_ptr<MDB_cursor, decltype(&mdb_cursor_close)> cursor(raw, mdb_cursor_close);
  std::string start(std::max(prefix, from));
  MDB_val k = to_val(start);
  MDB_val v;
  std::string_view previous;
  int rc = mdb_cursor_get(raw, &k, &v, start.empty() ? MDB_FIRST : MDB_SET_RANGE);
  for (; rc == MDB_SUCCESS; rc = mdb_cursor_get(raw, &k, &v, MDB_NEXT)) {
    std::string_view key = to_view(k);
    // Pages of a damaged file may lead back to each other, and the walk would never end.
    if (key <= previous || key < start) throw_damaged(file_, path_, "its keys are out of order");
    previous = key;
    if (!key.starts_with(prefix) || !visit(key, to_view(v))) return;
  }
  if (rc != MDB_NOTFOUND) check(rc, "read");
}

bool LmdbTxn::commit() {
  if (keep_reserve_ && growth_ > 0) check(ENOSPC, "commit to");
  int rc = mdb_txn_commit(std::exchange(txn_, nullptr));
  if (rc == MDB_MAP_FULL) return false;
  if (rc == EIO && is_full(path_)) rc = ENOSPC;
  check(rc, "commit to");
  return true;
}

}  // namespace railcni
