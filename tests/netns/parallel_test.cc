// Many runtimes at once on one rail.
#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <thread>

#include "tests/netns/world.h"
#include "tests/support/sanitized.h"

using namespace railcni;
using namespace railcni::test;

namespace {

constexpr int kPods = 64;

Json seed_list(const std::string& dir) {
  return make_conflist(
      "1.1.0", "gpu1-macvlan",
      {Json::object(
          {{"type", "railcni"},
           {"cniType", "macvlan"},
           {"dataDir", dir},
           {"macvlan",
            Json::object({{"master", Json::array({"rail0"})},
                          {"ippools", Json::object({{"ipv4", Json::array({"gpu1-net11"})}})}})}})});
}

struct Fleet {
  explicit Fleet(const std::string& dir) : list(seed_list(dir)) {
    for (int i = 0; i < kPods; ++i) {
      pods.emplace_back("pod" + std::to_string(i));
      containers.push_back({.id = "c" + std::to_string(i), .netns = pods.back().path()});
    }
  }

  Command command(const std::string& verb, int i) const {
    return {.argv = {railcni_binary()},
            .env = runtime.environment(verb, containers[i]),
            .stdin_text = Runtime::plugin_config(list, 0, containers[i], nullptr).dump()};
  }

  Json list;
  Runtime runtime;
  std::vector<Pod> pods;
  std::vector<Container> containers;
};

std::string address_of(const Outcome& outcome) {
  return Json::parse(outcome.out).at("ips").as_array()[0].at("address").as_string();
}

}  // namespace

TEST_CASE("64 parallel ADDs on the seeds' pool get 64 addresses, ten times, with kills mixed in") {
  enter_sandbox();
  Rail rail("rail0");
  const std::string dir = make_folder("parallel");
  apply_pools(dir, kSeedPool);
  Fleet fleet(dir);
  const Json host_before = snapshot();
  std::mt19937 random(11);
  for (int round = 0; round < (kSanitized ? 2 : 10); ++round) {
    INFO("round " << round);
    std::vector<Child> children;
    for (int i = 0; i < kPods; ++i) children.emplace_back(fleet.command("ADD", i));
    // A quarter of them is killed at some moment of their work, in every second round.
    if (round % 2 == 1) {
      for (int kills = 0; kills < kPods / 4; ++kills) {
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 4000));
        children[random() % kPods].kill();
      }
    }
    std::set<std::string> addresses;
    int done = 0;
    for (Child& child : children) {
      const Outcome outcome = child.wait();
      if (outcome.signal != 0) continue;
      INFO(outcome.describe());
      REQUIRE(outcome.ok());
      ++done;
      CHECK(addresses.insert(address_of(outcome)).second);
    }
    CHECK(addresses.size() == static_cast<size_t>(done));
    if (round % 2 == 0) CHECK(done == kPods);
    // What the Pods really have is what was said, and nobody has it twice.
    std::set<std::string> in_pods;
    size_t carried = 0;
    for (const Pod& pod : fleet.pods) {
      if (link_of("net1", pod.path()).is_null()) continue;
      for (const std::string& address : addresses_of("net1", pod.path())) {
        in_pods.insert(address);
        ++carried;
      }
    }
    CHECK(carried == in_pods.size());
    for (const std::string& address : addresses) CHECK(in_pods.contains(address));
    cli(dir, {"gc"});  // fails when the store's indices disagree

    children.clear();
    for (int i = 0; i < kPods; ++i) children.emplace_back(fleet.command("DEL", i));
    for (Child& child : children) {
      const Outcome outcome = child.wait();
      INFO(outcome.describe());
      REQUIRE(outcome.ok());
    }
    CHECK(leased(dir).empty());
    for (const Pod& pod : fleet.pods) CHECK(link_of("net1", pod.path()).is_null());
  }
  CHECK(snapshot() == host_before);
}

TEST_CASE("ADD and DEL of one attachment at the same time leave all or nothing") {
  enter_sandbox();
  Rail rail("rail0");
  const std::string dir = make_folder("race");
  apply_pools(dir, kSeedPool);
  Fleet fleet(dir);
  for (int round = 0; round < (kSanitized ? 10 : 30); ++round) {
    Child add(fleet.command("ADD", 0));
    Child del(fleet.command("DEL", 0));
    const Outcome added = add.wait();
    const Outcome deleted = del.wait();
    INFO(added.describe() << deleted.describe());
    REQUIRE(added.ok());
    REQUIRE(deleted.ok());
    const bool has_link = !link_of("net1", fleet.pods[0].path()).is_null();
    CHECK(leased(dir).size() == (has_link ? 1 : 0));
    REQUIRE(run(fleet.command("DEL", 0)).ok());
    CHECK(leased(dir).empty());
  }
}
