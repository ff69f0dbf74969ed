// A Pod with CAP_NET_ADMIN does to its VF what it likes: one DEL brings it home, as it was, with
// nothing of the Pod on it.
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <optional>
#include <stdexcept>

#include "railcni/netns.h"
#include "tests/netns/world.h"
#include "tests/vm/machine.h"
#include "tests/vm/sriov_world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

const std::vector<std::string> kPath = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};

void shell(const std::string& commands, const std::string& netns) {
  const Outcome outcome = run({.argv = {"sh", "-ec", commands}, .env = kPath, .netns = netns});
  INFO(outcome.describe());
  REQUIRE(outcome.ok());
}

void batch(const std::string& commands, const std::string& netns) {
  const Outcome outcome = run({.argv = {"ip", "-force", "-batch", "-"},
                               .env = kPath,
                               .stdin_text = commands,
                               .netns = netns});
  INFO(outcome.describe());
  REQUIRE(outcome.ok());
}

// A process in a namespace inside of the Pod's.
class Nested {
 public:
  explicit Nested(const Pod& pod)
      : process_({.argv = {"unshare", "-n", "sleep", "1000"}, .env = kPath, .netns = pod.path()}) {
    REQUIRE(eventually([&] { return read_line("/proc/" + pid() + "/comm") == "sleep"; }));
  }
  std::string pid() const { return std::to_string(process_.pid()); }
  std::string path() const { return "/proc/" + pid() + "/ns/net"; }

 private:
  Child process_;
};

// Attaches a program that lets all pass to net1 of the namespace, by a BPF link, which it returns.
Fd attach_program(const std::string& netns, uint32_t hook) {
  constexpr uint32_t kXdp = 37;  // BPF_XDP of <linux/bpf.h>; the others are tcx
  Fd held;
  Netns::open(netns).run([&] {
    // r0 = 2 (XDP_PASS) or -1 (TCX_NEXT); exit
    bpf_insn code[2] = {};
    code[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
    code[0].imm = hook == kXdp ? 2 : -1;
    code[1].code = BPF_JMP | BPF_EXIT;
    bpf_attr load{};
    load.prog_type = hook == kXdp ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SCHED_CLS;
    load.insns = reinterpret_cast<uint64_t>(code);
    load.insn_cnt = 2;
    load.license = reinterpret_cast<uint64_t>("GPL");
    const Fd program(static_cast<int>(syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load)));
    if (!program) throw std::runtime_error("no program can be loaded");
    bpf_attr attach{};
    attach.link_create.prog_fd = static_cast<uint32_t>(program.get());
    attach.link_create.target_ifindex = if_nametoindex("net1");
    attach.link_create.attach_type = static_cast<bpf_attach_type>(hook);
    if (hook == kXdp) attach.link_create.flags = 2;  // XDP_FLAGS_SKB_MODE
    held = Fd(static_cast<int>(syscall(SYS_bpf, BPF_LINK_CREATE, &attach, sizeof attach)));
    // Before Linux 6.6 there is no tcx.
    if (!held && errno != EINVAL) throw std::runtime_error("the program cannot be attached");
  });
  return held;
}

// A VF in a Pod, and how it was before.
struct World {
  World() {
    REQUIRE(name != "net1");
    ip("link add other9 type dummy");
    ip("link property add dev other9 altname host-other");
    ip("link property add dev " + name + " altname rail-vf");
    before = link_of(name);
    require(runtime.add(list, container));
  }
  ~World() { (void)ip_succeeds("link property del dev " + name + " altname rail-vf"); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  static void require(const Call& call) {
    INFO(call.describe());
    REQUIRE(call.ok());
  }
  void require_home() {
    require(runtime.del(list, container));
    CHECK(leased(dir).empty());
    const Json now = link_of(netdev_of(vf));
    CHECK(now.find("xdp") == nullptr);
    CHECK(now.find("master") == nullptr);
    CHECK(now.at("qdisc") != Json("htb"));
    // What was bound anew has another index.
    for (const char* key : {"ifname", "address", "mtu", "flags", "altnames"}) {
      INFO(key);
      CHECK(now.at(key) == before.at(key));
    }
  }

  Machine machine;
  const std::string vf = vfs_of("rail1").at(3);
  const std::string name = netdev_of(vf);
  const std::string dir = make_folder("sabotage");
  Runtime runtime;
  Pod pod;
  Json before;
  const Json list = with_device(sriov_list(dir, Json::object({{"trust", "on"}})), vf);
  const Container container{.id = "c1", .netns = pod.path()};
};

}  // namespace

TEST_CASE("whatever a Pod does with its VF, one DEL brings it home", "[ethernet]") {
  World world;
  const std::string& path = world.pod.path();
  std::optional<Nested> nested;
  std::optional<Child> process;
  Fd held;
  SECTION("an alternative name that the host has") {
    ip("link property add dev net1 altname host-other", path);
  }
  SECTION("a name that the host has as an alternative one") {
    batch("link set net1 down\nlink set net1 name host-other\n", path);
  }
  SECTION("its own name of the host as an alternative one") {
    batch(
        "link property del dev net1 altname rail-vf\n"
        "link property add dev net1 altname " +
            world.name + "\n",
        path);
  }
  SECTION("alternative names of 40 KiB") {
    std::string names;
    for (int i = 0; i < 320; ++i) {
      const std::string number = std::to_string(i);
      names += "link property add dev net1 altname " + std::string(120 - number.size(), 'n') +
               number + "\n";
    }
    batch(names, path);
  }
  SECTION("an alternative name of the host that comes again and again") {
    process.emplace(
        Command{.argv = {"sh", "-c",
                         "while :; do echo link property add dev net1 altname host-other; done | "
                         "ip -force -batch - >/dev/null 2>&1"},
                .env = kPath,
                .netns = path});
    REQUIRE(eventually(
        [&] { return link_of("net1", path).dump().find("host-other") != std::string::npos; }));
  }
  SECTION("a port of a bridge") {
    batch("link add br0 type bridge\nlink set net1 master br0\n", path);
  }
  SECTION("a port of a bond") {
    batch(
        "link set net1 down\nlink add bond9 type bond\nlink set net1 master bond9\n"
        "link set bond9 up\n",
        path);
  }
  SECTION("in a VRF") { batch("link add v9 type vrf table 9\nlink set net1 master v9\n", path); }
  SECTION("queueing disciplines") {
    shell(
        "tc qdisc add dev net1 root handle 1: htb; tc qdisc add dev net1 clsact; "
        "tc filter add dev net1 ingress matchall action drop",
        path);
  }
  SECTION("an XDP program that a process holds") { held = attach_program(path, 37); }
  SECTION("a tcx program") { held = attach_program(path, 46); }
  SECTION("thousands of addresses") {
    std::string commands;
    for (int i = 0; i < 3000; ++i) {
      commands += "addr add 10.77." + std::to_string(i / 250) + "." + std::to_string(i % 250) +
                  "/32 dev net1\n";
    }
    batch(commands, path);
  }
  SECTION("in a namespace inside of its own") {
    nested.emplace(world.pod);
    batch("link set net1 netns " + nested->pid() + "\n", path);
  }
  SECTION("in a namespace that only an open file keeps") {
    {
      const Nested gone(world.pod);
      held = Fd(open(gone.path().c_str(), O_RDONLY | O_CLOEXEC));
      batch("link set net1 netns " + gone.pid() + "\n", path);
    }
    // Not this process' own /proc/PID/fd is looked at, but the namespaces that processes are in.
    REQUIRE(link_of("net1", path).is_null());
  }
  SECTION("in a namespace that outlives the Pod's") {
    nested.emplace(world.pod);
    batch("link set net1 netns " + nested->pid() + "\n", path);
    // The process in there is not in the Pod's.
    world.pod.destroy();
  }
  world.require_home();
}

TEST_CASE("what a Pod stacked on its VF is gone before the next Pod has it", "[ethernet]") {
  World world;
  const std::string& path = world.pod.path();
  std::optional<Nested> nested;
  Fd held;
  std::string link = "upper";
  std::string where = path;
  SECTION("a VLAN") { batch("link add link net1 name upper type vlan id 5\n", path); }
  SECTION("a macvlan") { batch("link add link net1 name upper type macvlan\n", path); }
  SECTION("an ipvlan") { batch("link add link net1 name upper type ipvlan\n", path); }
  SECTION("a stack of two") {
    batch(
        "link add link net1 name middle type vlan id 5\n"
        "link add link middle name upper type macvlan\n",
        path);
  }
  SECTION("a hundred macvlans") {
    std::string commands;
    for (int i = 0; i < 100; ++i) {
      commands += "link add link net1 name m" + std::to_string(i) + " type macvlan\n";
    }
    batch(commands, path);
    link = "m99";
  }
  SECTION("a macvlan in a namespace inside of the Pod's") {
    nested.emplace(world.pod);
    where = nested->path();
    batch("link add link net1 name upper netns " + nested->pid() + " type macvlan\n", path);
  }
  SECTION("a VLAN there, after the Pod's end") {
    nested.emplace(world.pod);
    where = nested->path();
    batch("link add link net1 name upper netns " + nested->pid() + " type vlan id 5\n", path);
    world.pod.destroy();
  }
  REQUIRE(link_of(link, where).is_object());
  world.require_home();
  if (nested) {
    CHECK(link_of(link, where).is_null());
  } else {
    CHECK(ip_json("link show", path).as_array().size() == 1);  // lo
  }
  const Pod next("next");
  const Container second{.id = "c2", .netns = next.path()};
  World::require(world.runtime.add(world.list, second));
  World::require(world.runtime.del(world.list, second));
}

TEST_CASE("a VF on which something of the host stands is refused", "[ethernet]") {
  Machine machine;
  const std::string vf = vfs_of("rail1").at(2);
  const std::string name = netdev_of(vf);
  const std::string dir = make_folder("sabotage");
  Runtime runtime;
  const Pod pod;
  const bool is_port = GENERATE(false, true);
  if (is_port) {
    ip("link add br9 type bridge");
    ip("link set " + name + " master br9");
  } else {
    ip("link add link " + name + " name mv9 type macvlan");
  }
  const Json before = machine_snapshot();
  const Call add = runtime.add(with_device(sriov_list(dir), vf), {.id = "c1", .netns = pod.path()});
  INFO(add.describe());
  CHECK(add.code() == 7);
  CHECK_THAT(add.msg(), Catch::Contains(is_port ? "br9" : "mv9"));
  CHECK(machine_changes_since(before) == "");
  CHECK(leased(dir).empty());
  ip(is_port ? "link del br9" : "link del mv9");
}
