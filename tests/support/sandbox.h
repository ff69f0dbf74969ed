// A private world for tests: a host of our own, with Pods and rails, that nothing can leak out of.
#ifndef RAILCNI_TESTS_SUPPORT_SANDBOX_H_
#define RAILCNI_TESTS_SUPPORT_SANDBOX_H_

#include <functional>
#include <string>
#include <vector>

#include "railcni/json.h"
#include "tests/support/process.h"

namespace railcni::test {

// Moves the process into a network and mount namespace of its own, at the first call: "the host" of
// the tests. Mounts are private, /sys shows the new network namespace, /run, /var/lib and /var/log
// are empty file systems in memory, so that railcni's default folders are ours, too, and /etc has
// no node policy. The kernel takes it all away when the process ends, however it ends, and suites
// can run side by side. With RAILCNI_TEST_HOST=machine in the environment the machine's own network
// namespace is the host: for a VM whose hardware the tests are about. Must be called before the
// process has threads. Throws std::runtime_error (not root, for one).
void enter_sandbox();

// A folder that no other call returned, for a dataDir. In /run, which goes with the sandbox;
// whoever names another parent removes it.
std::string make_folder(const std::string& prefix, const std::string& parent = "/run");

// The node policy of the sandbox, while the object lives: `name` in /etc/railcni.
class NodePolicyFile {
 public:
  explicit NodePolicyFile(const std::string& text, const std::string& name = "policy.json");
  NodePolicyFile(const NodePolicyFile&) = delete;
  NodePolicyFile& operator=(const NodePolicyFile&) = delete;
  ~NodePolicyFile();

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A network namespace, mounted at path() as runtimes do it, with its loopback up.
class Pod {
 public:
  explicit Pod(const std::string& name = "pod");
  Pod(Pod&& other) noexcept;
  Pod& operator=(Pod&&) = delete;
  ~Pod();

  const std::string& path() const { return path_; }
  // Unmounts and removes the file: the namespace and all that is in it goes with the last process.
  void destroy();

 private:
  std::string path_;
};

struct RailOptions {
  int mtu = 1500;
  std::vector<std::string> addresses = {};       // of the master, with prefix length
  std::vector<std::string> peer_addresses = {};  // of the fabric's end
};

// A master in the host and the fabric behind it: a veth pair whose other end, `peer`, is in a
// namespace of its own. Goes with the object.
class Rail {
 public:
  explicit Rail(const std::string& master, const RailOptions& options = {});
  Rail(const Rail&) = delete;
  Rail& operator=(const Rail&) = delete;
  ~Rail();

  const std::string& master() const { return master_; }
  const std::string& fabric() const { return fabric_.path(); }

 private:
  std::string master_;
  Pod fabric_;
};

// Runs `work`, which makes that interface in the namespace, and waits until the kernel has done
// what it does with a new one in the background, without duplicate address detection: otherwise a
// snapshot would change by itself. Interfaces that come later keep the kernel's default.
void make_settled(const std::string& ifname, const std::string& netns,
                  const std::function<void()>& work);

// Runs `ip ARGUMENTS` (split at spaces) in a namespace (empty: the host). Throws
// std::runtime_error with what it said when it fails.
void ip(const std::string& arguments, const std::string& netns = "");
bool ip_succeeds(const std::string& arguments, const std::string& netns = "");
// As ip(), and returns its JSON.
Json ip_json(const std::string& arguments, const std::string& netns = "");

// The link of that name as `ip -d link show` has it; null when there is none.
Json link_of(const std::string& ifname, const std::string& netns = "");
// Its addresses as "10.0.0.1/24", link-local ones left out.
std::vector<std::string> addresses_of(const std::string& ifname, const std::string& netns = "");

// Asks again until it is true; false after two minutes, which is for what will never be. For what
// comes in the background, and a machine may be slow.
bool eventually(const std::function<bool()>& condition);

// True when a packet from inside `netns` reaches `address` (and the answer comes back), asked once:
// for what must not be reached.
bool can_ping(const std::string& address, const std::string& netns);
// The same, eventually: the neighbours have to find each other first, and links to come up.
bool reaches(const std::string& address, const std::string& netns);

// All links, addresses, routes of all tables and rules, without what changes by itself: ages,
// counters, and the link-local addresses that the kernel gives to links, with their routes.
Json snapshot(const std::string& netns = "");

// What differs from an earlier snapshot, in words; empty when nothing was left behind. The kernel
// takes a namespace apart in the background, so a difference gets some time to go away.
std::string changes_since(const Json& before, const std::string& netns = "");

// The sysctl net/PATH as seen in a namespace, without the newline.
std::string sysctl_of(const std::string& path, const std::string& netns = "");

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_SUPPORT_SANDBOX_H_
