#include "tests/support/faults.h"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <fstream>
#include <functional>
#include <stdexcept>

#include "railcni/attachment.h"
#include "railcni/error.h"
#include "railcni/ipam.h"
#include "railcni/store.h"
#include "tests/support/sandbox.h"

namespace railcni::test {
namespace {

// The ways to clean up, by turns.
enum class Recovery { kDel, kGc, kAdd, kReclaim, kDelWithoutPod };

// railcni-faults, which is beside the suites, under the name of the program at `path`: the name is
// of meaning to railcni.
std::string faults_in_place_of(const std::string& path) {
  static const std::string folder = make_folder("faults");
  const std::string railcni = railcni_binary();
  const std::string faults = railcni.substr(0, railcni.rfind('/')) + "/tests/railcni-faults";
  if (access(faults.c_str(), X_OK) != 0) throw std::runtime_error("no program at " + faults);
  const std::string link = folder + path.substr(path.rfind('/'));
  if (symlink(faults.c_str(), link.c_str()) != 0 && errno != EEXIST) {
    throw std::runtime_error(link + ": cannot be made");
  }
  return link;
}

void recover(FaultWorld& world, Recovery recovery) {
  const Container container = world.container();
  switch (recovery) {
    case Recovery::kAdd:
      world.call("ADD", container);
      world.call("CHECK", container);
      [[fallthrough]];
    case Recovery::kDel:
      world.call("DEL", container);
      break;
    case Recovery::kGc:
      world.call("GC", container);
      break;
    case Recovery::kReclaim: {
      world.lose_pod();
      const Outcome gc = run({.argv = {railcni_binary(), "gc", "--data-dir", world.dir}});
      INFO(gc.describe());
      REQUIRE(gc.ok());
      break;
    }
    case Recovery::kDelWithoutPod:
      world.lose_pod();
      world.call("DEL", container);
      break;
  }
}

void require_one_error(const Call& call) {
  CHECK(call.process.exit_code == 1);
  CHECK(call.code() != 0);
  CHECK_FALSE(call.msg().empty());
}

// Runs the verb with the fault at step 1, 2, ...; `begin` makes what the verb needs, `end` looks at
// what came of it.
int walk(FaultWorld& world, const std::string& verb, const std::string& fault,
         const std::function<void()>& begin,
         const std::function<void(const FaultRun&, Recovery)>& end) {
  for (int n = 1;; ++n) {
    begin();
    const std::string spec = fault + ":" + std::to_string(n);
    const FaultRun run = run_with_fault(world.command(verb, world.container()), spec);
    INFO(verb << " with " << spec << "\n" << run.describe());
    const bool is_kill = fault.starts_with("kill");
    REQUIRE(run.killed() == (is_kill && !run.struck.empty()));
    if (fault.starts_with("EINTR") || run.struck.empty()) REQUIRE(run.call.ok());
    // Not the same ways for "kill" and "killed-after" at the same step.
    end(run, static_cast<Recovery>((n + static_cast<int>(fault.size())) % 5));
    world.require_as_before();
    if (run.struck.empty()) return n - 1;
  }
}

}  // namespace

std::string FaultRun::describe() const {
  std::string text = struck.empty() ? "not struck" : "struck at step " + struck;
  return text + "\n" + call.describe();
}

FaultRun run_with_fault(Command command, const std::string& fault) {
  static const std::string log = make_folder("steps") + "/log";
  (void)unlink(log.c_str());
  command.argv[0] = faults_in_place_of(command.argv[0]);
  command.env.push_back("RAILCNI_FAULT=" + fault);
  command.env.push_back("RAILCNI_FAULT_LOG=" + log);
  FaultRun result;
  result.call.process = run(command);
  try {
    if (!result.call.process.out.empty()) {
      result.call.json = Json::parse(result.call.process.out);
    }
  } catch (const Error&) {
    result.call.json = nullptr;
  }
  std::ifstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    // "17 send sendmsg kill"
    if (std::count(line.begin(), line.end(), ' ') == 3) result.struck = line;
    result.steps.push_back(line);
  }
  return result;
}

Command FaultWorld::command(const std::string& verb, const Container& container) const {
  const bool is_gc = verb == "GC";
  const bool with_result = verb == "CHECK" || verb == "DEL";
  Json config = Runtime::plugin_config(list, 0, container, with_result ? result : Json());
  if (is_gc) {
    config["cni.dev/valid-attachments"] = Json::array();
    for (const Container& other : others) {
      config["cni.dev/valid-attachments"].push_back(
          Json::object({{"containerID", other.id}, {"ifname", other.ifname}}));
    }
  }
  return {.argv = {runtime.find_plugin("railcni")},
          .env = runtime.environment(
              verb, is_gc ? Container{.id = "", .netns = "", .ifname = ""} : container),
          .stdin_text = config.dump()};
}

void FaultWorld::call(const std::string& verb, const Container& container) {
  const Command command = this->command(verb, container);
  const Call call = exec_plugin(command.argv[0], command.env, command.stdin_text);
  INFO(verb << "\n" << call.describe());
  REQUIRE(call.ok());
  if (verb == "ADD") result = call.json;
}

int walk_add(FaultWorld& world, const std::string& fault) {
  return walk(
      world, "ADD", fault, [] {},
      [&](const FaultRun& run, Recovery recovery) {
        if (run.killed()) return recover(world, recovery);
        if (run.call.ok()) {
          world.result = run.call.json;
          world.call("CHECK", world.container());
          return recover(world, Recovery::kDel);
        }
        require_one_error(run.call);
      });
}

int walk_del(FaultWorld& world, const std::string& fault) {
  return walk(
      world, "DEL", fault, [&] { world.call("ADD", world.container()); },
      [&](const FaultRun& run, Recovery recovery) {
        if (!run.killed() && run.call.ok()) return;
        if (!run.killed()) require_one_error(run.call);
        recover(world, recovery);
      });
}

int walk_gc(FaultWorld& world, const std::string& fault) {
  return walk(
      world, "GC", fault, [&] { world.call("ADD", world.container()); },
      [&](const FaultRun& run, Recovery recovery) {
        if (!run.killed() && run.call.ok()) return;
        if (!run.killed()) require_one_error(run.call);
        recover(world, recovery);
      });
}

size_t count_records(const std::string& data_dir) {
  const auto state =
      Store::open(Store::File::kState, StorePaths::from_data_dir(data_dir), Store::Mode::kExisting);
  size_t count = 0;
  if (!state) return count;
  state->read([&count](const Txn& txn) {
    CHECK(check_invariants(txn) == std::vector<std::string>());
    scan_attachments(txn, "", [&count](const Attachment&) { return ++count > 0; });
  });
  return count;
}

}  // namespace railcni::test
