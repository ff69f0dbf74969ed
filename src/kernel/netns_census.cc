// Which network namespaces are there: seen from outside, and asked of the kernel.
#include <dirent.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "railcni/error.h"
#include "railcni/netns.h"

namespace railcni {
namespace {

// Inodes of the machine's first namespaces: PROC_PID_INIT_INO and PROC_USER_INIT_INO of the
// kernel's <linux/proc_ns.h>, in <linux/nsfs.h> since Linux 6.17.
constexpr ino_t kInitialPidNamespace = 0xEFFFFFFC;
constexpr ino_t kInitialUserNamespace = 0xEFFFFFFD;

// ---- numbers ----

// Whether a namespace has that number: RTM_GETNSID with NETNSA_NSID (Linux 5.0), which is ENOENT
// when none has it.
bool is_nobodys(RouteSocket& host, int32_t number) {
  const rtgenmsg header{};
  NetlinkMessage message(RTM_GETNSID, 0, &header, sizeof header);
  message.put_u32(NETNSA_NSID, static_cast<uint32_t>(number));
  return host.try_get(std::move(message), [](const nlmsghdr*) {}) == ENOENT;
}

int give_number(RouteSocket& host, int netns_fd, int32_t number) {
  const rtgenmsg header{};
  NetlinkMessage message(RTM_NEWNSID, 0, &header, sizeof header);
  message.put_u32(NETNSA_FD, static_cast<uint32_t>(netns_fd));
  message.put_u32(NETNSA_NSID, static_cast<uint32_t>(number));
  return host.try_send(message);
}

uint64_t identity_of(const NetnsId& id) { return id.cookie != 0 ? id.cookie : id.ino; }

// ---- what is to be seen in /proc ----

// The inode of "net:[4026531840]", or 0.
uint64_t inode_of(const char* text) {
  if (strncmp(text, "net:[", 5) != 0) return 0;
  return strtoull(text + 5, nullptr, 10);
}

// Where a link of /proc leads to; empty, with errno, when it cannot be read.
std::string target_of(const std::string& path) {
  char target[64] = {};
  const ssize_t size = readlink(path.c_str(), target, sizeof target - 1);
  return size < 0 ? "" : std::string(target, static_cast<size_t>(size));
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

// Calls `visit` with the inode and the place of each bind mount of a namespace: in mountinfo
// (proc(5)) the fourth field of an nsfs mount, its root, is "net:[INODE]", and the fifth is where
// it is mounted.
void for_mounts(const std::string& mountinfo,
                const std::function<void(uint64_t inode, const std::string& place)>& visit) {
  FILE* mounts = fopen(mountinfo.c_str(), "re");
  if (mounts == nullptr) return;
  char* line = nullptr;
  size_t size = 0;
  while (getline(&line, &size, mounts) > 0) {
    const char* root = strstr(line, " net:[");
    if (root == nullptr) continue;
    const uint64_t inode = inode_of(root + 1);
    const char* point = strchr(root + 1, ' ');
    if (inode == 0 || point == nullptr) continue;
    visit(inode, unescape(std::string_view(point + 1, strcspn(point + 1, " \n"))));
  }
  free(line);
  fclose(mounts);
}

// Calls `visit` with the path of each entry that is a number.
void for_numbers(const std::string& folder, const std::function<void(const std::string&)>& visit) {
  DIR* dir = opendir(folder.c_str());
  if (dir == nullptr) return;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    visit(folder + "/" + entry->d_name);
  }
  closedir(dir);
}

bool may_trace() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  return syscall(SYS_capget, &header, data) == 0 &&
         (data[0].effective & (1U << CAP_SYS_PTRACE)) != 0;
}

// Whether /proc shows every process of the machine to us: it is a procfs, we are in the first
// namespaces of PIDs and users, and may look into each (which hidepid= asks for, too).
bool sees_every_process() {
  struct statfs proc;
  struct stat pids;
  struct stat users;
  return statfs("/proc", &proc) == 0 && proc.f_type == PROC_SUPER_MAGIC &&
         stat("/proc/self/ns/pid", &pids) == 0 && pids.st_ino == kInitialPidNamespace &&
         stat("/proc/self/ns/user", &users) == 0 && users.st_ino == kInitialUserNamespace &&
         may_trace();
}

}  // namespace

NetnsMark mark_netns(RouteSocket& host, const Netns& home, const Netns& pod) {
  NetnsMark mark{identity_of(home.id()), -1};
  // Most Pods have one: the kernel gives it to the peer of a veth, for one.
  mark.number = host.nsid_of(pod.fd()).value_or(-1);
  if (mark.number >= 0) return mark;
  const auto ours = static_cast<int32_t>((identity_of(pod.id()) & 0x3fffffff) | 0x40000000);
  const bool given = give_number(host, pod.fd(), ours) == 0;
  // Else somebody may have been faster.
  mark.number = given ? ours : host.nsid_of(pod.fd()).value_or(-1);
  return mark;
}

RouteSocket& NetnsCensus::host() {
  if (!host_) {
    home_ = Netns::current();
    host_.emplace();
  }
  return *host_;
}

Life NetnsCensus::life(const NetnsId& id, const std::string& path, const NetnsMark& mark) {
  const std::optional<Netns> there = Netns::open_if_exists(path);
  if (there && there->id() == id) return Life::kAlive;
  RouteSocket& socket = host();
  const bool counts = mark.number >= 0 && mark.host == identity_of(home_->id());
  if (counts && is_nobodys(socket, mark.number)) return Life::kDead;
  collect();
  if (look_up(id)) return Life::kAlive;
  collect_everywhere();
  if (look_up(id)) return Life::kAlive;
  if (counts && !is_anothers(mark.number) && !wait_for_end(mark.number)) return Life::kUnknown;
  return counts || sees_all_ ? Life::kDead : Life::kUnknown;
}

// The sockets of a process that has ended keep a namespace for a while (they are freed in the
// background, after an RCU grace period). All that are waited for share one second.
bool NetnsCensus::wait_for_end(int32_t number) {
  constexpr std::chrono::seconds kPatience{1};
  constexpr useconds_t kPause = 5000;  // microseconds
  const auto now = std::chrono::steady_clock::now;
  if (!patient_until_) patient_until_ = now() + kPatience;
  for (;;) {
    if (is_nobodys(host(), number)) return true;
    if (now() >= *patient_until_) return false;
    usleep(kPause);
  }
}

// The kernel gives the lowest free number, so that a namespace may have one that a dead one had.
bool NetnsCensus::is_anothers(int32_t number) {
  for (const auto& [inode, path] : paths_) {
    const auto netns = Netns::open_if_exists(path);
    if (netns && host().nsid_of(netns->fd()) == number) return true;
  }
  return false;
}

std::optional<Netns> NetnsCensus::find(const NetnsId& id, const std::string& path) {
  std::optional<Netns> netns = Netns::open_if_exists(path);
  if (netns && netns->id() == id) return netns;
  collect();
  return look_up(id);
}

void NetnsCensus::each(const std::function<void(const Netns&, const std::string& path)>& visit) {
  collect();
  for (const auto& [inode, path] : paths_) {
    if (const auto netns = Netns::open_if_exists(path)) visit(*netns, path);
  }
}

std::optional<Netns> NetnsCensus::look_up(const NetnsId& id) {
  const auto entry = paths_.find(id.ino);
  if (entry == paths_.end()) return std::nullopt;
  std::optional<Netns> netns = Netns::open_if_exists(entry->second);
  if (netns && netns->id() == id) return netns;
  return std::nullopt;
}

void NetnsCensus::collect() {
  if (std::exchange(collected_, true)) return;
  for_numbers("/proc", [this](const std::string& process) {
    const std::string path = process + "/ns/net";
    if (const uint64_t inode = inode_of(target_of(path).c_str())) paths_[inode] = path;
  });
  // They stay longer than processes do, so they count when both are there.
  for_mounts("/proc/self/mountinfo",
             [this](uint64_t inode, const std::string& place) { paths_[inode] = place; });
}

void NetnsCensus::collect_everywhere() {
  if (std::exchange(collected_everywhere_, true)) return;
  sees_all_ = sees_every_process();
  for_numbers("/proc", [this](const std::string& process) { collect_process(process); });
}

void NetnsCensus::collect_process(const std::string& process) {
  const std::string mounts = target_of(process + "/ns/mnt");
  // A process that is gone by now has nothing to show; one that is there and does not show it may
  // have anything, unless it is the machine's init, which some sandboxes shield: that is no Pod's.
  if (mounts.empty() && errno != ENOENT && process != "/proc/1" &&
      access(process.c_str(), F_OK) == 0) {
    sees_all_ = false;
  }
  if (!mounts.empty() && mount_namespaces_.insert(mounts).second) {
    for_mounts(process + "/mountinfo", [&](uint64_t inode, const std::string& place) {
      paths_.try_emplace(inode, process + "/root" + place);
    });
  }
  for_numbers(process + "/task", [this](const std::string& thread) {
    const std::string path = thread + "/ns/net";
    if (const uint64_t inode = inode_of(target_of(path).c_str())) paths_.try_emplace(inode, path);
  });
  for_numbers(process + "/fd", [this](const std::string& path) {
    const std::string target = target_of(path);
    uint64_t inode = inode_of(target.c_str());
    // What was opened at a mount that is no more shows as "/".
    struct stat info;
    if (target == "/" && stat(path.c_str(), &info) == 0) inode = info.st_ino;
    if (inode != 0) paths_.try_emplace(inode, path);
  });
}

}  // namespace railcni
