#include "src/cli/install_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <vector>

#include "railcni/error.h"

namespace railcni::cli {
namespace {

// With a dot in front: runtimes and Multus look for plugins by name, and nobody names this.
constexpr std::string_view kTemporaryPrefix = ".railcni-install-";
constexpr const char* kLockFile = ".railcni-install.lock";
// An installation takes well below a second.
constexpr std::chrono::seconds kLockTimeout{10};
constexpr useconds_t kLockPause = 20'000;  // microseconds

std::string temporary_name() {
  uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number) {
    throw_errno(Code::kIoFailure, "getrandom", errno);
  }
  char text[32];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return std::string(kTemporaryPrefix) + text;
}

void copy_all(const Fd& from, const Fd& to) {
  std::vector<char> buffer(size_t{1} << 20);
  off_t at = 0;
  for (;;) {
    const ssize_t count = pread(from.get(), buffer.data(), buffer.size(), at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno(Code::kIoFailure, "read the running program", errno);
    if (count == 0) return;
    for (ssize_t done = 0; done < count;) {
      const ssize_t written =
          write(to.get(), buffer.data() + done, static_cast<size_t>(count - done));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw_errno(Code::kIoFailure, "write", errno);
      done += written;
    }
    at += count;
  }
}

}  // namespace

InstallFolder::InstallFolder(const std::string& path)
    : path_(path), folder_(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (!folder_) throw_errno(Code::kIoFailure, path_, errno);
  const auto deadline = std::chrono::steady_clock::now() + kLockTimeout;
  while (!try_lock()) {
    if (std::chrono::steady_clock::now() >= deadline) {
      throw Error(Code::kTryAgainLater, full(kLockFile) + ": another installation" + holder() +
                                            " has had the lock for " +
                                            std::to_string(kLockTimeout.count()) + " seconds");
    }
    usleep(kLockPause);
  }
  remove_leftovers();
}

InstallFolder::~InstallFolder() {
  if (lock_) unlinkat(folder_.get(), kLockFile, 0);
}

// Of a file that root alone can open: on the folder itself, every user of the node can have a lock.
// False when somebody else has it.
bool InstallFolder::try_lock() {
  Fd file(openat(folder_.get(), kLockFile, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) throw_errno(Code::kIoFailure, full(kLockFile), errno);
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK || errno == EINTR) return false;
    // A file system without locks (some NFS) has no other harm than that leftovers stay: names are
    // unique and renames atomic.
    unlinkat(folder_.get(), kLockFile, 0);
    return true;
  }
  // Its last holder has removed it.
  struct stat info = {};
  if (fstat(file.get(), &info) != 0 || info.st_nlink == 0) return false;
  lock_ = std::move(file);
  return true;
}

// " (process 4711)", as /proc/locks has it; empty when it is not known.
std::string InstallFolder::holder() const {
  struct stat info = {};
  if (fstatat(folder_.get(), kLockFile, &info, AT_SYMLINK_NOFOLLOW) != 0) return "";
  FILE* locks = fopen("/proc/locks", "re");
  if (locks == nullptr) return "";
  std::string text;
  char line[256];
  while (fgets(line, sizeof line, locks) != nullptr) {
    int pid = 0;
    unsigned major = 0;
    unsigned minor = 0;
    unsigned long inode = 0;
    if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%lu", &pid, &major, &minor, &inode) == 4 &&
        inode == info.st_ino && makedev(major, minor) == info.st_dev && pid > 0) {
      text = " (process " + std::to_string(pid) + ")";
    }
  }
  fclose(locks);
  return text;
}

void InstallFolder::remove_leftovers() {
  // fdopendir() takes its descriptor over.
  DIR* folder = fdopendir(openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder == nullptr) return;
  while (const dirent* entry = readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (name.starts_with(kTemporaryPrefix)) unlinkat(folder_.get(), entry->d_name, 0);
  }
  closedir(folder);
}

std::string InstallFolder::full(const std::string& name) const {
  return path_ + (path_.ends_with('/') ? "" : "/") + name;
}

InstallFolder::Entry InstallFolder::look_at(const std::string& name,
                                            std::string_view target) const {
  struct stat info = {};
  if (fstatat(folder_.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return Entry::kNothing;
    throw_errno(Code::kIoFailure, full(name), errno);
  }
  if (S_ISDIR(info.st_mode)) return Entry::kFolder;
  if (!S_ISLNK(info.st_mode)) return Entry::kFile;
  char text[PATH_MAX];
  const ssize_t size = readlinkat(folder_.get(), name.c_str(), text, sizeof text);
  if (size < 0) throw_errno(Code::kIoFailure, full(name), errno);
  return std::string_view(text, static_cast<size_t>(size)) == target ? Entry::kOurLink
                                                                     : Entry::kOtherLink;
}

template <typename Make>
void InstallFolder::put(const std::string& name, Make make) {
  const std::string temporary = temporary_name();
  try {
    make(temporary);
    if (renameat(folder_.get(), temporary.c_str(), folder_.get(), name.c_str()) != 0) {
      throw_errno(Code::kIoFailure, "rename", errno);
    }
  } catch (const Error& error) {
    unlinkat(folder_.get(), temporary.c_str(), 0);
    throw error.with_context(full(name));
  }
}

void InstallFolder::put_copy(const Fd& source, const std::string& name) {
  put(name, [&](const std::string& temporary) {
    const Fd file(openat(folder_.get(), temporary.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700));
    if (!file) throw_errno(Code::kIoFailure, "create a temporary file", errno);
    copy_all(source, file);
    // The umask does not count here.
    if (fchmod(file.get(), 0755) != 0) throw_errno(Code::kIoFailure, "set the mode", errno);
    if (fsync(file.get()) != 0) throw_errno(Code::kIoFailure, "sync", errno);
  });
}

void InstallFolder::put_link(const std::string& target, const std::string& name) {
  put(name, [&](const std::string& temporary) {
    if (symlinkat(target.c_str(), folder_.get(), temporary.c_str()) != 0) {
      throw_errno(Code::kIoFailure, "make a link", errno);
    }
  });
}

void InstallFolder::sync() {
  if (fsync(folder_.get()) != 0) throw_errno(Code::kIoFailure, path_ + ": sync", errno);
}

}  // namespace railcni::cli
