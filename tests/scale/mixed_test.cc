// Two hundred processes at once, of all verbs, beside a model of what must come of it.
#include <atomic>
#include <barrier>
#include <catch2/catch.hpp>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "tests/netns/world.h"
#include "tests/scale/scale.h"

using namespace railcni;
using namespace railcni::test;

namespace {

constexpr int kPods = 40;
constexpr int kInterfaces = 5;  // of each Pod
constexpr int kWorkers = kPods * kInterfaces;
constexpr int kOperations = 4;  // of a worker between two looks at everything

// Catch2's assertions are for one thread.
class Complaints {
 public:
  void add(const std::string& text) {
    const std::lock_guard guard(mutex_);
    if (lines_.size() < 20) lines_.push_back(text);
  }
  std::vector<std::string> take() { return std::move(lines_); }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

// One attachment, and what its runtime knows of it.
struct Worker {
  Container container;
  std::mt19937 random;
  std::string address;   // of the ADD that stands; empty: none
  bool unknown = false;  // a killed verb may have left anything
  int calls = 0;
};

class Fleet {
 public:
  explicit Fleet(const std::string& dir)
      : dir_(dir),
        list_(make_conflist(
            "1.1.0", "net",
            {Json::object(
                {{"type", "railcni"},
                 {"cniType", "macvlan"},
                 {"dataDir", dir},
                 {"macvlan",
                  Json::parse(R"({"master": ["rail0"], "ippools": {"ipv4": ["tight"]}})")},
                 {"coordinator", Json::object()}})})) {
    for (int i = 0; i < kPods; ++i) {
      pods_.emplace_back("pod" + std::to_string(i));
      const std::string& pod = pods_.back().path();
      // The cluster's own interface, as every Pod has it.
      ip("link add cluster" + std::to_string(i) + " type veth peer name eth0");
      ip("link set eth0 netns " + pod);
      ip("link set eth0 up", pod);
      ip("link set cluster" + std::to_string(i) + " up");
    }
    for (int i = 0; i < kWorkers; ++i) {
      workers_.push_back({{.id = "c" + std::to_string(i / kInterfaces),
                           .netns = pods_[static_cast<size_t>(i / kInterfaces)].path(),
                           .ifname = "net" + std::to_string(i % kInterfaces)},
                          std::mt19937(static_cast<unsigned>(i)),
                          "",
                          false,
                          0});
    }
  }

  // Every worker does some operations, all at the same time.
  void work() {
    std::vector<std::thread> threads;
    for (Worker& worker : workers_) {
      threads.emplace_back([this, &worker] {
        for (int i = 0; i < kOperations; ++i) one_operation(worker);
      });
    }
    // GC, of both kinds, in between.
    std::atomic<bool> done = false;
    std::thread collector([&] {
      while (!done) {
        const Outcome outcome = run({.argv = {railcni_binary(), "gc", "--data-dir", dir_}});
        if (!outcome.ok()) complaints_.add(outcome.describe());
        std::vector<Container> all;
        for (const Worker& worker : workers_) all.push_back(worker.container);
        Runtime runtime;
        const Call collected = runtime.gc(list_, all);
        if (!collected.ok()) complaints_.add(collected.describe());
      }
    });
    for (std::thread& thread : threads) thread.join();
    done = true;
    collector.join();
  }

  // What each process said, what the store has, and what the Pods carry must be the same.
  void check() {
    // A killed verb is followed by a DEL, as runtimes do it.
    for (Worker& worker : workers_) {
      if (worker.unknown) finish(worker, "DEL");
    }
    for (const std::string& line : complaints_.take()) FAIL_CHECK(line);
    std::multiset<std::string> expected;
    for (const Worker& worker : workers_) {
      if (!worker.address.empty()) expected.insert(worker.address);
    }
    CHECK(std::set(expected.begin(), expected.end()).size() == expected.size());
    const std::vector<std::string> leases = leased(dir_);
    CHECK(std::multiset(leases.begin(), leases.end()) == expected);
    std::multiset<std::string> carried;
    for (const Pod& pod : pods_) {
      for (const Json& link : ip_json("address show", pod.path()).as_array()) {
        for (const Json& entry : link.at("addr_info").as_array()) {
          if (entry.at("family").as_string() != "inet") continue;
          if (link.at("ifname").as_string() == "lo") continue;
          carried.insert(entry.at("local").as_string() + "/" +
                         std::to_string(entry.at("prefixlen").as_int()));
        }
      }
    }
    CHECK(carried == expected);
    open_state(dir_)->read([&expected](const Txn& txn) {
      CHECK(check_invariants(txn).empty());
      size_t records = 0;
      scan_attachments(txn, "", [&records](const Attachment&) { return ++records > 0; });
      CHECK(records == expected.size());
    });
  }

  void delete_all() {
    for (Worker& worker : workers_) finish(worker, "DEL");
  }

  int calls() const {
    int sum = 0;
    for (const Worker& worker : workers_) sum += worker.calls;
    return sum;
  }

 private:
  Command command(const Worker& worker, const std::string& verb) const {
    const Json previous = verb == "CHECK" ? worker_result(worker) : Json();
    return {.argv = {railcni_binary()},
            .env = runtime_.environment(verb, worker.container),
            .stdin_text = Runtime::plugin_config(list_, 0, worker.container, previous).dump(),
            .timeout = std::chrono::minutes(3)};
  }

  static Json worker_result(const Worker& worker) {
    return Json::object({{"cniVersion", "1.1.0"},
                         {"ips", Json::array({Json::object({{"address", worker.address}})})}});
  }

  void one_operation(Worker& worker) {
    if (worker.unknown || worker.random() % 3 == 0) {
      finish(worker, "DEL");
    } else if (worker.random() % 25 == 0) {
      // Killed somewhere on its way.
      Child child(command(worker, worker.random() % 2 == 0 ? "ADD" : "DEL"));
      std::this_thread::sleep_for(std::chrono::microseconds(worker.random() % 20000));
      child.kill();
      child.wait();
      ++worker.calls;
      worker.unknown = true;
    } else if (!worker.address.empty() && worker.random() % 2 == 0) {
      finish(worker, "CHECK");
    } else {
      finish(worker, "ADD");
    }
  }

  // Runs the verb to its end; it must succeed.
  void finish(Worker& worker, const std::string& verb) {
    const Outcome outcome = run(command(worker, verb));
    ++worker.calls;
    if (!outcome.ok()) {
      complaints_.add(verb + " of " + worker.container.id + "/" + worker.container.ifname + ": " +
                      outcome.describe());
      return;
    }
    if (verb == "ADD") {
      const std::string address =
          Json::parse(outcome.out).at("ips").as_array().at(0).at("address").as_string();
      // A repeated ADD gives what stands.
      if (!worker.address.empty() && address != worker.address) {
        complaints_.add("a second ADD gave " + address + " where " + worker.address + " stands");
      }
      worker.address = address;
    }
    if (verb == "DEL") {
      worker.address.clear();
      worker.unknown = false;
    }
  }

  std::string dir_;
  Json list_;
  Runtime runtime_;
  std::vector<Pod> pods_;
  std::vector<Worker> workers_;
  Complaints complaints_;
};

}  // namespace

TEST_CASE(
    "two hundred processes at once, of all verbs, and some killed: nothing is lost or doubled") {
  enter_sandbox();
  Rail rail("rail0");
  const std::string dir = make_folder("mixed");
  // As many addresses as attachments: whatever leaks is missed at once.
  apply_pools(dir, R"(
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {name: tight}
spec: {subnet: 10.20.0.0/16, ips: [10.20.0.1-10.20.0.200]}
)");
  Fleet fleet(dir);
  const Json host_before = snapshot();
  const auto end = std::chrono::steady_clock::now() +
                   (full_scale() ? std::chrono::seconds(300) : std::chrono::seconds(5));
  int rounds = 0;
  do {
    INFO("round " << rounds);
    fleet.work();
    fleet.check();
    ++rounds;
  } while (std::chrono::steady_clock::now() < end);
  report(std::to_string(fleet.calls()) + " calls in " + std::to_string(rounds) + " rounds");
  fleet.delete_all();
  fleet.check();
  CHECK(leased(dir).empty());
  CHECK(snapshot() == host_before);
}
