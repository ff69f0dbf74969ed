#include "railcni/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include <algorithm>

#include "railcni/error.h"
#include "src/store/files.h"
#include "src/store/schema.h"

namespace railcni {
namespace {

off_t lock_offset(const std::string& name) {
  // Two bits less: an off_t is signed, and start plus length must not overflow it.
  return static_cast<off_t>(schema::hash_of(name) >> 2);
}

Fd open_lock_file(const StorePaths& paths) {
  make_folder(paths.state_dir);
  std::string path = paths.state_dir + "/lock";
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) throw_errno(Code::kIoFailure, "cannot open the lock file " + path, errno);
  return fd;
}

bool try_lock(const Fd& fd, const std::string& name) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = lock_offset(name);
  lock.l_len = 1;
  while (fcntl(fd.get(), F_OFD_SETLK, &lock) != 0) {
    if (errno == EAGAIN || errno == EACCES) return false;
    if (errno != EINTR) throw_errno(Code::kIoFailure, "cannot lock \"" + name + "\"", errno);
  }
  return true;
}

}  // namespace

NamedLock NamedLock::acquire(const StorePaths& paths, const std::string& name,
                             std::chrono::milliseconds timeout) {
  Fd fd = open_lock_file(paths);
  auto deadline = std::chrono::steady_clock::now() + timeout;
  // The kernel's waiting call has no timeout, and a signal to end it would be a global thing. A
  // lock is mostly free or held for a few milliseconds, so looking again after a growing pause
  // costs little.
  std::chrono::microseconds pause(200);
  while (!try_lock(fd, name)) {
    auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) {
      throw Error(Code::kTryAgainLater, "\"" + name + "\" is locked by another railcni process; " +
                                            "waited " + std::to_string(timeout.count()) + " ms");
    }
    auto nap = std::min<std::chrono::nanoseconds>(pause, left);
    timespec ts{static_cast<time_t>(nap.count() / 1'000'000'000), nap.count() % 1'000'000'000};
    nanosleep(&ts, nullptr);
    pause = std::min(pause * 2, std::chrono::microseconds(10'000));
  }
  return NamedLock(std::move(fd));
}

std::optional<NamedLock> NamedLock::try_acquire(const StorePaths& paths, const std::string& name) {
  Fd fd = open_lock_file(paths);
  if (!try_lock(fd, name)) return std::nullopt;
  return NamedLock(std::move(fd));
}

}  // namespace railcni
