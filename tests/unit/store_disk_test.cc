// Disks that are full or read-only: tmpfs in a mount namespace of its own.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "src/store/files.h"
#include "temp_store.h"

// What was asked of fallocate(2), in bytes.
static int64_t got_blocks = 0;

// In place of libc's (fallocate() in a program of 64-bit file offsets).
extern "C" int fallocate64(int fd, int mode, off64_t offset, off64_t size) {
  if ((mode & FALLOC_FL_PUNCH_HOLE) == 0) got_blocks += size;
  return static_cast<int>(syscall(SYS_fallocate, fd, mode, offset, size));
}

namespace railcni {
namespace {

using test::count_keys;
using test::error_of;
using test::fill;
using test::in_child;
using test::open_state;
using test::TempDir;
using test::wait_for;

// How much of a file's huge page at `offset` the kernel maps as one, in KB; -1 when it does not
// tell.
int mapped_as_huge(const std::string& path, off_t offset) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  char* const room = static_cast<char*>(
      mmap(nullptr, 2 * kHugePage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  char* const place = room + kHugePage - reinterpret_cast<uintptr_t>(room) % kHugePage;
  if (mmap(place, kHugePage, PROT_READ, MAP_SHARED | MAP_FIXED, fd, offset) != place) return -1;
  static_cast<void>(*static_cast<volatile char*>(place));  // now it is mapped
  std::ostringstream begin;
  begin << std::hex << reinterpret_cast<uintptr_t>(place) << '-';
  std::ifstream smaps("/proc/self/smaps");
  bool here = false;
  for (std::string line; std::getline(smaps, line);) {
    if (line.find('-') == 12) here = line.starts_with(begin.str());
    if (here && line.starts_with("ShmemPmdMapped:")) return std::stoi(line.substr(15));
  }
  return -1;
}

// Runs `work` in a child with a private tmpfs of `size` on `path`.
int on_tmpfs(const std::string& path, const std::string& options,
             const std::function<int()>& work) {
  return wait_for(in_child([&] {
    if (unshare(CLONE_NEWNS) != 0) return 77;
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 77;
    if (mount("tmpfs", path.c_str(), "tmpfs", 0, ("mode=700," + options).c_str()) != 0) return 77;
    return work();
  }));
}

TEST_CASE("a state in memory needs no boot in its name, one that was left on a disk does",
          "[store]") {
  CHECK_FALSE(is_in_memory("/proc"));
  CHECK_FALSE(is_in_memory("/no/such/folder"));
  if (geteuid() != 0) {
    WARN("needs root: skipped");
    return;
  }
  TempDir dir;
  int status = on_tmpfs(dir.path(), "size=2m", [&] {
    // A folder that is not there yet, and then is.
    for (int i = 0; i < 2; ++i) {
      const std::string folder = dir.path() + "/networks/rail";
      const StorePaths paths = StorePaths::from_data_dir(folder);
      const auto store = Store::open(Store::File::kState, paths, Store::Mode::kCreate);
      if (store->path() != folder + "/state.mdb") return 1;
      if (store_file_path(Store::File::kState, paths) != store->path()) return 2;
    }
    return 0;
  });
  CHECK(status == 0);
}

TEST_CASE("a full disk is an error with its text, and what was there stays", "[store]") {
  if (geteuid() != 0) {
    WARN("needs root: skipped");
    return;
  }
  TempDir dir;
  int status = on_tmpfs(dir.path(), "size=512k", [&] {
    auto store = open_state(dir);
    fill(*store, 10, 100);
    bool full = false;
    for (int i = 0; i < 100 && !full; ++i) {
      try {
        fill(*store, 100, 1000, 100 + 100 * i);
      } catch (const Error& error) {
        full = true;
        if (error.code() != Code::kIoFailure) return 1;
        if (error.msg().find("No space left on device") == std::string::npos) return 2;
        if (error.msg().find(store->path()) == std::string::npos) return 3;
      }
    }
    if (!full) return 4;
    // Every transaction was all or nothing.
    if (count_keys(*store) % 100 != 10) return 5;
    int before = count_keys(*store);
    store.reset();
    store = open_state(dir);
    return count_keys(*store) == before ? 0 : 6;
  });
  CHECK(status == 0);
  // No room for the lock file, or for the first pages.
  for (const char* size : {"size=64k", "size=4k", "size=72k"}) {
    CAPTURE(size);
    status = on_tmpfs(dir.path(), size, [&] {
      Error error = error_of([&] { fill(*open_state(dir), 10, 1000); });
      if (error.code() != Code::kIoFailure) return 1;
      return error.msg().find("No space left on device") == std::string::npos ? 2 : 0;
    });
    CHECK(status == 0);
  }
  status = on_tmpfs(dir.path(), "nr_inodes=1", [&] {
    return error_of([&] { open_state(dir); }).code() == Code::kIoFailure ? 0 : 1;
  });
  CHECK(status == 0);
}

TEST_CASE("a full disk has room for what makes the state smaller", "[store]") {
  if (geteuid() != 0) {
    WARN("needs root: skipped");
    return;
  }
  TempDir dir;
  int status = on_tmpfs(dir.path(), "size=2m", [&] {
    fill(*open_state(dir), 300, 1000);
    // Somebody else takes the rest of the disk.
    const int fd = open((dir.path() + "/other").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    const std::string block(4096, 'x');
    while (write(fd, block.data(), block.size()) > 0) {
    }
    // Whatever fits into what is left of the reserve's step; then no more.
    bool refused = false;
    for (int i = 0; i < 200 && !refused; ++i) {
      try {
        fill(*open_state(dir), 1, 1000, 1000 + i);
      } catch (const Error& error) {
        refused = error.msg().find("No space left on device") != std::string::npos;
      }
    }
    if (!refused) return 1;
    for (int i = 0; i < 300; ++i) {
      open_state(dir)->write([&](Txn& txn) {
        txn.erase("X" + std::to_string(i));
        txn.put("R" + std::to_string(i), "rests");
      });
    }
    return count_keys(*open_state(dir), "R") == 300 ? 0 : 2;
  });
  CHECK(status == 0);
}

TEST_CASE("a growing file gets blocks at its end, and where it has holes", "[store]") {
  TempDir dir;
  const auto store = open_state(dir);
  fill(*store, 100, 1000);
  got_blocks = 0;
  constexpr int kSteps = 300;
  for (int i = 1; i <= kSteps; ++i) fill(*store, 100, 1000, 100 * i);
  struct stat info;
  REQUIRE(stat(store->path().c_str(), &info) == 0);
  const int64_t size = int64_t{info.st_blocks} * 512;
  CHECK(size > 10'000'000);
  CHECK(got_blocks >= size / 2);
  CHECK(got_blocks < 10 * size);  // the reserve, anew for each quarter of it that was used

  // What a large transaction takes and gives back is not written, and may lie amid what is: here,
  // where the reserve begins.
  constexpr int kPage = 4096;
  const int fd = open(store->path().c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(fd >= 0);
  constexpr int kPunch = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE;
  REQUIRE(fallocate(fd, kPunch, size - 60 * kPage, 30 * kPage) == 0);
  fill(*store, 1, 10, 100 * (kSteps + 1));
  REQUIRE(fstat(fd, &info) == 0);
  CHECK(int64_t{info.st_blocks} * 512 >= size);
  close(fd);
}

TEST_CASE("what a large state adds to the file is put into huge pages", "[store]") {
  if (geteuid() != 0) {
    WARN("needs root: skipped");
    return;
  }
  TempDir dir;
  constexpr off_t kFirst = off_t{16} << 20;
  constexpr off_t kSize = kHugePage;
  const int status = on_tmpfs(dir.path(), "size=256m", [&] {
    const std::string probe = dir.path() + "/probe";
    const int fd = open(probe.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (posix_fallocate(fd, 0, kSize) != 0) return 1;
    use_huge_pages(fd, 0, kHugePage);
    close(fd);
    if (mapped_as_huge(probe, 0) <= 0) return 78;

    const auto store = open_state(dir);
    struct stat info {};
    for (int i = 0; info.st_blocks * 512 < kFirst + 3 * kSize; ++i) {
      fill(*store, 100, 1000, 100 * i);
      if (stat(store->path().c_str(), &info) != 0) return 2;
    }
    const int keys = count_keys(*store);
    for (const off_t offset : {kFirst, kFirst + kSize}) {
      if (mapped_as_huge(store->path(), offset) != kHugePage / 1024) return 3;
    }
    // A state of a size that nodes have is left as it is, and so is what was not used yet.
    if (mapped_as_huge(store->path(), 0) != 0) return 4;
    if (mapped_as_huge(store->path(), kFirst + 3 * kSize) != 0) return 5;
    fill(*store, 1, 1000, keys);
    return count_keys(*store) == keys + 1 ? 0 : 6;
  });
  if (WEXITSTATUS(status) == 78) {
    WARN("the kernel has no huge pages for a file in memory (MADV_COLLAPSE, Linux 6.1): skipped");
    return;
  }
  CHECK(status == 0);
}

TEST_CASE("a read-only filesystem can be read", "[store]") {
  if (geteuid() != 0) {
    WARN("needs root: skipped");
    return;
  }
  TempDir dir;
  int status = on_tmpfs(dir.path(), "size=1m", [&] {
    StorePaths paths = dir.paths();
    {
      auto pools = Store::open(Store::File::kPools, paths, Store::Mode::kCreate);
      fill(*pools, 3, 10);
    }
    if (mount(nullptr, dir.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) return 1;
    auto pools = Store::open(Store::File::kPools, paths, Store::Mode::kExisting);
    if (count_keys(*pools) != 3) return 2;
    Error error = error_of([&] { fill(*pools, 1, 1); });
    if (error.code() != Code::kIoFailure) return 3;
    if (error.msg().find("Read-only file system") == std::string::npos) return 4;
    if (Store::open(Store::File::kState, paths, Store::Mode::kExisting) != nullptr) return 5;
    error = error_of([&] { Store::open(Store::File::kState, paths, Store::Mode::kCreate); });
    return error.msg().find("Read-only file system") == std::string::npos ? 6 : 0;
  });
  CHECK(status == 0);
}

}  // namespace
}  // namespace railcni
