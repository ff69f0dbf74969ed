// Network namespaces: opening, identity, entering, and whether one still exists.
#ifndef RAILCNI_NETNS_H_
#define RAILCNI_NETNS_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "railcni/attachment.h"
#include "railcni/fd.h"

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

// Finds network namespaces by their identity, for many of them in one pass.
class NetnsCensus {
 public:
  // True when the namespace with that identity is at `path`, or is mounted anywhere in this
  // process' mount namespace, or some process is in it. One that is kept only by an open file
  // descriptor is not found.
  bool alive(const NetnsId& id, const std::string& path);
  // Opens it, wherever alive() would find it; nothing when it no longer exists.
  std::optional<Netns> find(const NetnsId& id, const std::string& path);
  // Paths of all that are mounted or have a process.
  std::vector<std::string> all_paths();

 private:
  // Walks mounts and processes, once.
  void collect();

  bool collected_ = false;
  std::map<uint64_t, std::string> paths_;  // by inode: all of them are of the one nsfs device
};

}  // namespace railcni

#endif  // RAILCNI_NETNS_H_
