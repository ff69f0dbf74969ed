// railcni-faults: railcni's own objects, linked with the calls that change the world wrapped
// (ld's --wrap), so that each can end the process or fail.
//
// A step is one call of:
//   store  mdb_txn_begin, mdb_txn_commit: the boundaries of the store's transactions
//   file   pwrite, writev, ftruncate, fallocate: LMDB's writes of pages, and the size of its file
//   send   sendmsg, sendto: netlink requests (a "get" reads, a "set" changes) and probes
//   recv   recv on a netlink socket
//   sysfs  write to a file of sysfs or procfs
// The call of a send is "get", "set", "rdma-set" or "sendto".
//
// In the environment:
//   RAILCNI_FAULT=WHAT[:KIND]:N   does WHAT at the N-th step, from 1, or the N-th of these kinds or
//                                 calls: "recv", "commit+set+sysfs". N "each": at the first, the
//                                 third, and so on. Several faults, with commas between them, count
//                                 for themselves.
//   RAILCNI_FAULT_LOG=FILE        gets a line "NUMBER KIND CALL" for each step, with " WHAT" behind
//                                 it where a fault struck. A walk over N is at its end when none
//                                 did.
// WHAT is "kill" (SIGKILL before the call), "killed-after" (when it has happened), "killed-in-US"
// (as many microseconds after it began, while the kernel is at work on it, or when it has happened
// if that comes first), or the name of an errno, with which the call fails without having been
// made. A recv that fails with ENOBUFS takes what was to be received with it, as the kernel's own
// does; a commit that fails is an abort.
//
// Wrapping, and not hooks in the sources: the walk goes over what is shipped, object by object, the
// static LMDB included, and what is shipped has nothing of it.
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <lmdb.h>
#include <rdma/rdma_netlink.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

// NOLINTBEGIN(bugprone-reserved-identifier): ld chooses the names.
extern "C" {
int __real_mdb_txn_begin(MDB_env* env, MDB_txn* parent, unsigned flags, MDB_txn** txn);
int __real_mdb_txn_commit(MDB_txn* txn);
ssize_t __real_sendmsg(int fd, const msghdr* message, int flags);
ssize_t __real_sendto(int fd, const void* data, size_t size, int flags, const sockaddr* to,
                      socklen_t to_size);
ssize_t __real_recv(int fd, void* data, size_t size, int flags);
ssize_t __real_write(int fd, const void* data, size_t size);
ssize_t __real_pwrite(int fd, const void* data, size_t size, off_t offset);
ssize_t __real_writev(int fd, const iovec* parts, int count);
int __real_ftruncate64(int fd, off64_t size);
int __real_fallocate64(int fd, int mode, off64_t offset, off64_t size);
}

namespace {

struct Fault {
  std::string what;
  std::string kinds = "";  // "commit+send"; empty: any
  long left = 0;           // steps until it strikes
  bool each = false;       // every other time

  bool is_of(std::string_view name) const {
    return ("+" + kinds + "+").find("+" + std::string(name) + "+") != std::string::npos;
  }
};

constexpr struct {
  const char* name;
  int value;
} kErrors[] = {{"EIO", EIO},         {"ENOSPC", ENOSPC}, {"EINTR", EINTR},  {"ENOMEM", ENOMEM},
               {"ENOBUFS", ENOBUFS}, {"EBUSY", EBUSY},   {"EACCES", EACCES}};

[[noreturn]] void refuse(const std::string& text) {
  dprintf(STDERR_FILENO, "railcni-faults: RAILCNI_FAULT: %s\n", text.c_str());
  _exit(99);
}

Fault parse(std::string_view text) {
  Fault fault;
  const size_t first = text.find(':');
  const size_t last = text.rfind(':');
  if (first == std::string_view::npos) refuse("\"" + std::string(text) + "\" is no WHAT[:KIND]:N");
  fault.what = text.substr(0, first);
  if (last > first) fault.kinds = text.substr(first + 1, last - first - 1);
  const std::string count(text.substr(last + 1));
  fault.each = count == "each";
  fault.left = fault.each ? 1 : strtol(count.c_str(), nullptr, 10);
  return fault;
}

std::vector<Fault>& faults() {
  static std::vector<Fault> list = [] {
    std::vector<Fault> parsed;
    const char* variable = getenv("RAILCNI_FAULT");
    std::string_view rest = variable != nullptr ? variable : "";
    while (!rest.empty()) {
      const size_t end = std::min(rest.find(','), rest.size());
      parsed.push_back(parse(rest.substr(0, end)));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return parsed;
  }();
  return list;
}

void log_step(const char* kind, const char* call, const std::string& struck) {
  static long number = 0;
  static const int file = [] {
    const char* path = getenv("RAILCNI_FAULT_LOG");
    return path == nullptr ? -1 : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  }();
  ++number;
  if (file >= 0) dprintf(file, "%ld %s %s%s\n", number, kind, call, struck.c_str());
}

// One step, from its begin to its end.
class Step {
 public:
  Step(const char* kind, const char* call) {
    std::string what;
    for (Fault& fault : faults()) {
      const bool counts = fault.kinds.empty() || fault.is_of(kind) || fault.is_of(call);
      if (!counts || --fault.left != 0) continue;
      what = fault.what;
      if (fault.each) fault.left = 2;
    }
    log_step(kind, call, what.empty() ? "" : " " + what);
    if (what.empty()) return;
    if (what == "kill") die();
    if (what.starts_with(kKilledIn)) {
      kill_in(static_cast<useconds_t>(atoi(what.c_str() + kKilledIn.size())));
      dies_after_ = true;
      return;
    }
    if (what == "killed-after") {
      dies_after_ = true;
      return;
    }
    for (const auto& [name, value] : kErrors) {
      if (what == name) error_ = value;
    }
    if (error_ == 0) refuse("\"" + what + "\" is not known");
  }
  ~Step() {
    if (dies_after_) die();
  }
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

  // The errno value to fail with; 0: none.
  int error() const { return error_; }
  // As a system call fails.
  bool fails() const {
    if (error_ != 0) errno = error_;
    return error_ != 0;
  }

 private:
  static constexpr std::string_view kKilledIn = "killed-in-";

  // From beside, since this process is to be in its call by then.
  static void kill_in(useconds_t microseconds) {
    const int self = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
    if (self < 0) refuse("there is no pidfd");
    if (fork() != 0) return;
    usleep(microseconds);
    syscall(SYS_pidfd_send_signal, self, SIGKILL, nullptr, 0);
    _exit(0);
  }

  [[noreturn]] static void die() {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }

  int error_ = 0;
  bool dies_after_ = false;
};

bool is_kernels(int fd) {
  struct statfs info {};
  return fstatfs(fd, &info) == 0 && (info.f_type == SYSFS_MAGIC || info.f_type == PROC_SUPER_MAGIC);
}

int option_of(int socket, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(socket, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

bool is_netlink(int fd) { return option_of(fd, SO_DOMAIN) == AF_NETLINK; }

// The first message of a batch tells of all.
const char* call_of(int fd, const msghdr* message) {
  if (message->msg_iovlen == 0) return "set";
  const auto* header = static_cast<const nlmsghdr*>(message->msg_iov[0].iov_base);
  if (option_of(fd, SO_PROTOCOL) == NETLINK_RDMA) {
    const auto operation = header->nlmsg_type & 0x3ff;
    const bool sets = operation == RDMA_NLDEV_CMD_SET || operation == RDMA_NLDEV_CMD_SYS_SET;
    return sets ? "rdma-set" : "get";
  }
  // rtnetlink's are in fours: new, delete, get, set.
  return header->nlmsg_type % 4 == RTM_GETLINK % 4 ? "get" : "set";
}

}  // namespace

extern "C" {

int __wrap_mdb_txn_begin(MDB_env* env, MDB_txn* parent, unsigned flags, MDB_txn** txn) {
  const Step step("store", (flags & MDB_RDONLY) != 0 ? "begin-read" : "begin-write");
  return step.error() != 0 ? step.error() : __real_mdb_txn_begin(env, parent, flags, txn);
}

int __wrap_mdb_txn_commit(MDB_txn* txn) {
  const Step step("store", "commit");
  if (step.error() == 0) return __real_mdb_txn_commit(txn);
  mdb_txn_abort(txn);
  return step.error();
}

ssize_t __wrap_sendmsg(int fd, const msghdr* message, int flags) {
  const Step step("send", call_of(fd, message));
  return step.fails() ? -1 : __real_sendmsg(fd, message, flags);
}

ssize_t __wrap_sendto(int fd, const void* data, size_t size, int flags, const sockaddr* to,
                      socklen_t to_size) {
  const Step step("send", "sendto");
  return step.fails() ? -1 : __real_sendto(fd, data, size, flags, to, to_size);
}

ssize_t __wrap_recv(int fd, void* data, size_t size, int flags) {
  if (!is_netlink(fd)) return __real_recv(fd, data, size, flags);
  const Step step("recv", "recv");
  if (step.error() == ENOBUFS) (void)__real_recv(fd, data, size, flags);
  return step.fails() ? -1 : __real_recv(fd, data, size, flags);
}

ssize_t __wrap_write(int fd, const void* data, size_t size) {
  if (!is_kernels(fd)) return __real_write(fd, data, size);
  const Step step("sysfs", "write");
  return step.fails() ? -1 : __real_write(fd, data, size);
}

ssize_t __wrap_pwrite(int fd, const void* data, size_t size, off_t offset) {
  const Step step("file", "pwrite");
  return step.fails() ? -1 : __real_pwrite(fd, data, size, offset);
}

ssize_t __wrap_writev(int fd, const iovec* parts, int count) {
  const Step step("file", "writev");
  return step.fails() ? -1 : __real_writev(fd, parts, count);
}

int __wrap_ftruncate64(int fd, off64_t size) {
  const Step step("file", "ftruncate");
  return step.fails() ? -1 : __real_ftruncate64(fd, size);
}

int __wrap_fallocate64(int fd, int mode, off64_t offset, off64_t size) {
  const Step step("file", "fallocate");
  return step.fails() ? -1 : __real_fallocate64(fd, mode, offset, size);
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier)
