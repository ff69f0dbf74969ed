// Every step of ADD, DEL and GC is the last one of its process, or fails: what is left is cleaned,
// and one error says what was wrong.
#include <algorithm>
#include <catch2/catch.hpp>
#include <iterator>
#include <optional>
#include <sstream>

#include "tests/netns/world.h"
#include "tests/support/faults.h"
#include "tests/support/sanitized.h"

using namespace railcni;
using namespace railcni::test;

namespace {

// The settings of every interface. What ADD makes of the Pod's own "all" and "default" stays with
// the Pod.
std::vector<std::string> interface_sysctls(const std::string& netns = "") {
  const Outcome all =
      run({.argv = {"grep", "-rs", ".", "/proc/sys/net/ipv4/conf", "/proc/sys/net/ipv6/conf"},
           .env = {"PATH=/usr/bin:/bin"},
           .netns = netns});
  std::vector<std::string> lines;
  std::istringstream text(all.out);
  for (std::string line; std::getline(text, line);) {
    if (line.find("/all/rp_filter") != std::string::npos) continue;
    if (line.find("/default/rp_filter") != std::string::npos) continue;
    lines.push_back(line);
  }
  std::ranges::sort(lines);
  return lines;
}

// The lines of only one of two sorted lists.
std::string differences(const std::vector<std::string>& before,
                        const std::vector<std::string>& now) {
  std::string text;
  std::vector<std::string> lines;
  std::ranges::set_symmetric_difference(before, now, std::back_inserter(lines));
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::string host_neighbours() { return ip_json("neigh show nud permanent").dump(); }

constexpr const char* kPoolV6 = R"(apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata:
  name: six
spec:
  subnet: fd09::/64
  gateway: fd09::1
)";

// macvlan on a rail whose pools were applied.
class RailWorld : public FaultWorld {
 public:
  explicit RailWorld(const Json& coordinator) : rail_("rail1", {.peer_addresses = kGateway}) {
    dir = make_folder("fault");
    apply_pools(dir, kSeedPool);
    apply_pools(dir, kPoolV6);
    list = macvlan_list(dir, "rail1", nullptr);
    Json& plugin = list["plugins"].as_array()[0];
    plugin["coordinator"] = coordinator;
    plugin["ipam"] = Json::object({{"type", "railcni"},
                                   {"ippools", Json::object({{"ipv4", Json::array({"gpu1-net11"})},
                                                             {"ipv6", Json::array({"six"})}})}});
    ip("addr add 172.16.0.1/16 dev rail1");
    host_bare_ = snapshot();
  }
  // What a Pod leaves in the host goes in the background; the next test must not meet it.
  ~RailWorld() override {
    if (pod_) lose_pod();
    (void)changes_since(host_bare_);
  }

  Container container() override {
    if (!pod_) make_pod();
    return {.id = "victim", .netns = pod_->path(), .ifname = ifname_};
  }
  void lose_pod() final {
    pod_.reset();
    if (has_cluster_) (void)ip_succeeds("link del host0");  // it may have gone with the Pod
  }
  void require_as_before() override {
    CHECK(count_records(dir) == others.size());
    if (!pod_) {
      CHECK(changes_since(host_bare_) == "");
      return;
    }
    CHECK(changes_since(host_before_) == "");
    CHECK(changes_since(pod_before_, pod_->path()) == "");
    CHECK(differences(host_sysctls_, interface_sysctls()) == "");
    CHECK(differences(pod_sysctls_, interface_sysctls(pod_->path())) == "");
    CHECK(host_neighbours() == host_neighbours_);
  }

 protected:
  void use_cluster_interface() { has_cluster_ = true; }
  void set_ifname(const std::string& name) { ifname_ = name; }
  void set_host_bare() { host_bare_ = snapshot(); }

 private:
  void make_pod() {
    pod_.emplace();
    const std::string& path = pod_->path();
    if (has_cluster_) {
      ip("link add host0 type veth peer name eth0 netns " + path);
      ip("link set host0 addrgenmode none");
      ip("link set eth0 addrgenmode none", path);
      ip("link set host0 up");
      ip("addr add 10.233.64.2/24 dev eth0", path);
      ip("link set eth0 up", path);
      ip("route add default via 10.233.64.1 dev eth0", path);
      // Its carrier comes in the background.
      while (link_of("host0").at("operstate").as_string() != "UP") {
      }
    }
    host_before_ = snapshot();
    pod_before_ = snapshot(path);
    host_sysctls_ = interface_sysctls();
    pod_sysctls_ = interface_sysctls(path);
    host_neighbours_ = host_neighbours();
  }

  static inline const std::vector<std::string> kGateway = {"172.16.11.254/16", "fd09::1/64"};
  Rail rail_;
  bool has_cluster_ = false;
  std::string ifname_ = "net1";
  std::optional<Pod> pod_;
  Json host_bare_, host_before_, pod_before_;
  std::vector<std::string> host_sysctls_, pod_sysctls_;
  std::string host_neighbours_;
};

// A rail beside the cluster's interface: a table and rules in the Pod, and the host's way to it.
class BesideCluster : public RailWorld {
 public:
  BesideCluster()
      : RailWorld(Json::object({{"mode", "overlay"},
                                {"podRPFilter", 1},
                                {"txQueueLen", 500},
                                {"podMACPrefix", "0a:1b"},
                                {"detectGateway", true}})) {
    use_cluster_interface();
  }
};

// The Pod's only interface, with a veth pair to the host; another Pod of the network stands by.
class Underlay : public RailWorld {
 public:
  Underlay()
      : RailWorld(Json::object({{"mode", "underlay"}, {"vethLinkAddress", "169.254.100.1"}})) {
    set_ifname("eth0");
    Container other{.id = "bystander", .netns = other_.path(), .ifname = "eth0"};
    call("ADD", other);
    others.push_back(std::move(other));
    // The carrier of its veth pair comes in the background.
    while (ip_json("link show").dump().find("NO-CARRIER") != std::string::npos) {
    }
    set_host_bare();
  }

  ~Underlay() override { (void)runtime.del(list, others.front()); }

 private:
  Pod other_{"bystander"};
};

// The IPAM of another plugin.
class OuterIpam : public FaultWorld {
 public:
  OuterIpam() {
    dir = make_folder("fault");
    list = make_conflist(
        "1.1.0", "net",
        {Json::object({{"type", "bridge"},
                       {"ipam", Json::object({{"type", "railcni"},
                                              {"dataDir", dir},
                                              {"pools", Json::array({pool_v4(), pool_v6()})}})}})});
    Container other{.id = "bystander", .netns = other_.path()};
    call("ADD", other);
    others.push_back(std::move(other));
  }

  Container container() override {
    if (!pod_) pod_.emplace();
    return {.id = "victim", .netns = pod_->path()};
  }
  void lose_pod() override { pod_.reset(); }
  void require_as_before() override {
    CHECK(count_records(dir) == others.size());
    CHECK(leased(dir).size() == 2);
  }

 private:
  Pod other_{"bystander"};
  std::optional<Pod> pod_;
};

// Between two of these nothing changes outside of the process.
const char* const kKilledBefore = "kill:store+file+set+sysfs";
const char* const kKilledAfter = "killed-after:commit+file+set+sysfs";

// How many steps a walk must have had to be one at all. The shared liblmdb, which the build with
// sanitizers takes, writes its pages by calls that nobody wraps.
constexpr int least(int steps) { return kSanitized ? steps / 3 : steps; }

}  // namespace

TEST_CASE("macvlan beside the cluster's interface: ADD, DEL and GC are killed at any step") {
  enter_sandbox();
  BesideCluster world;
  REQUIRE(walk_add(world, kKilledBefore) > least(20));
  REQUIRE(walk_add(world, kKilledAfter) > least(15));
  REQUIRE(walk_del(world, kKilledBefore) > least(15));
  REQUIRE(walk_del(world, kKilledAfter) > least(10));
  REQUIRE(walk_gc(world, kKilledAfter) > least(10));
}

TEST_CASE("macvlan beside the cluster's interface: any step of ADD, DEL and GC fails") {
  enter_sandbox();
  BesideCluster world;
  REQUIRE(walk_add(world, "EIO") > least(60));
  // The kernel's acknowledgements are lost.
  REQUIRE(walk_add(world, "ENOBUFS:recv") > least(15));
  REQUIRE(walk_add(world, "ENOSPC:store+file") > least(10));
  REQUIRE(walk_del(world, "EIO") > least(30));
  REQUIRE(walk_del(world, "ENOBUFS:recv") >= least(10));
  REQUIRE(walk_del(world, "ENOSPC:store+file") > least(5));
  REQUIRE(walk_gc(world, "EIO:store+set") > least(10));
}

TEST_CASE("macvlan: interrupted system calls are made again") {
  enter_sandbox();
  BesideCluster world;
  for (const char* verb : {"ADD", "CHECK", "DEL"}) {
    const FaultRun run =
        run_with_fault(world.command(verb, world.container()), "EINTR:send+recv+sysfs+file:each");
    INFO(verb << " " << run.describe());
    CHECK_FALSE(run.struck.empty());
    REQUIRE(run.call.ok());
    if (run.call.json.is_object()) world.result = run.call.json;
  }
  world.require_as_before();
}

TEST_CASE("macvlan: a setting of the interface that the kernel refuses is an error") {
  enter_sandbox();
  BesideCluster world;
  const FaultRun run = run_with_fault(world.command("ADD", world.container()), "EIO:sysfs:1");
  INFO(run.describe());
  CHECK_FALSE(run.call.ok());
  CHECK_THAT(run.call.msg(), Catch::Contains("/proc/sys/net/ipv6/conf/net1/"));
  world.require_as_before();
}

TEST_CASE("macvlan: GC goes on with the next attachment after one that failed amid a dump") {
  enter_sandbox();
  BesideCluster world;
  const Container first = world.container();
  Container second = first;
  second.ifname = "net2";
  // More than some receives have room for.
  std::string routes;
  for (int i = 0; i < 20000; ++i) {
    routes += "route add 198.18." + std::to_string(i / 200) + "." + std::to_string(i % 200) +
              " dev rail1 table 77\n";
  }
  REQUIRE(run({.argv = {"ip", "-batch", "-"},
               .env = {"PATH=/usr/sbin:/sbin:/usr/bin:/bin"},
               .stdin_text = routes})
              .ok());
  for (int n = 1;; n += 12) {
    world.call("ADD", first);
    world.call("ADD", second);
    const FaultRun run =
        run_with_fault(world.command("GC", first), "EIO:recv:" + std::to_string(n));
    INFO(run.describe());
    CHECK(run.call.ok() == run.struck.empty());
    CHECK(count_records(world.dir) == (run.struck.empty() ? 0 : 1));
    world.call("GC", first);
    CHECK(count_records(world.dir) == 0);
    if (run.struck.empty()) break;
  }
  ip("route flush table 77");
}

TEST_CASE("macvlan: a thousand routes are all acknowledged") {
  enter_sandbox();
  const Rail rail("rail0");
  const Pod pod;
  Json pool = pool_v4();
  for (int i = 0; i < 1000; ++i) {
    const std::string subnet =
        "10." + std::to_string(20 + i / 250) + "." + std::to_string(i % 250) + ".0/24";
    pool["routes"].push_back(Json::object({{"dst", subnet}, {"gw", "10.9.0.1"}}));
  }
  const std::string dir = make_folder("many");
  Runtime runtime;
  const Json list = macvlan_list(dir, "rail0", pool);
  const Container container{.id = "many", .netns = pod.path()};
  const Call add = runtime.add(list, container);
  INFO(add.process.err);
  REQUIRE(add.ok());
  CHECK(ip_json("route show via 10.9.0.1", pod.path()).as_array().size() == 1001);
  CHECK(runtime.del(list, container).ok());
}

TEST_CASE("macvlan with a veth pair to the host: ADD, DEL and GC are killed, or fail") {
  enter_sandbox();
  Underlay world;
  REQUIRE(walk_add(world, kKilledAfter) > least(15));
  REQUIRE(walk_add(world, "EIO:set") > least(4));
  REQUIRE(walk_del(world, kKilledAfter) > least(10));
  REQUIRE(walk_del(world, "EIO:set") > least(3));
  REQUIRE(walk_gc(world, kKilledAfter) > least(10));
}

TEST_CASE("another plugin's IPAM: ADD, DEL and GC are killed at any step, or fail") {
  enter_sandbox();
  OuterIpam world;
  for (const char* fault : {"kill", "killed-after", "EIO", "ENOSPC"}) {
    CHECK(walk_add(world, fault) >= least(4));
    CHECK(walk_del(world, fault) >= least(3));
    CHECK(walk_gc(world, fault) >= least(3));
  }
}
