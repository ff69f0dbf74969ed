// Locks on single bytes of a file, which die with their holder.
#ifndef RAILCNI_SRC_STORE_FILE_LOCK_H_
#define RAILCNI_SRC_STORE_FILE_LOCK_H_

#include <sys/types.h>

#include <chrono>
#include <string>

namespace railcni {

// Open-file-description locks (fcntl(2), F_OFD_SETLK) on the byte at `offset`, which need not be in
// the file. The kernel does not tell who holds such a lock, only its place: it is as many bytes
// long as the number of its holder's process. A shared one wants a descriptor that can be read, an
// exclusive one that can be written.
enum class LockType { kShared, kExclusive };

// False when another descriptor has a lock that does not go with this one. Throws
// Error{kIoFailure} where the filesystem cannot lock; `what` says in the message what is locked.
bool try_lock(int fd, LockType type, off_t offset, const std::string& what);

// Waits up to `timeout` (while a ShortWaits lives: up to its limit), then throws
// Error{kTryAgainLater}, which names the process that has the lock.
void lock_within(int fd, LockType type, off_t offset, std::chrono::milliseconds timeout,
                 const std::string& what);

void unlock(int fd, off_t offset);

// The longest pause between two looks of lock_within().
constexpr std::chrono::milliseconds kLongestPause{2};

// Whether another descriptor has a lock on that byte.
bool is_locked(int fd, off_t offset);

// The process that holds a lock on that byte of the file, in words: "process 4711 (railcni,
// stopped)". Its number is that of its own PID namespace.
std::string lock_holder(int fd, off_t offset);

}  // namespace railcni

#endif  // RAILCNI_SRC_STORE_FILE_LOCK_H_
