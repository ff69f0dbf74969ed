// A Pod with CAP_NET_ADMIN does to its own namespace what it likes: one DEL ends it all the same.
#include <catch2/catch.hpp>
#include <fstream>
#include <thread>

#include "railcni/netns.h"
#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

const std::vector<std::string> kPath = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};

void batch(const std::string& commands, const std::string& netns) {
  const Outcome outcome = run({.argv = {"ip", "-force", "-batch", "-"},
                               .env = kPath,
                               .stdin_text = commands,
                               .netns = netns});
  INFO(outcome.describe());
  REQUIRE(outcome.ok());
}

// Does something in the namespace, again and again.
Child again_and_again(const std::string& commands, const std::string& netns) {
  return Child(
      {.argv = {"sh", "-c",
                "while :; do printf '" + commands + "'; done | ip -force -batch - >/dev/null 2>&1"},
       .env = kPath,
       .netns = netns});
}

// A namespace inside of the Pod's that lives as long as its only process.
class Nested {
 public:
  explicit Nested(const Pod& pod)
      : process_({.argv = {"unshare", "-n", "sleep", "1000"}, .env = kPath, .netns = pod.path()}) {
    while (comm() != "sleep") std::this_thread::yield();
  }
  std::string path() const { return "/proc/" + std::to_string(process_.pid()) + "/ns/net"; }
  std::string pid() const { return std::to_string(process_.pid()); }

 private:
  std::string comm() const {
    std::ifstream file("/proc/" + pid() + "/comm");
    std::string line;
    std::getline(file, line);
    return line;
  }

  Child process_;
};

struct World {
  void require_added() {
    const Call add = runtime.add(list, container);
    INFO(add.describe());
    REQUIRE(add.ok());
  }
  void require_deleted() {
    const Call del = runtime.del(list, container);
    INFO(del.describe());
    REQUIRE(del.ok());
    CHECK(leased(dir).empty());
    CHECK_NOTHROW(cli(dir, {"gc"}));
  }
  // No macvlan of ours is anywhere: the fabric sees nobody with this address any more.
  bool answers() const { return can_ping("10.9.0.2", rail.fabric()); }

  Rail rail{"rail0", {.peer_addresses = {"10.9.0.1/24"}}};
  Pod pod;
  std::string dir = make_folder("sabotage");
  Runtime runtime;
  Container container{.id = "c1", .netns = pod.path()};
  Json list = macvlan_list(dir, "rail0", pool_v4());
};

}  // namespace

TEST_CASE("a namespace that changes without end keeps neither ADD nor DEL") {
  enter_sandbox();
  World world;
  std::string many;
  for (int i = 0; i < 110; ++i) {
    const std::string n = std::to_string(i);
    many += "link add a" + n + " type veth peer name b" + n + "\nlink set a" + n + " up\n";
    many += "addr add 192.0.2." + n + "/32 dev a" + n + "\n";
  }
  // So many that a dump of them comes in pieces, and the changes in between.
  for (int i = 0; i < 12000; ++i) {
    many += "addr add 203.0." + std::to_string(i / 250) + "." + std::to_string(i % 250) +
            "/32 dev a2\n";
  }
  batch(many, world.pod.path());
  const Json before = snapshot();
  {
    const Child links =
        again_and_again("link add x type veth peer name y\\nlink del x\\n", world.pod.path());
    const Child addresses = again_and_again(
        "addr add 198.51.100.1/32 dev a1\\naddr del 198.51.100.1/32 dev a1\\n", world.pod.path());
    const Child rules = again_and_again(
        "rule add from 198.51.100.1 lookup 77\\nrule del from 198.51.100.1 lookup 77\\n"
        "addr add 198.51.100.2/32 dev a1\\naddr del 198.51.100.2/32 dev a1\\n",
        world.pod.path());
    for (int round = 0; round < 5; ++round) {
      world.require_added();
      world.require_deleted();
    }
  }
  CHECK(link_of("net1", world.pod.path()).is_null());
  CHECK(changes_since(before) == "");
}

TEST_CASE("whatever a Pod does with its macvlan, one DEL ends it") {
  enter_sandbox();
  World world;
  const Json before = snapshot();
  world.require_added();
  REQUIRE(world.answers());
  const std::string& path = world.pod.path();
  std::optional<Nested> nested;
  std::optional<Nested> second;
  SECTION("another name, and alternative names of 48 KiB") {
    std::string names = "link set net1 down\nlink set net1 name mine\n";
    for (int i = 0; i < 380; ++i) {
      std::string name = std::to_string(i);
      names +=
          "link property add dev mine altname " + std::string(120 - name.size(), 'n') + name + "\n";
    }
    batch(names, path);
  }
  SECTION("a port of a bridge") {
    batch("link add br0 type bridge\nlink set net1 master br0\n", path);
  }
  SECTION("another link with its name") {
    batch("link set net1 down\nlink set net1 name old\nlink add net1 type veth peer name other\n",
          path);
  }
  SECTION("a stack of its own on it") {
    std::string commands;
    for (int i = 0; i < 100; ++i) {
      commands += "link add link net1 name m" + std::to_string(i) + " type macvlan\n";
    }
    batch(commands, path);
  }
  SECTION("twenty thousand addresses") {
    std::string commands;
    for (int i = 0; i < 20000; ++i) {
      commands += "addr add 10.77." + std::to_string(i / 250) + "." + std::to_string(i % 250) +
                  "/32 dev net1\n";
    }
    batch(commands, path);
  }
  SECTION("in a namespace inside of its own") {
    nested.emplace(world.pod);
    batch("link set net1 netns " + nested->pid() + "\n", path);
    batch("addr add 10.9.0.2/24 dev net1\nlink set net1 up\n", nested->path());
    REQUIRE(world.answers());
  }
  SECTION("there, with another index and a namesake left behind") {
    nested.emplace(world.pod);
    const std::string index = std::to_string(link_of("net1", path).at("ifindex").as_int());
    batch("link add taken index " + index + " type bridge\n", nested->path());
    batch("link set net1 netns " + nested->pid() + "\n", path);
    batch("addr add 10.9.0.2/24 dev net1\nlink set net1 up\n", nested->path());
    batch(
        "link add base type veth peer name base1\n"
        "link add link base name net1 index " +
            index + " type macvlan\n",
        path);
    REQUIRE(world.answers());
  }
  SECTION("from one namespace to another without end") {
    nested.emplace(world.pod);
    second.emplace(world.pod);
    batch("link set net1 netns " + nested->pid() + "\n", path);
    const Child there =
        again_and_again("link set net1 netns " + second->pid() + "\\n", nested->path());
    const Child back =
        again_and_again("link set net1 netns " + nested->pid() + "\\n", second->path());
    world.require_deleted();
  }
  world.require_deleted();
  CHECK_FALSE(world.answers());
  for (const auto* inside : {&nested, &second}) {
    if (*inside) CHECK(link_of("net1", (*inside)->path()).is_null());
  }
  CHECK(changes_since(before) == "");
}

TEST_CASE("whatever a Pod does with its veth0, one DEL ends it") {
  enter_sandbox();
  World world;
  ip("addr add 10.9.0.254/24 dev rail0");
  const Json before = snapshot();
  const std::string routing = "ip rule; ip route show table all; ip neigh show nud permanent";
  const auto host_routing = [&] { return run({.argv = {"/bin/sh", "-c", routing}}).out; };
  const std::string routing_before = host_routing();
  const NodePolicyFile policy(R"({"hostRoutes": "any"})");  // the pool is inline
  world.list["plugins"].as_array()[0]["coordinator"] = Json::object({{"mode", "underlay"}});
  world.container.ifname = "eth0";
  world.require_added();
  CHECK_FALSE(host_routing() == routing_before);
  const std::string& path = world.pod.path();
  std::optional<Nested> nested;
  SECTION("deleted") { ip("link del veth0", path); }
  SECTION("under another name, and another link under its own") {
    batch(
        "link set veth0 down\nlink set veth0 name mine\n"
        "link add veth0 type veth peer name other\n",
        path);
  }
  SECTION("a port of a bridge, with another MAC") {
    batch(
        "link add br0 type bridge\nlink set veth0 master br0\n"
        "link set veth0 address 02:00:00:00:00:09\n",
        path);
  }
  SECTION("in a namespace inside of its own") {
    nested.emplace(world.pod);
    ip("link set veth0 netns " + nested->pid(), path);
  }
  world.require_deleted();
  CHECK(host_routing() == routing_before);
  CHECK(changes_since(before) == "");
  ip("addr del 10.9.0.254/24 dev rail0");
}

TEST_CASE("what a Pod has removed itself is not looked for among other Pods' links") {
  enter_sandbox();
  World world;
  // Of the same master, and with the same index, as links of Pods are.
  const Pod other("other");
  const Container second{.id = "c2", .netns = other.path()};
  world.require_added();
  REQUIRE(world.runtime.add(world.list, second).ok());
  REQUIRE(link_of("net1", other.path()).at("ifindex") ==
          link_of("net1", world.pod.path()).at("ifindex"));
  ip("link del net1", world.pod.path());
  const Call del = world.runtime.del(world.list, world.container);
  INFO(del.describe());
  REQUIRE(del.ok());
  CHECK(can_ping("10.9.0.3", world.rail.fabric()));
  CHECK(world.runtime.check(world.list, second).ok());
  CHECK(world.runtime.del(world.list, second).ok());
}

TEST_CASE("a route that the Pod makes impossible to put back does not keep DEL") {
  enter_sandbox();
  World world;
  world.list["plugins"].as_array()[0]["coordinator"] =
      Json::object({{"podDefaultRouteNIC", "net1"}});
  batch(
      "link add eth0 type veth peer name eth1\naddr add 10.1.0.2/24 dev eth0\nlink set eth1 up\n"
      "link set eth0 up\nroute add default via 10.1.0.1\n",
      world.pod.path());
  world.require_added();
  CHECK(ip_json("route show default", world.pod.path()).as_array().at(0).at("dev") == "net1");
  batch("addr flush dev eth0\n", world.pod.path());
  world.require_deleted();
}
