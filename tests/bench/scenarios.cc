#include "tests/bench/scenarios.h"

#include <stdexcept>

#include "tests/bench/fill.h"
#include "tests/support/process.h"
#include "tests/support/sandbox.h"

namespace railcni::bench {
namespace {

using Steps = std::vector<std::function<void()>>;

constexpr int kParallel = 64;
constexpr const char* kVersion = "1.0.0";  // the newest that Debian 12's plugins speak

std::string reference(const std::string& name) { return std::string(kReference) + "/" + name; }

Json config_of(const std::string& type, const char* members) {
  Json config = Json::object({{"cniVersion", kVersion}, {"name", "bench"}, {"type", type}});
  for (auto& [key, value] : Json::parse(members).as_object()) config[key] = value;
  return config;
}

// The pools of the rail, applied as users do it.
void apply_pools(const World& world) {
  const test::Outcome outcome =
      test::run({.argv = {world.by_name("railcni"), "apply", "-f", "-"}, .stdin_text = R"(
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata:
  name: rail-v4
spec:
  subnet: 10.77.0.0/16
  gateway: 10.77.0.1
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata:
  name: rail-v6
spec:
  subnet: fd77::/64
  gateway: fd77::1
)"});
  if (!outcome.ok()) throw std::runtime_error(outcome.describe());
}

Plugin railcni_macvlan(const World& world, const char* ippools) {
  Plugin plugin{world.by_name("railcni"), config_of("railcni", R"({"cniType": "macvlan"})")};
  plugin.config["macvlan"] = Json::object({{"master", Json::array({"rail0"})}});
  plugin.config["macvlan"]["ippools"] = Json::parse(ippools);
  apply_pools(world);
  return plugin;
}

Plugin macvlan_host_local(const std::string& path, const char* ranges,
                          const std::string& data_dir) {
  Plugin plugin{path, config_of("macvlan", R"({"master": "rail0", "mode": "bridge"})")};
  plugin.config["ipam"] = Json::object({{"type", "host-local"}, {"ranges", Json::parse(ranges)}});
  plugin.config["ipam"]["dataDir"] = data_dir;
  return plugin;
}

Plugin original_macvlan(const char* ranges) {
  return macvlan_host_local(reference("macvlan"), ranges,
                            test::make_folder("bench-original", kOnDisk));
}

constexpr const char* kRangeV4 = R"([[{"subnet": "10.77.0.0/16", "gateway": "10.77.0.1"}]])";
constexpr const char* kRangesDual = R"([[{"subnet": "10.77.0.0/16", "gateway": "10.77.0.1"}],
                                       [{"subnet": "fd77::/64", "gateway": "fd77::1"}]])";
constexpr const char* kPoolV4 = R"({"ipv4": ["rail-v4"]})";
constexpr const char* kPoolsDual = R"({"ipv4": ["rail-v4"], "ipv6": ["rail-v6"]})";

// One contestant: ADD and DEL of a list of plugins, as `who`.
std::function<void()> add_and_del(World& world, Results& results, const std::string& who,
                                  const std::vector<Plugin>& chain) {
  return [&world, &results, who, chain] {
    const std::string container = world.new_container();
    const auto [sample, result] = world.add(chain, container);
    results.record(who + " ADD", sample);
    results.record(who + " DEL", world.del(chain, container, result));
  };
}

Steps macvlan_steps(World& world, Results& results) {
  const std::vector<Plugin> chain = {original_macvlan(kRangeV4),
                                     {reference("sbr"), config_of("sbr", "{}")},
                                     // What railcni sets beside the addresses.
                                     {reference("tuning"), config_of("tuning", R"({"sysctl": {
          "net.ipv4.conf.net1.arp_notify": "1", "net.ipv6.conf.net1.ndisc_notify": "1"}})")}};
  const auto floor = [&world, &results] {
    const Program add{{world.floor(), "add", "rail0", world.pod(), "net1", "10.77.200.1", "16",
                       "10.77.0.0", "10.77.0.1", "101"}};
    const Program del{{world.floor(), "del", world.pod(), "net1", "10.77.200.1", "101"}};
    results.record("floor ADD", world.launcher().run(add));
    results.record("floor DEL", world.launcher().run(del));
  };
  return {add_and_del(world, results, "railcni", {railcni_macvlan(world, kPoolV4)}), floor,
          add_and_del(world, results, "chain", chain)};
}

Steps dropin_steps(World& world, Results& results) {
  return {add_and_del(world, results, "railcni as macvlan",
                      {macvlan_host_local(world.by_name("macvlan"), kRangeV4,
                                          test::make_folder("bench-ours"))}),
          add_and_del(world, results, "macvlan+host-local", {original_macvlan(kRangeV4)})};
}

Steps dual_stack_steps(World& world, Results& results) {
  return {add_and_del(world, results, "railcni dual-stack", {railcni_macvlan(world, kPoolsDual)}),
          add_and_del(world, results, "macvlan dual-stack", {original_macvlan(kRangesDual)})};
}

// railcni alone: what its coordinator's block and the probes cost.
Steps probe_steps(World& world, Results& results) {
  Plugin quiet = railcni_macvlan(world, kPoolV4);
  quiet.config["coordinator"] = Json::object();
  Plugin probing = railcni_macvlan(world, kPoolV4);
  probing.config["coordinator"] =
      Json::object({{"detectIPConflict", true}, {"detectGateway", true}});
  return {add_and_del(world, results, "railcni coordinator", {quiet}),
          add_and_del(world, results, "railcni probing", {probing})};
}

Steps version_steps(World& world, Results& results) {
  const auto version = [&world, &results](const std::string& who, const std::string& path) {
    const Program program = world.call("VERSION", {path, Json::object({{"cniVersion", kVersion}})},
                                       world.new_container());
    return [&world, &results, who, program] {
      results.record(who + " VERSION", world.launcher().run(program));
    };
  };
  return {version("railcni", world.by_name("railcni")), version("macvlan", reference("macvlan"))};
}

// An IPAM called as a macvlan plugin would.
Plugin host_local(const std::string& path, const std::string& data_dir) {
  Plugin plugin{path, config_of("macvlan", "{}")};
  plugin.config["ipam"] = Json::object({{"type", "host-local"}});
  plugin.config["ipam"]["ranges"] = Json::parse(R"([[{"subnet": "10.0.0.0/8"}]])");
  plugin.config["ipam"]["dataDir"] = data_dir;
  return plugin;
}

Plugin original_host_local() {
  return host_local(reference("host-local"), test::make_folder("bench-original", kOnDisk));
}

Plugin our_host_local(const World& world, int leases) {
  Plugin plugin = host_local(world.by_name("host-local"), test::make_folder("bench-ours"));
  fill_ours(plugin.config, leases);
  return plugin;
}

Scenario ipam_scenario(int leases, int divisor) {
  const std::string of = " IPAM " + std::to_string(leases);
  return {"ipam-" + std::to_string(leases), divisor, [leases, of](World& world, Results& results) {
            const Plugin original = original_host_local();
            fill_original(original.config, leases);
            return Steps{
                add_and_del(world, results, "railcni" + of, {our_host_local(world, leases)}),
                add_and_del(world, results, "host-local" + of, {original})};
          }};
}

Steps million_steps(World& world, Results& results) {
  return {add_and_del(world, results, "railcni of 10", {our_host_local(world, 10)}),
          add_and_del(world, results, "railcni of 1000000", {our_host_local(world, 1'000'000)})};
}

Steps parallel_steps(World& world, Results& results) {
  const auto contestant = [&world, &results](const std::string& who, const Plugin& plugin) {
    return [&world, &results, who, plugin] {
      std::vector<Program> adds;
      std::vector<Program> dels;
      for (int i = 0; i < kParallel; ++i) {
        const std::string container = world.new_container();
        adds.push_back(world.call("ADD", plugin, container));
        dels.push_back(world.call("DEL", plugin, container));
      }
      results.record(who + " parallel ADDs", world.launcher().run(adds));
      results.record(who + " parallel DELs", world.launcher().run(dels));
    };
  };
  return {contestant("railcni", our_host_local(world, 0)),
          contestant("host-local", original_host_local())};
}

}  // namespace

std::vector<Scenario> scenarios() {
  return {{"macvlan", 1, macvlan_steps},
          {"version", 1, version_steps},
          {"dropin", 2, dropin_steps},
          {"probes", 10, probe_steps},
          {"dual-stack", 20, dual_stack_steps},
          ipam_scenario(0, 1),
          ipam_scenario(1000, 2),
          ipam_scenario(10000, 4),
          {"parallel", 5, parallel_steps},
          {"million", 1, million_steps}};
}

std::vector<Comparison> comparisons() {
  using enum Comparison::Target;
  constexpr Metric kWall = Metric::kWall;
  return {
      {"ADD macvlan + IPAM + routes + sysctls, chain: wall", "railcni ADD", "chain ADD", kWall,
       kTimesLess, 10},
      {"  its CPU", "railcni ADD", "chain ADD", Metric::kCpu, kTimesLess, 12},
      {"  its wall, against the floor", "railcni ADD", "floor ADD", kWall, kAtMost, 1.35},
      {"  its CPU, against the floor", "railcni ADD", "floor ADD", Metric::kCpu, kShare},
      {"  its peak RSS", "railcni ADD", "", Metric::kPeakRss, kAtMost, 3072},
      {"DEL macvlan + routes, against the floor", "railcni DEL", "floor DEL", kWall, kAtMost, 1.1},
      {"  against the chain", "railcni DEL", "chain DEL", kWall},
      {"VERSION", "railcni VERSION", "macvlan VERSION", kWall, kTimesLess, 3},
      {"IPAM alone, empty", "railcni IPAM 0 ADD", "host-local IPAM 0 ADD", kWall, kTimesLess, 3},
      {"IPAM alone, 1 000 leases", "railcni IPAM 1000 ADD", "host-local IPAM 1000 ADD", kWall,
       kTimesLess, 15},
      {"IPAM alone, 10 000 leases", "railcni IPAM 10000 ADD", "host-local IPAM 10000 ADD", kWall,
       kTimesLess, 100},
      {"IPAM alone, 1 000 000 leases, against 10", "railcni of 1000000 ADD", "railcni of 10 ADD",
       kWall, kAtMost, 1.2},
      {"64 parallel IPAM ADDs", "railcni parallel ADDs", "host-local parallel ADDs", kWall,
       kTimesLess, 3},
      {"dual-stack ADD with a v6 gateway", "railcni dual-stack ADD", "macvlan dual-stack ADD",
       kWall, kTimesLess, 500},
      {"ADD of flat macvlan + host-local configurations", "railcni as macvlan ADD",
       "macvlan+host-local ADD", kWall},
      {"ADD with a coordinator block", "railcni coordinator ADD", "", kWall},
      {"ADD with both probes", "railcni probing ADD", "", kWall},
  };
}

}  // namespace railcni::bench
