// The room that a store's file has on its disk: its size, its reserve and its huge pages.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "railcni/error.h"
#include "src/store/files.h"
#include "src/store/lmdb_store.h"

namespace railcni {

// LMDB does not write a page that a transaction took and gave back, so the last page in use may be
// one that was never written, and the file shorter than it says. For check_file() to know
// a truncated file, the file is made as long as its map, with a hole at its end. Under the write
// lock, so that no two processes set different sizes.
void LmdbStore::extend_file() {
  struct stat info;
  if (fstat(fd(), &info) != 0) throw_errno(Code::kIoFailure, "cannot stat " + path_, errno);
  if (static_cast<size_t>(info.st_size) >= map_size_) return;
  if (ftruncate(fd(), static_cast<off_t>(map_size_)) != 0) {
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
  const int fd = this->fd();
  MDB_stat stat;
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
  use_huge_pages(fd(), from, to);
}

}  // namespace railcni
