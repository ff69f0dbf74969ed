// Network namespaces: opening, identity, entering, and whether one still exists.
#ifndef RAILCNI_NETNS_H_
#define RAILCNI_NETNS_H_

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "railcni/attachment.h"
#include "railcni/fd.h"
#include "railcni/netlink.h"

namespace railcni {

class Netns {
 public:
  // Opens the namespace at `path` (a bind mount or /proc/PID/ns/net). Throws
  // Error{kUnknownContainer} when there is no such file, Error{kInvalidEnvironment} when it is not
  // a network namespace.
  static Netns open(const std::string& path);
  // As open(), but nothing when there is no namespace at `path` (any more).
  static std::optional<Netns> open_if_exists(const std::string& path);
  // The calling thread's own. Works without /proc.
  static Netns current();

  int fd() const { return fd_.get(); }
  const NetnsId& id() const { return id_; }

  // Runs `work` inside this namespace and comes back, also when `work` throws. This is the only
  // place where the process changes its namespace.
  void run(const std::function<void()>& work) const;
  // As run(), by a caller who has its own namespace, `home`, at hand.
  void run_from(const Netns& home, const std::function<void()>& work) const;

 private:
  Netns(Fd fd, NetnsId id) : fd_(std::move(fd)), id_(id) {}
  // Of an open namespace; goes inside for its cookie where the kernel does not tell it by the file.
  static Netns identified(Fd fd);
  // Goes in, and afterwards to `home`.
  void visit(const Fd& home, const std::function<void()>& work) const;

  Fd fd_;
  NetnsId id_;
};

// The number (nsid) that the kernel has for `pod` in the namespace of `host`, which is `home`; it
// is given one when it has none. The number stays until the namespace is gone, whoever holds it,
// and can be asked for without any mount or process. One that we give has bit 30 set and is made of
// the cookie, so that no other namespace of this boot gets the same (RTM_NEWNSID of
// <linux/rtnetlink.h>). Without a number, where the kernel refuses one, mark.number is -1.
NetnsMark mark_netns(RouteSocket& host, const Netns& home, const Netns& pod);

// Whether a namespace is there. Not to be seen is not to be dead: what is dead has been proven so.
enum class Life { kAlive, kDead, kUnknown };

// Finds network namespaces by their identity, for many of them in one pass.
class NetnsCensus {
 public:
  // Opens the namespace with that identity: the one at `path`, or wherever it is mounted in this
  // process' mount namespace, or a process is in it. Nothing when it is not seen.
  std::optional<Netns> find(const NetnsId& id, const std::string& path);
  // Alive: it is seen. Dead: in the caller's namespace its number (see mark_netns()) is nobody's,
  // or another's; or, without a number that counts here, the caller sees every process of the
  // machine with all its threads, mounts and open files, and it is not among them. Else unknown:
  // a caller with process IDs of its own, without ptrace rights or /proc.
  Life life(const NetnsId& id, const std::string& path, const NetnsMark& mark);
  // Opens each one that is mounted anywhere, or that some process is in, the caller's own included.
  // What `visit` throws ends it.
  void each(const std::function<void(const Netns&, const std::string& path)>& visit);

 private:
  std::optional<Netns> look_up(const NetnsId& id);
  // Walks this mount namespace and processes, once.
  void collect();
  // Walks all mount namespaces, threads and open files as well, once.
  void collect_everywhere();
  void collect_process(const std::string& process);
  bool is_anothers(int32_t number);
  bool wait_for_end(int32_t number);
  RouteSocket& host();

  bool collected_ = false;
  bool collected_everywhere_ = false;
  bool sees_all_ = false;
  std::map<uint64_t, std::string> paths_;  // by inode: all of them are of the one nsfs device
  std::set<std::string> mount_namespaces_;
  std::optional<std::chrono::steady_clock::time_point> patient_until_;
  std::optional<Netns> home_;
  std::optional<RouteSocket> host_;
};

}  // namespace railcni

#endif  // RAILCNI_NETNS_H_
