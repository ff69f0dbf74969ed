#include "railcni/named_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "railcni/error.h"

namespace railcni {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw Error(Code::kIoFailure, path + ": " + why);
}

struct stat status_of(const Fd& file, const std::string& path) {
  struct stat info {};
  if (fstat(file.get(), &info) != 0) throw_errno(Code::kIoFailure, path, errno);
  return info;
}

void check_trust(const Fd& file, const std::string& path) {
  const struct stat info = status_of(file, path);
  if (info.st_uid != 0) refuse(path, "must be owned by root");
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) refuse(path, "others than root can write to it");
}

// `found` is a descriptor that cannot read (O_PATH).
std::string read_regular(const Fd& found, const std::string& path, size_t limit) {
  const struct stat info = status_of(found, path);
  if (S_ISLNK(info.st_mode)) refuse(path, "must not be a link");
  if (!S_ISREG(info.st_mode)) refuse(path, "must be a regular file");
  if (static_cast<size_t>(info.st_size) > limit) {
    refuse(path, "is larger than " + std::to_string(limit) + " bytes");
  }
  const std::string name = "/proc/self/fd/" + std::to_string(found.get());
  const Fd file(open(name.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file) throw_errno(Code::kIoFailure, path, errno);
  std::string text(static_cast<size_t>(info.st_size), '\0');
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t count =
        pread(file.get(), text.data() + done, text.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno(Code::kIoFailure, path, errno);
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  text.resize(done);
  return text;
}

}  // namespace

Fd open_folder(const std::string& path, FolderTrust trust, bool make) {
  constexpr int kFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  if (!path.starts_with('/')) refuse(path, "must be an absolute path");
  Fd folder(open("/", kFlags));
  if (!folder) throw_errno(Code::kIoFailure, "/", errno);
  if (trust == FolderTrust::kRoots) check_trust(folder, "/");
  for (size_t start = 1; start < path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    const std::string name = path.substr(start, end - start);
    const std::string so_far = path.substr(0, end);
    start = end + 1;
    if (name.empty()) continue;
    if (name == "." || name == "..") refuse(path, "must not have \"" + name + "\" in it");
    Fd next(openat(folder.get(), name.c_str(), kFlags));
    if (!next && errno == ENOENT && make) {
      if (mkdirat(folder.get(), name.c_str(), 0755) != 0 && errno != EEXIST) {
        throw_errno(Code::kIoFailure, so_far + ": cannot make the folder", errno);
      }
      next = Fd(openat(folder.get(), name.c_str(), kFlags));
    }
    if (!next && (errno == ENOTDIR || errno == ELOOP)) {
      refuse(so_far, "must be a folder, and no link to one");
    }
    if (!next) throw_errno(Code::kIoFailure, so_far, errno);
    if (trust == FolderTrust::kRoots) check_trust(next, so_far);
    folder = std::move(next);
  }
  return folder;
}

std::string read_named_file(const std::string& path, size_t limit) {
  const Fd found(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!found) throw_errno(Code::kIoFailure, path, errno);
  return read_regular(found, path, limit);
}

std::optional<std::string> read_file_in(const Fd& folder, const std::string& path,
                                        const std::string& name, size_t limit, FolderTrust trust) {
  const std::string full = path + "/" + name;
  const Fd found(openat(folder.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!found) {
    if (errno == ENOENT) return std::nullopt;
    throw_errno(Code::kIoFailure, full, errno);
  }
  std::string text = read_regular(found, full, limit);
  if (trust == FolderTrust::kRoots) check_trust(found, full);
  return text;
}

}  // namespace railcni
