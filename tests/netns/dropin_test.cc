// railcni under the names of other plugins, side by side with Debian's originals: the same
// configuration to both, and what comes of it field by field.
//
// Where they differ, and why:
// - macvlan: a default route in the result has its gateway, which the original leaves out where
//   the IPAM does (Multus' network-status then says <nil>). The link's txqlen is the kernel's 1000;
//   the original's 0 is what Go's netlink library sent by mistake. ndisc_notify is set, as newer
//   originals do.
#include <catch2/catch.hpp>

#include "tests/netns/dropin_world.h"

using namespace railcni;
using namespace railcni::test;

TEST_CASE("dropin: macvlan without an IPAM is the original's") {
  enter_sandbox();
  const Names names;
  Rail rail("rail0", {.mtu = 4200});
  const std::string dir = make_folder("dropin");
  const std::string version = GENERATE("0.3.1", "0.4.0", "1.0.0");
  const std::string more =
      GENERATE("", R"("mode": "private", "mtu": 1400,)", R"("mode": "vepa", "ipam": {},)");
  INFO(version << " " << more);
  Json config = Json::parse("{" + more + R"("type": "macvlan", "master": "rail0",
                             "dns": {"nameservers": ["10.0.0.53"]},
                             "mac": "02:00:00:00:00:07", "capabilities": {"mac": true}})");
  Pod theirs("theirs");
  Pod mine("mine");
  const Json before = snapshot(mine.path());
  Runtime debian = names.debian;
  Runtime ours = names.ours;
  const Container there{.id = "c1", .netns = theirs.path()};
  const Container here{.id = "c1", .netns = mine.path()};
  const Call original = debian.add(make_conflist(version, "n", {config}), there);
  INFO(original.describe());
  REQUIRE(original.ok());
  const Json shape = link_shape("net1", theirs.path());
  REQUIRE(debian.del(make_conflist(version, "n", {config}), there).ok());
  config["dataDir"] = dir;
  const Json list = make_conflist(version, "n", {config});
  const Call added = ours.add(list, here);
  INFO(added.describe());
  REQUIRE(added.ok());
  Json expected = original.json;
  expected["interfaces"].as_array().at(0)["sandbox"] = mine.path();
  CHECK(added.json == expected);
  CHECK(link_shape("net1", mine.path()).dump() == shape.dump());
  const Call check = ours.check(list, here);
  INFO(check.describe());
  CHECK((version == "0.3.1" || check.ok()));
  CHECK(ours.del(list, here).ok());
  CHECK(changes_since(before, mine.path()) == "");
}

TEST_CASE("dropin: macvlan with addresses and routes is the original's") {
  enter_sandbox();
  const Names names;
  Rail rail("rail0", {.addresses = {"10.9.0.200/24"}, .peer_addresses = {"10.9.0.1/24"}});
  ip("route add default via 10.9.0.1");  // so that rail0 is the default master
  Json config =
      Json::object({{"type", "macvlan"}, {"capabilities", Json::object({{"mac", true}})}});
  Pod theirs("theirs");
  Pod mine("mine");
  Runtime debian = names.debian;
  Runtime ours = names.ours;
  const Json mac = Json::object({{"mac", "02:00:00:00:00:07"}});
  const Container there{.id = "c1", .netns = theirs.path(), .capabilities = mac};
  const Container here{.id = "c1", .netns = mine.path(), .capabilities = mac};
  // The IPAMs are not what is compared: the original's gives the address that railcni's pool has.
  config["ipam"] = Json::parse(R"({"type": "static", "addresses": [
      {"address": "10.9.0.7/24", "gateway": "10.9.0.1"}],
      "routes": [{"dst": "0.0.0.0/0"}, {"dst": "10.77.0.0/16", "gw": "10.9.0.2"}]})");
  const Call original = debian.add(make_conflist("1.0.0", "n", {config}), there);
  INFO(original.describe());
  REQUIRE(original.ok());
  const Json shape = link_shape("net1", theirs.path());
  const auto addresses = addresses_of("net1", theirs.path());
  const auto main_routes = routes("net1", theirs.path());
  const Json rules = ip_json("rule", theirs.path());
  std::vector<std::string> sysctls;
  const std::vector<std::string> keys = {"ipv4/conf/net1/arp_notify", "ipv4/conf/net1/rp_filter",
                                         "ipv6/conf/net1/disable_ipv6"};
  for (const std::string& key : keys) sysctls.push_back(sysctl_of(key, theirs.path()));
  // A master has one child of a MAC.
  CHECK(debian.del(make_conflist("1.0.0", "n", {config}), there).ok());
  config["ipam"] = Json::parse(R"({"type": "railcni", "pools": [{"name": "p",
      "subnet": "10.9.0.0/24", "gateway": "10.9.0.1", "ips": ["10.9.0.7"],
      "routes": [{"to": "10.77.0.0/16", "via": "10.9.0.2"}]}]})");
  config["dataDir"] = make_folder("dropin");
  const Json list = make_conflist("1.0.0", "n", {config});
  const Call added = ours.add(list, here);
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(added.json.at("ips") == original.json.at("ips"));
  CHECK(added.json.at("interfaces").as_array().at(0).at("mac") ==
        original.json.at("interfaces").as_array().at(0).at("mac"));
  // The original leaves the default route's gateway to be guessed; network-status then says <nil>.
  CHECK(added.json.at("routes") == Json::parse(R"([{"dst": "0.0.0.0/0", "gw": "10.9.0.1"},
                        {"dst": "10.77.0.0/16", "gw": "10.9.0.2"}])"));
  CHECK(link_shape("net1", mine.path()).dump() == shape.dump());
  CHECK(addresses_of("net1", mine.path()) == addresses);
  CHECK(routes("net1", mine.path()) == main_routes);
  CHECK(ip_json("rule", mine.path()) == rules);
  for (size_t i = 0; i < keys.size(); ++i) {
    INFO(keys[i]);
    CHECK(sysctl_of(keys[i], mine.path()) == sysctls[i]);
  }
  CHECK(sysctl_of("ipv6/conf/net1/ndisc_notify", mine.path()) == "1");
  CHECK(ours.check(list, here).ok());
  CHECK(ours.del(list, here).ok());
}

TEST_CASE("dropin: macvlan with host-local, the very same configuration to both") {
  enter_sandbox();
  const Names names;
  Rail rail("rail0");
  // Debian's host-local for both, or each with its own.
  const bool both = GENERATE(true, false);
  Runtime debian = names.debian;
  Runtime ours = names.ours;
  if (!both) {
    REQUIRE(run({.argv = {railcni_binary(), "install", "--to", names.folder, "--as", "host-local"}})
                .ok());
  }
  Json results[2];
  for (const int who : {0, 1}) {
    const Pod pod;
    const std::string folder = make_folder("host-local");
    const Json config = Json::parse(R"({"type": "macvlan", "master": "rail0",
        "mac": "02:00:00:00:00:07", "capabilities": {"mac": true}, "ipam": {"type": "host-local",
        "dataDir": ")" + folder + R"(", "ranges": [[{"subnet": "10.9.0.0/24"}],
        [{"subnet": "fd09::/64"}]], "routes": [{"dst": "0.0.0.0/0"}, {"dst": "fd00::/8",
        "gw": "fd09::9"}]}})");
    const Json list = make_conflist("1.0.0", "n", {config});
    const Container container{.id = "c1", .netns = pod.path()};
    Runtime& runtime = who == 0 ? debian : ours;
    const Call add = runtime.add(list, container);
    INFO(add.describe());
    REQUIRE(add.ok());
    results[who] = add.json;
    results[who]["interfaces"].as_array().at(0)["sandbox"] = "";
    results[who]["addresses"] = Json::strings(addresses_of("net1", pod.path()));
    results[who]["main"] = Json::strings(routes("net1", pod.path()));
    CHECK(runtime.check(list, container).ok());
    const Call del = runtime.del(list, container);
    INFO(del.describe());
    CHECK(del.ok());
  }
  // The gateway that the original leaves to be guessed.
  results[0]["routes"].as_array().at(0)["gw"] = "10.9.0.1";
  CHECK(results[1].dump() == results[0].dump());
}

TEST_CASE("dropin: macvlan refuses what the original refuses, and names what it cannot do") {
  enter_sandbox();
  const Names names;
  Rail rail("rail0");
  const Pod pod;
  Runtime ours = names.ours;
  Runtime debian = names.debian;
  const Container container{.id = "c1", .netns = pod.path()};
  for (const std::string key : {R"("mode": "fast")", R"("mtu": 9999)", R"("mtu": -1)",
                                R"("master": "nothere")", R"("mode": 5)"}) {
    INFO(key);
    const Json config = Json::parse(R"({"type": "macvlan", "master": "rail0", )" + key + "}");
    const Json list = make_conflist("1.0.0", "n", {config});
    CHECK_FALSE(debian.add(list, container).ok());
    CHECK_FALSE(ours.add(list, container).ok());
    CHECK(link_of("net1", pod.path()).is_null());
  }
  const Json typo = Json::parse(R"({"type": "macvlan", "master": "rail0", "mod": "vepa"})");
  CHECK_THAT(ours.add(make_conflist("1.0.0", "n", {typo}), container).msg(),
             Catch::Contains("unknown key \"mod\""));
}

TEST_CASE("dropin: macvlan, then sbr, both railcni: CHECK knows of the routes that moved") {
  enter_sandbox();
  const Names names;
  Cluster cluster;
  Rail rail("rail1", {.peer_addresses = {"172.16.11.254/24"}});
  const std::string dir = make_folder("dropin");
  const Json macvlan = Json::parse(R"({"type": "macvlan", "master": "rail1", "dataDir": ")" + dir +
                                   R"(", "ipam": {"type": "railcni", "pools": [{"name": "p",
      "subnet": "172.16.11.0/24", "gateway": "172.16.11.254",
      "routes": [{"to": "10.77.0.0/16", "via": "172.16.11.254"}]}]}})");
  const Json sbr = Json::parse(R"({"type": "sbr", "table": 300, "addSourceHints": true,
                                   "dataDir": ")" +
                               dir + R"("})");
  const Json list = make_conflist("1.0.0", "rail1", {macvlan, sbr});
  Runtime ours = names.ours;
  const Container net1 = cluster.rail(1);
  const Json before = snapshot(cluster.pod.path());
  const Call added = ours.add(list, net1);
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(routes("net1", cluster.pod.path(), "300") ==
        std::vector<std::string>{"10.77.0.0/16 via 172.16.11.254", "172.16.11.0/24",
                                 "default via 172.16.11.254"});
  CHECK_THAT(
      cluster.text("route show table 300"),
      Catch::Contains("default via 172.16.11.254 dev net1") &&
          Catch::Contains(
              "src " +
              added.json.at("ips").as_array().at(0).at("address").as_string().substr(0, 11)));
  CHECK(routes("net1", cluster.pod.path()) == std::vector<std::string>{"172.16.11.0/24"});
  const Call check = ours.check(list, net1);
  INFO(check.describe());
  CHECK(check.ok());
  ip("rule del lookup 300", cluster.pod.path());
  CHECK_THAT(ours.check(list, net1).msg(), Catch::Contains("lookup 300"));
  CHECK(ours.del(list, net1).ok());
  CHECK(changes_since(before, cluster.pod.path()) == "");
  CHECK(leased(dir).empty());
}

TEST_CASE("dropin: macvlan and Spiderpool's coordinator, as a NAD of Spiderpool has them") {
  enter_sandbox();
  const Names names;
  Cluster cluster;
  Rail rail("rail1", {.peer_addresses = {"172.16.11.254/24"}});
  const std::string dir = make_folder("dropin");
  const Json macvlan =
      with_applied_pools(dir,
                         Json::parse(R"({"type": "macvlan", "master": "rail1", "mode": "bridge",
      "dataDir": ")" + dir + R"(", "ipam": {"type": "railcni", "pools": [{"name": "p",
      "subnet": "172.16.11.0/24", "gateway": "172.16.11.254"}]}})"));
  const Json coordinator = Json::parse(R"({"type": "coordinator", "dataDir": ")" + dir +
                                       R"(", "detectGateway": true, "detectIPConflict": true,
      "podDefaultRouteNic": "eth0", "serviceCIDR": ["10.233.0.0/18"]})");
  const Json list = make_conflist("0.3.1", "rail1", {macvlan, coordinator});
  Runtime ours = names.ours;
  const Container net1 = cluster.rail(1);
  const Json before = snapshot(cluster.pod.path());
  const Json rules_before = ip_json("rule");
  const Call added = ours.add(list, net1);
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(added.json.at("interfaces").as_array().size() == 1);
  CHECK_THAT(cluster.text("rule"), Catch::Contains("lookup 101"));
  CHECK_THAT(cluster.text("route show table 101"),
             Catch::Contains("default via 172.16.11.254 dev net1"));
  CHECK_THAT(cluster.text("route show default"), Catch::Contains("dev eth0"));
  CHECK(ours.del(list, net1).ok());
  CHECK(changes_since(before, cluster.pod.path()) == "");
  // The host's side of it: the Pod's route is gone, and the rule with the last Pod.
  CHECK(ip_json("rule") == rules_before);
}

TEST_CASE("dropin: bridge, railcni, tuning and sbr in one list") {
  enter_sandbox();
  const Names names;
  Cluster cluster;
  const Bridge remove("br7");
  const std::string dir = make_folder("dropin");
  const Json own = Json::object({{"type", "railcni"}, {"dataDir", dir}});
  const Json tuning = Json::parse(
      R"({"type": "tuning", "sysctl": {"net.ipv4.conf.net1.log_martians": "1"}, "mtu": 1400})");
  const Json sbr = Json::object({{"type", "sbr"}, {"dataDir", dir}});
  Json first = bridge("br7", "10.7.0.0/24");
  first["ipam"].erase("routes");
  const bool own_addresses = GENERATE(true, false);
  if (own_addresses) {
    first["ipam"] = Json::parse(R"({"type": "railcni", "pools": [{"name": "p",
        "subnet": "10.7.0.0/24", "gateway": "10.7.0.1", "ips": ["10.7.0.20-10.7.0.30"]}]})");
    first["ipam"]["dataDir"] = dir;
  }
  const Json list = make_conflist("1.0.0", "four", {first, own, tuning, sbr});
  Runtime ours = names.ours;
  const Container net1 = cluster.rail(1);
  const Json before = snapshot(cluster.pod.path());
  const Call added = ours.add(list, net1);
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK_THAT(cluster.text("rule"), Catch::Contains("lookup 101"));
  CHECK(sysctl_of("ipv4/conf/net1/log_martians", cluster.pod.path()) == "1");
  const Call check = ours.check(list, net1);
  INFO(check.describe());
  CHECK(check.ok());
  // GC needs 1.1.0, which Debian's plugins do not speak: ours get it alone, with this attachment
  // among the valid ones, and then without.
  const Json ours_only = make_conflist("1.1.0", "four", {own, sbr});
  REQUIRE(ours.gc(ours_only, {net1}).ok());
  CHECK(ours.check(list, net1).ok());
  const Call gc = ours.gc(ours_only, {});
  INFO(gc.describe());
  REQUIRE(gc.ok());
  CHECK_THAT(cluster.text("rule"), !Catch::Contains("lookup 101"));
  CHECK_FALSE(ours.check(list, net1).ok());
  const Call del = ours.del(list, net1);
  INFO(del.describe());
  CHECK(del.ok());
  CHECK(changes_since(before, cluster.pod.path()) == "");
}

TEST_CASE("dropin: what render makes of a document is added") {
  enter_sandbox();
  Cluster cluster;
  Rail rail("enp11s0f0np0", {.peer_addresses = {"172.16.11.254/16"}});
  const std::string document = R"(
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderMultusConfig
metadata:
  name: gpu1-macvlan
  namespace: spiderpool
spec:
      cniType: macvlan
      macvlan:
        master: ["enp11s0f0np0"]
        ippools:
          ipv4: ["gpu1-net11"]
      chainCNIJsonData:
        - '{"type": "tuning", "mtu": 1400}'
)";
  const Outcome rendered = run({.argv = {railcni_binary(), "render", "-f", "-", "-o", "conflist"},
                                .stdin_text = std::string(kSeedPool) + "---" + document});
  INFO(rendered.describe());
  REQUIRE(rendered.ok());
  CHECK_THAT(rendered.err, Catch::Contains("SpiderIPPool gpu1-net11 skipped"));
  const std::string dir = make_folder("rendered");
  apply_pools(dir, kSeedPool);
  Json list = Json::parse(rendered.out);
  list["plugins"].as_array().at(0)["dataDir"] = dir;
  Runtime runtime;
  const Call added = runtime.add(list, cluster.rail(1));
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(addresses_of("net1", cluster.pod.path()) == std::vector<std::string>{"172.16.11.1/16"});
  CHECK(reaches("172.16.11.254", cluster.pod.path()));
  CHECK(runtime.del(list, cluster.rail(1)).ok());
  CHECK(leased(dir).empty());
}
