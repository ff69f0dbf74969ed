#include "railcni/netns.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "railcni/error.h"

namespace railcni {
namespace {

// A socket knows the namespace it was made in: unlike /proc/self/ns/net this needs no /proc, which
// a chroot may not have.
Fd make_probe_socket() { return Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }

// The cookie of the namespace that the socket was made in.
uint64_t cookie_of(const Fd& socket) {
  uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (!socket || getsockopt(socket.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0) {
    return 0;
  }
  return cookie;
}

// Linux tells the cookie of a namespace by its file from 6.18 on (<linux/nsfs.h>, which Debian 12
// has without it).
#ifndef NS_GET_ID
#define NS_GET_ID _IOR(NSIO, 13, uint64_t)
#endif

std::optional<uint64_t> cookie_of_file(int fd) {
  uint64_t cookie = 0;
  if (ioctl(fd, NS_GET_ID, &cookie) != 0) return std::nullopt;
  return cookie;
}

Fd namespace_of(const Fd& socket) {
  if (!socket) throw_errno(Code::kIoFailure, "cannot make a socket", errno);
  Fd fd(ioctl(socket.get(), SIOCGSKNS));
  if (!fd) {
    const int reason = errno;
    fd = Fd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!fd) throw_errno(Code::kIoFailure, "cannot open my own network namespace", reason);
  }
  fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
  return fd;
}

NetnsId identify(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) throw_errno(Code::kIoFailure, "fstat of a network namespace", errno);
  return {status.st_dev, status.st_ino, 0};
}

bool is_netns(int fd) {
  struct statfs fs {};
  if (fstatfs(fd, &fs) != 0 || fs.f_type != NSFS_MAGIC) return false;
  return ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

// The inode of "net:[4026531840]", or 0.
uint64_t inode_of(const char* text) {
  if (strncmp(text, "net:[", 5) != 0) return 0;
  return strtoull(text + 5, nullptr, 10);
}

// mountinfo writes white space and backslashes as three octal digits.
std::string unescape(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      const auto digit = [&](size_t at) { return (text[i + at] - '0') & 7; };
      result += static_cast<char>(digit(1) * 64 + digit(2) * 8 + digit(3));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

}  // namespace

Netns Netns::open(const std::string& path) {
  // O_NONBLOCK: a FIFO at the path must not keep us waiting.
  Fd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd) {
    const Code code =
        errno == ENOENT || errno == ENOTDIR ? Code::kUnknownContainer : Code::kInvalidEnvironment;
    throw_errno(code, "failed to open netns \"" + path + "\"", errno);
  }
  if (!is_netns(fd.get())) {
    throw Error(Code::kInvalidEnvironment,
                "failed to open netns \"" + path + "\": it is not a network namespace");
  }
  return identified(std::move(fd));
}

Netns Netns::identified(Fd fd) {
  Netns netns(std::move(fd), {});
  netns.id_ = identify(netns.fd());
  if (const auto cookie = cookie_of_file(netns.fd())) {
    netns.id_.cookie = *cookie;
  } else {
    netns.run([&netns] { netns.id_.cookie = cookie_of(make_probe_socket()); });
  }
  return netns;
}

std::optional<Netns> Netns::open_if_exists(const std::string& path) {
  if (path.empty()) return std::nullopt;
  Fd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd || !is_netns(fd.get())) return std::nullopt;
  return identified(std::move(fd));
}

Netns Netns::current() {
  const Fd socket = make_probe_socket();
  Fd fd = namespace_of(socket);
  NetnsId id = identify(fd.get());
  id.cookie = cookie_of(socket);
  return Netns(std::move(fd), id);
}

void Netns::run(const std::function<void()>& work) const {
  visit(namespace_of(make_probe_socket()), work);
}

void Netns::run_from(const Netns& home, const std::function<void()>& work) const {
  visit(home.fd_, work);
}

void Netns::visit(const Fd& home, const std::function<void()>& work) const {
  if (setns(fd_.get(), CLONE_NEWNET) != 0) {
    throw_errno(Code::kKernel, "cannot enter the container's network namespace", errno);
  }
  // Whatever happens inside, what follows must run at home: a process that cannot go back must not
  // go on.
  struct Return {
    const Fd& home;
    ~Return() {
      if (setns(home.get(), CLONE_NEWNET) != 0) abort();
    }
  } const back{home};
  work();
}

bool NetnsCensus::alive(const NetnsId& id, const std::string& path) {
  return find(id, path).has_value();
}

std::optional<Netns> NetnsCensus::find(const NetnsId& id, const std::string& path) {
  std::optional<Netns> netns = Netns::open_if_exists(path);
  if (netns && netns->id() == id) return netns;
  collect();
  const auto entry = paths_.find(id.ino);
  if (entry == paths_.end()) return std::nullopt;
  netns = Netns::open_if_exists(entry->second);
  if (netns && netns->id() == id) return netns;
  return std::nullopt;
}

std::vector<std::string> NetnsCensus::all_paths() {
  collect();
  std::vector<std::string> paths;
  for (const auto& [inode, path] : paths_) paths.push_back(path);
  return paths;
}

void NetnsCensus::collect() {
  if (collected_) return;
  collected_ = true;
  // Processes.
  if (DIR* proc = opendir("/proc")) {
    while (const dirent* entry = readdir(proc)) {
      if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
      const std::string path = std::string("/proc/") + entry->d_name + "/ns/net";
      char target[64] = {};
      if (readlink(path.c_str(), target, sizeof target - 1) < 0) continue;
      if (const uint64_t inode = inode_of(target)) paths_[inode] = path;
    }
    closedir(proc);
  }
  // Bind mounts: in mountinfo (proc(5)) the fourth field of an nsfs mount, its root, is
  // "net:[INODE]", and the fifth is where it is mounted. They stay longer than processes do, so
  // they count when both are there.
  if (FILE* mounts = fopen("/proc/self/mountinfo", "re")) {
    char* line = nullptr;
    size_t size = 0;
    while (getline(&line, &size, mounts) > 0) {
      const char* root = strstr(line, " net:[");
      if (root == nullptr) continue;
      const uint64_t inode = inode_of(root + 1);
      const char* point = strchr(root + 1, ' ');
      if (inode == 0 || point == nullptr) continue;
      paths_[inode] = unescape(std::string_view(point + 1, strcspn(point + 1, " \n")));
    }
    free(line);
    fclose(mounts);
  }
}

}  // namespace railcni
