#include "tests/support/sandbox.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

namespace railcni::test {
namespace {

constexpr const char* kNetnsFolder = "/run/netns";

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

void make_directory(const std::string& path) {
  if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) fail(path);
}

void set_sysctl(const std::string& path, const std::string& value) {
  const Fd file(open(("/proc/sys/net/" + path).c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), value.data(), value.size()) < 0) fail("/proc/sys/net/" + path);
}

// Link-local addresses are usable at once: otherwise a snapshot would change by itself after one or
// two seconds. Only for the host and the fabric; Pods keep the kernel's default.
void skip_duplicate_detection() {
  set_sysctl("ipv6/conf/all/accept_dad", "0");
  set_sysctl("ipv6/conf/default/accept_dad", "0");
}

void keep_duplicate_detection() { set_sysctl("ipv6/conf/default/accept_dad", "1"); }

void raise_loopback() {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request = {};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  if (!socket || ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) fail("lo up");
}

// Runs `work` in a thread, whose namespace may differ from the process'.
void in_thread(const std::function<void()>& work) {
  std::exception_ptr failure;
  std::thread thread([&] {
    try {
      work();
    } catch (...) {
      failure = std::current_exception();
    }
  });
  thread.join();
  if (failure) std::rethrow_exception(failure);
}

void in_netns(const std::string& netns, const std::function<void()>& work) {
  if (netns.empty()) return work();
  in_thread([&] {
    const Fd file(open(netns.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file || setns(file.get(), CLONE_NEWNET) != 0) fail(netns);
    work();
  });
}

Outcome run_ip(const std::string& arguments, const std::string& netns) {
  Command command;
  command.argv = {"ip"};
  std::istringstream words(arguments);
  for (std::string word; words >> word;) command.argv.push_back(word);
  command.env = {"PATH=/usr/sbin:/sbin:/usr/bin:/bin"};
  command.netns = netns;
  return run(command);
}

// What the kernel makes of a link's link-local address comes in the background, when the carrier is
// there and the duplicate address detection over: the address and its routes.
bool comes_by_itself(const Json& entry) {
  const Json* scope = entry.find("scope");
  const Json* family = entry.find("family");
  if (family != nullptr && scope != nullptr) {
    return family->as_string() == "inet6" && scope->as_string() == "link";
  }
  const Json* to = entry.find("dst");
  return to != nullptr && to->is_string() &&
         (to->as_string().starts_with("fe80:") || to->as_string().starts_with("ff00:"));
}

void mount_memory(const std::string& folder) {
  if (mount("tmpfs", folder.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") != 0) fail(folder);
}

// An /etc in memory with a /etc/railcni of its own, and links to the rest of the machine's.
void make_own_etc() {
  const std::string original = "/run/etc-of-the-machine";
  make_directory(original);
  if (mount("/etc", original.c_str(), "", MS_BIND | MS_REC, nullptr) != 0) fail(original);
  mount_memory("/etc");
  for (const auto& entry : std::filesystem::directory_iterator(original)) {
    const std::string name = entry.path().filename();
    if (name == "railcni") continue;
    if (symlink(entry.path().c_str(), ("/etc/" + name).c_str()) != 0) fail(name);
  }
}

// Removes what changes without anybody's doing.
Json without_volatile(const Json& json) {
  if (json.is_array()) {
    Json::Array items;
    for (const Json& item : json.as_array()) {
      if (!comes_by_itself(item)) items.push_back(without_volatile(item));
    }
    return Json::array(std::move(items));
  }
  if (!json.is_object()) return json;
  Json result = Json::object();
  // A move to another namespace takes the queueing discipline off a link, also one that was left
  // from a time when the link was up; a link that is down has no use for it.
  const Json* flags = json.find("flags");
  const bool is_down = flags != nullptr && std::ranges::count(flags->as_array(), Json("UP")) == 0;
  for (const auto& [key, value] : json.as_object()) {
    if (key == "qdisc" && is_down) continue;
    if (key == "valid_life_time" || key == "preferred_life_time" || key == "expires" ||
        key == "operstate" || key == "tentative" || key == "used" || key == "age") {
      continue;
    }
    result.as_object().emplace_back(key, without_volatile(value));
  }
  return result;
}

// Entries of the one list that are not in the other.
void describe_changes(const std::string& what, const Json::Array& before, const Json::Array& now,
                      std::string& out) {
  for (const Json& entry : before) {
    if (std::ranges::count(now, entry) == 0) out += "ip " + what + ": gone: " + entry.dump() + "\n";
  }
  for (const Json& entry : now) {
    if (std::ranges::count(before, entry) == 0)
      out += "ip " + what + ": new: " + entry.dump() + "\n";
  }
}

// The kernel brings a link's carrier and link-local address up in the background.
void wait_until_settled(const std::string& ifname, const std::string& netns) {
  const bool settled = eventually([&] {
    const Json links = ip_json("addr show dev " + ifname, netns);
    const Json& link = links.as_array().at(0);
    bool has_link_local = false;
    for (const Json& address : link.at("addr_info").as_array()) {
      if (address.at("scope").as_string() == "link") {
        has_link_local = address.find("tentative") == nullptr;
      }
    }
    return link.at("operstate").as_string() == "UP" && has_link_local;
  });
  if (!settled) throw std::runtime_error(ifname + " did not come up");
}

}  // namespace

void enter_sandbox() {
  static bool entered = false;
  if (entered) return;
  const char* host = getenv("RAILCNI_TEST_HOST");
  const bool machine = host != nullptr && std::string_view(host) == "machine";
  if (unshare(machine ? CLONE_NEWNS : CLONE_NEWNET | CLONE_NEWNS) != 0) {
    fail("unshare (the tests need root)");
  }
  if (mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) fail("mount / private");
  if (!machine && mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    fail("mount /sys");
  }
  for (const char* folder : {"/run", "/var/lib", "/var/log"}) mount_memory(folder);
  make_own_etc();
  make_directory(kNetnsFolder);
  raise_loopback();
  skip_duplicate_detection();
  entered = true;
}

std::string make_folder(const std::string& prefix, const std::string& parent) {
  enter_sandbox();
  std::string path = parent + "/" + prefix + ".XXXXXX";
  if (mkdtemp(path.data()) == nullptr) fail(path);
  return path;
}

NodePolicyFile::NodePolicyFile(const std::string& text, const std::string& name)
    : path_("/etc/railcni/" + name) {
  enter_sandbox();
  make_directory("/etc/railcni");
  std::ofstream(path_) << text;
}

NodePolicyFile::~NodePolicyFile() {
  (void)unlink(path_.c_str());
  (void)rmdir("/etc/railcni");
}

Pod::Pod(const std::string& name) {
  enter_sandbox();
  static int number = 0;
  const std::string path = std::string(kNetnsFolder) + "/" + name + "-" + std::to_string(++number);
  if (!Fd(open(path.c_str(), O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC, 0444))) fail(path);
  in_thread([&path] {
    if (unshare(CLONE_NEWNET) != 0) fail("unshare");
    raise_loopback();
    if (mount("/proc/thread-self/ns/net", path.c_str(), "", MS_BIND, nullptr) != 0) fail(path);
  });
  path_ = path;
}

Pod::Pod(Pod&& other) noexcept : path_(std::exchange(other.path_, "")) {}

Pod::~Pod() { destroy(); }

void Pod::destroy() {
  if (path_.empty()) return;
  (void)umount2(path_.c_str(), MNT_DETACH);
  (void)unlink(path_.c_str());
  path_.clear();
}

Rail::Rail(const std::string& master, const RailOptions& options)
    : master_(master), fabric_("fabric") {
  in_netns(fabric_.path(), skip_duplicate_detection);
  const std::string mtu = " mtu " + std::to_string(options.mtu);
  ip("link add " + master + mtu + " type veth peer name peer" + mtu + " netns " + fabric_.path());
  for (const std::string& address : options.addresses) {
    ip("addr add " + address + " dev " + master);
  }
  for (const std::string& address : options.peer_addresses) {
    ip("addr add " + address + " dev peer", fabric_.path());
  }
  ip("link set peer up", fabric_.path());
  ip("link set " + master + " up");
  wait_until_settled(master, "");
  wait_until_settled("peer", fabric_.path());
}

Rail::~Rail() { (void)run_ip("link del " + master_, ""); }

void make_settled(const std::string& ifname, const std::string& netns,
                  const std::function<void()>& work) {
  in_netns(netns, skip_duplicate_detection);
  work();
  wait_until_settled(ifname, netns);
  in_netns(netns, keep_duplicate_detection);
}

void ip(const std::string& arguments, const std::string& netns) {
  const Outcome outcome = run_ip(arguments, netns);
  if (!outcome.ok()) throw std::runtime_error("ip " + arguments + ": " + outcome.describe());
}

bool ip_succeeds(const std::string& arguments, const std::string& netns) {
  return run_ip(arguments, netns).ok();
}

Json ip_json(const std::string& arguments, const std::string& netns) {
  const Outcome outcome = run_ip("-j " + arguments, netns);
  if (!outcome.ok()) throw std::runtime_error("ip -j " + arguments + ": " + outcome.describe());
  // No routes at all: no document at all.
  if (outcome.out.find_first_not_of(" \n") == std::string::npos) return Json::array();
  return Json::parse(outcome.out);
}

Json link_of(const std::string& ifname, const std::string& netns) {
  const Json links = ip_json("-d link show", netns);
  for (const Json& link : links.as_array()) {
    const Json* name = link.find("ifname");
    if (name != nullptr && name->as_string() == ifname) return link;
  }
  return nullptr;
}

std::vector<std::string> addresses_of(const std::string& ifname, const std::string& netns) {
  std::vector<std::string> result;
  const Json links = ip_json("addr show dev " + ifname, netns);
  for (const Json& link : links.as_array()) {
    const Json* list = link.find("addr_info");
    if (list == nullptr) continue;
    for (const Json& address : list->as_array()) {
      if (address.find("local") == nullptr || address.at("scope").as_string() == "link") continue;
      result.push_back(address.at("local").as_string() + "/" +
                       std::to_string(address.at("prefixlen").as_int()));
    }
  }
  return result;
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

bool reaches(const std::string& address, const std::string& netns) {
  return eventually([&] { return can_ping(address, netns); });
}

bool can_ping(const std::string& address, const std::string& netns) {
  Command command;
  command.argv = {"ping", "-c", "1", "-W", "2", "-n", address};
  command.env = {"PATH=/usr/sbin:/sbin:/usr/bin:/bin"};
  command.netns = netns;
  return run(command).ok();
}

Json snapshot(const std::string& netns) {
  Json json = Json::object();
  for (const char* what : {"-d link show", "addr show", "-4 route show table all",
                           "-6 route show table all", "-4 rule show", "-6 rule show"}) {
    json[what] = without_volatile(ip_json(what, netns));
  }
  return json;
}

std::string changes_since(const Json& before, const std::string& netns) {
  std::string changes;
  eventually([&] {
    const Json now = snapshot(netns);
    changes.clear();
    for (const auto& [what, entries] : before.as_object()) {
      describe_changes(what, entries.as_array(), now.at(what).as_array(), changes);
    }
    return changes.empty();
  });
  return changes;
}

std::string sysctl_of(const std::string& path, const std::string& netns) {
  std::string text(64, '\0');
  in_netns(netns, [&] {
    const Fd file(open(("/proc/sys/net/" + path).c_str(), O_RDONLY | O_CLOEXEC));
    const ssize_t count = file ? ::read(file.get(), text.data(), text.size()) : -1;
    if (count < 0) fail("/proc/sys/net/" + path);
    text.resize(static_cast<size_t>(count));
  });
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace railcni::test
