// railcni with the IPAM of another plugin: Debian's, and scripts that fail.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "tests/netns/cluster.h"
#include "tests/netns/dhcp_server.h"
#include "tests/netns/plugin_names.h"
#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

namespace {

struct World {
  Rail rail{"rail0"};
  Pod pod;
  std::string dir = make_folder("delegated");
  std::string path = path_with_names({"railcni"});
  Runtime runtime{path};
  Container container{.id = "c1", .netns = pod.path()};
  Json host_before = snapshot();
  Json pod_before = snapshot(pod.path());

  // Debian's plugins speak 1.0.0.
  Json list(const Json& ipam, const std::string& version = "1.0.0") const {
    Json plugin = Json::object({{"type", "railcni"},
                                {"cniType", "macvlan"},
                                {"dataDir", dir},
                                {"macvlan", Json::object({{"master", Json::array({"rail0"})}})},
                                {"ipam", ipam}});
    return make_conflist(version, "net", {plugin});
  }
  Json host_local() const {
    return Json::object({{"type", "host-local"},
                         {"dataDir", dir + "/hl"},
                         {"ranges", Json::parse(R"([[{"subnet": "10.9.0.0/24"}],
                                                    [{"subnet": "fd09::/64"}]])")},
                         {"routes", Json::parse(R"([{"dst": "10.0.0.0/8"}])")}});
  }
  // The addresses that host-local has reserved.
  std::string reserved() const {
    return run({.argv = {"/bin/sh", "-c", "cd " + dir + "/hl/net && ls | grep '[0-9][.:]'"},
                .env = {"PATH=/usr/bin:/bin"}})
        .out;
  }
  // The lines of what a stub wrote.
  std::string calls() const { return text_of_file(dir + "/calls"); }
  Json stub(const std::string& script) const {
    put_script(path, "stub", "echo $CNI_COMMAND >>" + dir + "/calls\n" + script);
    return Json::object({{"type", "stub"}});
  }
  void require_nothing_left() const {
    CHECK(changes_since(pod_before, pod.path()).empty());
    CHECK(changes_since(host_before).empty());
    CHECK_NOTHROW(cli(dir, {"gc"}));
    CHECK(cli_json(dir, {"gc", "--dry-run"}).at("undone").as_array().empty());
  }
};

using Strings = std::vector<std::string>;
const char* const kStubResult =
    R"('{"cniVersion":"1.1.0","ips":[{"address":"10.9.0.5/24","gateway":"10.9.0.1"}]}')";

}  // namespace

TEST_CASE("host-local gives the addresses and the routes: ADD, CHECK, DEL") {
  enter_sandbox();
  World world;
  const Json list = world.list(world.host_local());
  const Call add = world.runtime.add(list, world.container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(addresses_of("net1", world.pod.path()) == Strings{"10.9.0.2/24", "fd09::2/64"});
  CHECK(add.json.at("ips").as_array().size() == 2);
  CHECK(add.json.at("ips").as_array()[0] ==
        Json::parse(R"({"interface": 0, "address": "10.9.0.2/24", "gateway": "10.9.0.1"})"));
  // A route without a gateway goes by the address's; a gateway alone is no default route.
  const Json route = ip_json("route show 10.0.0.0/8", world.pod.path());
  REQUIRE(route.as_array().size() == 1);
  CHECK(route.as_array()[0].at("gateway").as_string() == "10.9.0.1");
  CHECK(ip_json("route show default", world.pod.path()).as_array().empty());
  CHECK(world.reserved() == "10.9.0.2\nfd09::2\n");
  CHECK(leased(world.dir).empty());
  const Call check = world.runtime.check(list, world.container);
  INFO(check.describe());
  CHECK(check.ok());
  run({.argv = {"/bin/rm", world.dir + "/hl/net/10.9.0.2", world.dir + "/hl/net/fd09::2"}});
  const Call checked = world.runtime.check(list, world.container);
  CHECK_FALSE(checked.ok());
  CHECK_THAT(checked.msg(), Catch::Contains("host-local"));
  const Call del = world.runtime.del(list, world.container);
  INFO(del.describe());
  CHECK(del.ok());
  CHECK(world.reserved().empty());
  world.require_nothing_left();
}

TEST_CASE("a rail with host-local's address has its own table and rule") {
  enter_sandbox();
  Rail rail("rail1");
  Cluster cluster;
  Json list = cluster.rail_list(1);
  list["cniVersion"] = "1.0.0";
  list["plugins"].as_array()[0]["ipam"] = Json::parse(
      R"({"type": "host-local", "dataDir": "/run/hl-rail", "subnet": "172.16.11.0/24",
          "rangeStart": "172.16.11.10", "gateway": "172.16.11.254"})");
  const Call add = cluster.runtime.add(list, cluster.rail(1));
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK_THAT(cluster.text("rule"), Catch::Contains("from 172.16.11.10 lookup 101"));
  CHECK_THAT(cluster.text("route show table 101"),
             Catch::Contains("default via 172.16.11.254 dev net1"));
  // The cluster's default route stays the Pod's.
  CHECK_THAT(cluster.text("route show default"), Catch::Contains("eth0"));
  CHECK_THAT(cluster.text("route show default"), !Catch::Contains("net1"));
  CHECK(cluster.runtime.check(list, cluster.rail(1)).ok());
  CHECK(cluster.runtime.del(list, cluster.rail(1)).ok());
  CHECK_THAT(cluster.text("rule"), !Catch::Contains("lookup 101"));
}

TEST_CASE("static gives what the configuration says, with its DNS settings") {
  enter_sandbox();
  World world;
  const Json list = world.list(Json::parse(R"({
      "type": "static", "addresses": [{"address": "10.9.0.44/24", "gateway": "10.9.0.1"}],
      "routes": [{"dst": "0.0.0.0/0"}], "dns": {"nameservers": ["10.9.0.53"]}})"));
  const Call add = world.runtime.add(list, world.container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(addresses_of("net1", world.pod.path()) == Strings{"10.9.0.44/24"});
  CHECK(add.json.at("dns") == Json::parse(R"({"nameservers": ["10.9.0.53"]})"));
  CHECK(ip_json("route show default", world.pod.path()).as_array().size() == 1);
  CHECK(world.runtime.check(list, world.container).ok());
  CHECK(world.runtime.del(list, world.container).ok());
  world.require_nothing_left();
}

TEST_CASE("dhcp asks by the link that is there already, and says good-bye by it") {
  enter_sandbox();
  World world;
  ip("addr add 10.9.0.1/24 dev peer", world.rail.fabric());
  DhcpServer server(world.rail.fabric());
  const std::string socket = world.dir + "/dhcp.sock";
  Child daemon({.argv = {"/usr/lib/cni/dhcp", "daemon", "-socketpath", socket}});
  REQUIRE(eventually([&] { return access(socket.c_str(), F_OK) == 0; }));
  const Json list = world.list(Json::object({{"type", "dhcp"}, {"daemonSocketPath", socket}}));
  const Call add = world.runtime.add(list, world.container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(server.granted());
  CHECK(addresses_of("net1", world.pod.path()) == Strings{"10.9.0.66/24"});
  const Json route = ip_json("route show default", world.pod.path());
  REQUIRE(route.as_array().size() == 1);
  CHECK(route.as_array()[0].at("gateway").as_string() == "10.9.0.1");
  const Call check = world.runtime.check(list, world.container);
  INFO(check.describe());
  CHECK(check.ok());
  const Call del = world.runtime.del(list, world.container);
  INFO(del.describe());
  CHECK(del.ok());
  CHECK(eventually([&] { return server.released(); }));
  world.require_nothing_left();
  daemon.kill();
  daemon.wait();
}

TEST_CASE("a plugin's failure is passed on with its code, and followed by its DEL") {
  enter_sandbox();
  World world;
  const Json list = world.list(
      world.stub("[ $CNI_COMMAND = ADD ] || exit 0\n"
                 R"(echo '{"cniVersion":"1.1.0","code":117,"msg":"no more","details":"at all"}')"
                 "\nexit 1\n"),
      "1.1.0");
  const Call add = world.runtime.add(list, world.container);
  INFO(add.describe());
  CHECK(add.code() == 117);
  CHECK(add.msg() == "IPAM plugin \"stub\": no more");
  CHECK(add.json.at("details").as_string() == "at all");
  CHECK(world.calls() == "ADD\nDEL\n");
  world.require_nothing_left();
}

TEST_CASE("a plugin that fails without a word, or answers nonsense, is named") {
  enter_sandbox();
  World world;
  const auto fails = [&world](const std::string& script, int64_t code, const char* part) {
    const Call add = world.runtime.add(
        world.list(world.stub("[ $CNI_COMMAND = ADD ] || exit 0\n" + script), "1.1.0"),
        world.container);
    INFO(script << "\n" << add.describe());
    CHECK(add.code() == code);
    CHECK_THAT(add.msg(), Catch::Contains("\"stub\""));
    CHECK_THAT(add.msg(), Catch::Contains(part));
    world.require_nothing_left();
  };
  fails("exit 3", 100, "exit code 3");
  fails("kill -9 $$", 100, "signal 9");
  fails("echo '{\"code\":0,\"msg\":\"odd\"}'; exit 1", 100, "odd");
  fails("echo oops", 6, "printed at ADD");
  fails("true", 6, "empty");
  fails(R"(echo '{"cniVersion":"1.1.0"}')", 6, "no address");
  fails(R"(echo '{"cniVersion":"1.1.0","ips":[{"address":"10.9.0"}]}')", 6, "10.9.0");
  // Each of them was DELeted.
  CHECK(world.calls().size() == 7 * std::string("ADD\nDEL\n").size());
}

TEST_CASE("a later step's failure is followed by the plugin's DEL") {
  enter_sandbox();
  World world;
  // An IPv6 address on a link that is too narrow for it: known only when the plugin has answered.
  Json list =
      world.list(world.stub("[ $CNI_COMMAND = ADD ] || exit 0\n"
                            R"(echo '{"cniVersion":"1.1.0","ips":[{"address":"fd09::5/64"}]}')"),
                 "1.1.0");
  list["plugins"].as_array()[0]["macvlan"]["mtu"] = 1000;
  const Call add = world.runtime.add(list, world.container);
  CHECK(add.code() == 7);
  CHECK_THAT(add.msg(), Catch::Contains("1280"));
  CHECK(world.calls() == "ADD\nDEL\n");
  world.require_nothing_left();
}

TEST_CASE("the plugin runs in the specification's environment, and nothing else is open to it") {
  enter_sandbox();
  World world;
  Json list = world.list(world.stub("env | grep -E '^(CNI_|PATH=)' | sort >" + world.dir +
                                    "/env-$CNI_COMMAND\n"
                                    "ls -l /proc/self/fd >" +
                                    world.dir +
                                    "/fd-$CNI_COMMAND\n"
                                    "cat >" +
                                    world.dir +
                                    "/stdin-$CNI_COMMAND\n"
                                    "ip -o link show dev $CNI_IFNAME >/dev/null 2>&1 || true\n"
                                    "nsenter --net=$CNI_NETNS ip -o link show dev $CNI_IFNAME >" +
                                    world.dir +
                                    "/link-$CNI_COMMAND\n"
                                    "[ $CNI_COMMAND != ADD ] || echo " +
                                    kStubResult),
                         "1.1.0");
  list["plugins"].as_array()[0]["ipam"]["own"] = Json::parse(R"([1, {"x": null}])");
  world.container.args = "IgnoreUnknown=1;K8S_POD_NAME=p";
  const Call add = world.runtime.add(list, world.container);
  INFO(add.describe());
  REQUIRE(add.ok());
  REQUIRE(world.runtime.check(list, world.container).ok());
  REQUIRE(world.runtime.del(list, world.container).ok());
  for (const char* verb : {"ADD", "CHECK", "DEL"}) {
    INFO(verb);
    const std::string env = text_of_file(world.dir + "/env-" + verb);
    CHECK(env == "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAME=p\nCNI_COMMAND=" + std::string(verb) +
                     "\nCNI_CONTAINERID=c1\nCNI_IFNAME=net1\nCNI_NETNS=" + world.pod.path() +
                     "\nCNI_PATH=" + world.path + "\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n");
    const Json config = Json::parse(text_of_file(world.dir + "/stdin-" + verb));
    CHECK(config.at("type").as_string() == "railcni");
    CHECK(config.at("name").as_string() == "net");
    CHECK(config.at("ipam") == list.at("plugins").as_array()[0].at("ipam"));
    CHECK((config.find("prevResult") != nullptr) == (std::string(verb) != "ADD"));
    // The link was there before the plugin, and outlived it.
    CHECK_THAT(text_of_file(world.dir + "/link-" + verb), Catch::Contains("net1"));
    // stdin, stdout, stderr, ls' own, and the lock that says that the plugin still runs.
    const std::string fds = text_of_file(world.dir + "/fd-" + verb);
    for (const char* ours : {".mdb", "socket:", "net:["}) CHECK_THAT(fds, !Catch::Contains(ours));
  }
  CHECK(world.calls() == "ADD\nCHECK\nDEL\n");
}

TEST_CASE("a plugin that is nowhere in CNI_PATH: what was searched is said, nothing is made") {
  enter_sandbox();
  World world;
  const Json list = world.list(Json::object({{"type", "nosuch"}}), "1.1.0");
  const Call add = world.runtime.add(list, world.container);
  CHECK(add.code() == 4);
  CHECK_THAT(add.msg(), Catch::Contains("nosuch"));
  CHECK_THAT(add.msg(), Catch::Contains("/usr/lib/cni"));
  CHECK_THAT(add.msg(), Catch::Contains(world.path.substr(0, world.path.find(':'))));
  CHECK(world.runtime.status(list).code() == 4);
  // Nothing is recorded, so there is nothing to fail at.
  CHECK(world.runtime.del(list, world.container).ok());
  world.require_nothing_left();
}

TEST_CASE("a plugin that is being replaced is tried again") {
  enter_sandbox();
  World world;
  const Json list = world.list(
      world.stub(std::string("[ $CNI_COMMAND != ADD ] || echo ") + kStubResult), "1.1.0");
  const std::string program = world.path.substr(0, world.path.find(':')) + "/stub";
  Fd writer(open(program.c_str(), O_WRONLY | O_CLOEXEC));
  // "text file busy" as long as a writer has it open.
  std::thread replacing([&writer] {
    usleep(400'000);
    writer.reset();
  });
  const auto begin = std::chrono::steady_clock::now();
  const Call add = world.runtime.add(list, world.container);
  replacing.join();
  INFO(add.describe());
  CHECK(add.ok());
  CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(300));
  CHECK(world.runtime.del(list, world.container).ok());
  world.require_nothing_left();
}

TEST_CASE("a plugin that vanished after its ADD: DEL takes the link, and fails until it is back") {
  enter_sandbox();
  World world;
  const Json list = world.list(
      world.stub(std::string("[ $CNI_COMMAND != ADD ] || echo ") + kStubResult), "1.1.0");
  REQUIRE(world.runtime.add(list, world.container).ok());
  const std::string program = world.path.substr(0, world.path.find(':')) + "/stub";
  REQUIRE(rename(program.c_str(), (program + ".away").c_str()) == 0);
  const Call del = world.runtime.del(list, world.container);
  CHECK(del.code() == 4);
  CHECK_THAT(del.msg(), Catch::Contains("\"stub\"") && Catch::Contains("searched"));
  CHECK(link_of("net1", world.pod.path()).is_null());
  // Not even its own gc forgets it.
  CHECK(cli_json(world.dir, {"gc", "--dry-run"}).at("undone").as_array().empty());
  REQUIRE(rename((program + ".away").c_str(), program.c_str()) == 0);
  CHECK(world.runtime.del(list, world.container).ok());
  CHECK(world.calls() == "ADD\nDEL\n");
  world.require_nothing_left();
}

TEST_CASE("DEL reaches the plugin when link, namespace and configuration are gone, or the record") {
  enter_sandbox();
  World world;
  const Json list = world.list(world.host_local());
  SECTION("the namespace is gone") {
    Pod gone("gone");
    const Container container{.id = "c2", .netns = gone.path()};
    REQUIRE(world.runtime.add(list, container).ok());
    gone.destroy();
    CHECK(world.runtime.del(list, container).ok());
  }
  SECTION("the configuration has become wrong") {
    REQUIRE(world.runtime.add(list, world.container).ok());
    Json wrong = list;
    wrong["plugins"].as_array()[0]["ipam"] = "x";
    CHECK(world.runtime.del(wrong, world.container).ok());
  }
  SECTION("the Pod is gone without a DEL: railcni gc") {
    Pod gone("gone");
    REQUIRE(world.runtime.add(list, {.id = "c3", .netns = gone.path()}).ok());
    gone.destroy();
    cli(world.dir, {"gc"});
  }
  SECTION("the record died with the last boot") {
    REQUIRE(world.runtime.add(list, world.container).ok());
    run({.argv = {"/bin/sh", "-c", "rm " + world.dir + "/state*"}, .env = {"PATH=/bin"}});
    ip("link del net1", world.pod.path());
    CHECK(world.runtime.del(list, world.container).ok());
  }
  CHECK(world.reserved().empty());
}

TEST_CASE("STATUS and GC are forwarded") {
  enter_sandbox();
  World world;
  const Json list = world.list(
      world.stub("cat >" + world.dir +
                 "/stdin-$CNI_COMMAND\n"
                 "case $CNI_COMMAND in\n"
                 "ADD) echo " +
                 kStubResult +
                 ";;\n"
                 "STATUS) if [ -e " +
                 world.dir +
                 "/down ]; then\n"
                 R"(echo '{"cniVersion":"1.1.0","code":51,"msg":"limited"}'; exit 1; fi;;)"
                 "\nesac"),
      "1.1.0");
  CHECK(world.runtime.status(list).ok());
  REQUIRE(world.runtime.add(list, world.container).ok());
  const Call gc = world.runtime.gc(list, {});
  INFO(gc.describe());
  CHECK(gc.ok());
  // The stale attachment's own DEL, then the plugin's GC.
  CHECK(world.calls() == "STATUS\nADD\nDEL\nGC\n");
  CHECK(Json::parse(text_of_file(world.dir + "/stdin-GC")).at("cni.dev/valid-attachments") ==
        Json::array());
  REQUIRE(mkdir((world.dir + "/down").c_str(), 0755) == 0);
  const Call status = world.runtime.status(list);
  CHECK(status.code() == 51);
  CHECK_THAT(status.msg(), Catch::Contains("limited"));
  world.require_nothing_left();
}

TEST_CASE("an address conflict is probed for a plugin's addresses, too") {
  enter_sandbox();
  World world;
  ip("addr add 10.9.0.5/24 dev peer", world.rail.fabric());
  Json list = world.list(world.stub(std::string("[ $CNI_COMMAND != ADD ] || echo ") + kStubResult),
                         "1.1.0");
  list["plugins"].as_array()[0]["coordinator"] = Json::object({{"detectIPConflict", true}});
  const Call add = world.runtime.add(list, world.container);
  CHECK(add.code() == 11);
  CHECK_THAT(add.msg(), Catch::Contains("10.9.0.5"));
  CHECK(world.calls() == "ADD\nDEL\n");
}

TEST_CASE("podMACPrefix makes the MAC of a plugin's address") {
  enter_sandbox();
  World world;
  Json list = world.list(world.stub(std::string("[ $CNI_COMMAND != ADD ] || echo ") + kStubResult),
                         "1.1.0");
  list["plugins"].as_array()[0]["coordinator"] = Json::object({{"podMACPrefix", "0a:1b"}});
  const Call add = world.runtime.add(list, world.container);
  INFO(add.describe());
  REQUIRE(add.ok());
  CHECK(link_of("net1", world.pod.path()).at("address").as_string() == "0a:1b:0a:09:00:05");
  CHECK(world.runtime.check(list, world.container).ok());
  CHECK(world.runtime.del(list, world.container).ok());
}
