// Locks that die with their holder, one for any name, all in one file.
#ifndef RAILCNI_LOCK_H_
#define RAILCNI_LOCK_H_

#include <chrono>
#include <optional>
#include <string>

#include "railcni/fd.h"
#include "railcni/store.h"

namespace railcni {

// An exclusive open-file-description lock (fcntl(2), F_OFD_SETLK) on one byte of `lock` in the
// state folder, at an offset that is the name's hash: no file per name to leave behind, and the
// kernel drops it when its holder dies. Two names whose hashes of 62 bits are as near as the number
// of a process would only wait for each other.
class NamedLock {
 public:
  // Holds nothing.
  NamedLock() = default;

  // Waits up to `timeout` for the lock of `name`; throws Error{kTryAgainLater}, which names the
  // process that has it, when it is not to be had, Error{kIoFailure} when the lock file cannot be
  // made.
  static NamedLock acquire(const StorePaths& paths, const std::string& name,
                           std::chrono::milliseconds timeout);
  // As acquire() without waiting; nothing when another process holds it.
  static std::optional<NamedLock> try_acquire(const StorePaths& paths, const std::string& name);

  // The descriptor that holds the lock (-1: none): who inherits it holds the lock, too.
  int fd() const { return fd_.get(); }

 private:
  explicit NamedLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

// While one lives, waits of this process for a lock, those for a store's transactions among them,
// last at most kLimit: who waited in vain to do something does not wait as long again to undo it.
class ShortWaits {
 public:
  static constexpr std::chrono::milliseconds kLimit{1000};

  ShortWaits();
  ~ShortWaits();
  ShortWaits(const ShortWaits&) = delete;
  ShortWaits& operator=(const ShortWaits&) = delete;
};

}  // namespace railcni

#endif  // RAILCNI_LOCK_H_
