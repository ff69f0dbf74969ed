#include "src/store/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include "railcni/error.h"
#include "railcni/fd.h"

namespace railcni {
namespace {

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// "state-1a2b3c4d.mdb" or "state-1a2b3c4d.mdb-lock", of a boot other than `boot`. The state of
// "noboot" is not told by its name to be old, so it stays.
bool is_other_boots_file(std::string_view name, std::string_view boot) {
  constexpr std::string_view kStart = "state-";
  constexpr size_t kBootSize = 8;
  if (!name.starts_with(kStart) || name.size() < kStart.size() + kBootSize) return false;
  std::string_view its_boot = name.substr(kStart.size(), kBootSize);
  std::string_view rest = name.substr(kStart.size() + kBootSize);
  return is_hex(its_boot) && its_boot != boot && (rest == ".mdb" || rest == ".mdb-lock");
}

}  // namespace

void require_own_folder(const std::string& folder) {
  static std::set<std::string> known;
  if (known.contains(folder)) return;
  for (size_t end = 1; end != std::string::npos;) {
    end = folder.find('/', end + 1);
    const std::string part = folder.substr(0, end);
    const auto refuse = [&](const std::string& why) {
      throw Error(Code::kInvalidConfig,
                  "cannot keep state in " + folder + ": " + (part == folder ? "it " : part + " ") +
                      why + "; the folder and all above it must be root's own, closed to others, " +
                      "with no link on the way");
    };
    struct stat info;
    if (lstat(part.c_str(), &info) != 0) {
      if (errno == ENOENT) return;
      throw_errno(Code::kIoFailure, "cannot use the folder " + part, errno);
    }
    if (S_ISLNK(info.st_mode)) refuse("is a symbolic link");
    if (!S_ISDIR(info.st_mode)) return;  // nothing can be in it, which says so by itself
    if (info.st_uid != 0 && info.st_uid != geteuid()) {
      refuse("belongs to user " + std::to_string(info.st_uid));
    }
    // Where others can only add, as in /tmp, what is there is still its owner's.
    const bool is_sticky = (info.st_mode & S_ISVTX) != 0 && part != folder;
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !is_sticky) {
      refuse("can be written by others");
    }
  }
  known.insert(folder);
}

void require_own_file(const std::string& path) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) return;
  const auto refuse = [&path](const std::string& why) {
    throw Error(Code::kStoreDamaged, path + " is not a file of railcni's: " + why);
  };
  if (!S_ISREG(info.st_mode)) refuse("it is not a regular file");
  if (info.st_uid != 0 && info.st_uid != geteuid()) {
    refuse("it belongs to user " + std::to_string(info.st_uid));
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) refuse("it can be written by others");
  if (info.st_nlink != 1) refuse("it has another name elsewhere");
}

void make_folder(const std::string& folder) {
  require_own_folder(folder);
  struct stat info;
  if (stat(folder.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return;
    throw_errno(Code::kIoFailure, "cannot use the folder " + folder, ENOTDIR);
  }
  for (size_t end = folder.find('/', 1); end != std::string::npos;
       end = folder.find('/', end + 1)) {
    std::string parent = folder.substr(0, end);
    if (mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST && errno != EROFS) {
      throw_errno(Code::kIoFailure, "cannot make the folder " + parent, errno);
    }
  }
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    throw_errno(Code::kIoFailure, "cannot make the folder " + folder, errno);
  }
  require_own_folder(folder);  // somebody else may have made it, or a part of it
}

std::string boot_name() {
  Fd fd(open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  char digits[8];
  if (!fd || ::read(fd.get(), digits, sizeof digits) != static_cast<ssize_t>(sizeof digits) ||
      !is_hex(std::string_view(digits, sizeof digits))) {
    return "noboot";
  }
  return std::string(digits, sizeof digits);
}

bool is_in_memory(const std::string& folder) {
  struct statfs info;
  if (statfs(folder.c_str(), &info) != 0) return false;
  return info.f_type == TMPFS_MAGIC || info.f_type == RAMFS_MAGIC;
}

void remove_other_boots(const std::string& folder, const std::string& boot) {
  // Without a boot ID nothing says that those files are not this very boot's.
  if (boot == "noboot") return;
  DIR* dir = opendir(folder.c_str());
  if (dir == nullptr) return;
  std::vector<std::string> old;
  while (const dirent* entry = readdir(dir)) {
    if (is_other_boots_file(entry->d_name, boot)) old.emplace_back(entry->d_name);
  }
  for (const std::string& name : old) unlinkat(dirfd(dir), name.c_str(), 0);
  closedir(dir);
}

std::vector<std::string> entries_of(const std::string& folder) {
  std::vector<std::string> names;
  DIR* dir = opendir(folder.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

void use_huge_pages(int fd, size_t from, size_t to) {
#ifndef MADV_COLLAPSE
  constexpr int MADV_COLLAPSE = 25;  // <asm-generic/mman-common.h>
#endif
  // The kernel takes what is mapped to a place as even as the huge page's own.
  const size_t room = 2 * kHugePage;
  void* const start = mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return;
  void* place = start;
  size_t left = room;
  std::align(kHugePage, kHugePage, place, left);
  for (; from < to; from += kHugePage) {
    if (mmap(place, kHugePage, PROT_READ, MAP_SHARED | MAP_FIXED, fd, static_cast<off_t>(from)) ==
            MAP_FAILED ||
        madvise(place, kHugePage, MADV_COLLAPSE) != 0) {
      break;
    }
  }
  munmap(start, room);
}

void sync_folder(const std::string& folder) {
  Fd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) fsync(fd.get());
}

}  // namespace railcni
