#include "src/store/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "railcni/error.h"
#include "railcni/lock.h"

namespace railcni {
namespace {

int short_waits = 0;

struct flock lock_of(short type, off_t offset) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = offset;
  lock.l_len = getpid();
  return lock;
}

}  // namespace

ShortWaits::ShortWaits() { ++short_waits; }
ShortWaits::~ShortWaits() { --short_waits; }

bool try_lock(int fd, LockType type, off_t offset, const std::string& what) {
  struct flock lock = lock_of(type == LockType::kShared ? F_RDLCK : F_WRLCK, offset);
  while (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
    if (errno == EAGAIN || errno == EACCES) return false;
    if (errno != EINTR) throw_errno(Code::kIoFailure, "cannot lock " + what, errno);
  }
  return true;
}

void lock_within(int fd, LockType type, off_t offset, std::chrono::milliseconds timeout,
                 const std::string& what) {
  if (try_lock(fd, type, offset, what)) return;
  if (short_waits > 0) timeout = std::min(timeout, ShortWaits::kLimit);
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  // The kernel's waiting call has no timeout, and a signal to end it would be a global thing. A
  // lock is mostly free or held for a fraction of a millisecond, so looking again after a growing
  // pause costs little.
  std::chrono::microseconds pause(50);
  do {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) {
      throw Error(Code::kTryAgainLater, what + " is locked by " + lock_holder(fd, offset) +
                                            "; waited " + std::to_string(timeout.count()) + " ms");
    }
    const auto nap = std::min<std::chrono::nanoseconds>(pause, left);
    const timespec ts{static_cast<time_t>(nap.count() / 1'000'000'000),
                      nap.count() % 1'000'000'000};
    nanosleep(&ts, nullptr);
    pause = std::min<std::chrono::microseconds>(pause * 2, kLongestPause);
  } while (!try_lock(fd, type, offset, what));
}

void unlock(int fd, off_t offset) {
  struct flock lock = lock_of(F_UNLCK, offset);
  fcntl(fd, F_OFD_SETLK, &lock);
}

bool is_locked(int fd, off_t offset) {
  struct flock lock = lock_of(F_WRLCK, offset);
  lock.l_len = 1;
  return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

}  // namespace railcni
