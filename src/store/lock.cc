#include "railcni/lock.h"

#include <errno.h>
#include <fcntl.h>

#include "railcni/error.h"
#include "src/store/file_lock.h"
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
  require_own_file(path);
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) throw_errno(Code::kIoFailure, "cannot open the lock file " + path, errno);
  return fd;
}

std::string quoted(const std::string& name) { return '"' + name + '"'; }

}  // namespace

NamedLock NamedLock::acquire(const StorePaths& paths, const std::string& name,
                             std::chrono::milliseconds timeout) {
  Fd fd = open_lock_file(paths);
  lock_within(fd.get(), LockType::kExclusive, lock_offset(name), timeout, quoted(name));
  return NamedLock(std::move(fd));
}

std::optional<NamedLock> NamedLock::try_acquire(const StorePaths& paths, const std::string& name) {
  Fd fd = open_lock_file(paths);
  if (!try_lock(fd.get(), LockType::kExclusive, lock_offset(name), quoted(name))) {
    return std::nullopt;
  }
  return NamedLock(std::move(fd));
}

}  // namespace railcni
