// ./dev bench: railcni beside the plugins that it replaces and beside the floor, in one run.
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "tests/bench/scenarios.h"
#include "tests/support/runtime.h"
#include "tests/support/sandbox.h"

namespace railcni::bench {
namespace {

constexpr int kRounds = 200;

constexpr const char* kUsage = R"(usage: bench [--rounds N] [--json FILE] [SCENARIO...]
  --rounds N   rounds of the quick scenarios (200); the slow ones take a share of it
  --json FILE  write all results to FILE
)";

struct Options {
  int rounds = kRounds;
  std::string json;
  std::vector<std::string> scenarios;  // empty: all
};

Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--rounds" && i + 1 < argc) {
      options.rounds = atoi(argv[++i]);
    } else if (word == "--json" && i + 1 < argc) {
      options.json = argv[++i];
    } else if (word.starts_with("-")) {
      throw std::runtime_error(kUsage);
    } else {
      options.scenarios.emplace_back(word);
    }
  }
  if (options.rounds < 1) throw std::runtime_error(kUsage);
  const std::vector<Scenario> known = scenarios();
  for (const std::string& name : options.scenarios) {
    const auto is_it = [&name](const Scenario& scenario) { return scenario.name == name; };
    if (std::any_of(known.begin(), known.end(), is_it)) continue;
    std::string names;
    for (const Scenario& scenario : known) names += " " + scenario.name;
    throw std::runtime_error(name + ": there is no such scenario; there are" + names);
  }
  return options;
}

// The folder of this program, and of its launcher and floor.
std::string own_folder() {
  char path[PATH_MAX] = {};
  if (readlink("/proc/self/exe", path, sizeof path - 1) < 0) throw std::runtime_error("readlink");
  std::string folder = path;
  return folder.substr(0, folder.rfind('/'));
}

void run(const Scenario& scenario, int rounds, World& world, Results& results) {
  rounds = std::max(rounds / scenario.divisor, 3);
  fprintf(stderr, "%s: %d rounds\n", scenario.name.c_str(), rounds);
  Results measured;
  const auto contestants = scenario.contestants(world, measured);
  // The first round does not count: caches are filled, and what is made once is made.
  for (const auto& contestant : contestants) contestant();
  measured = Results();
  for (int round = 0; round < rounds; ++round) {
    // Nobody is always the first, or always behind the same one.
    const size_t first = static_cast<size_t>(round) % contestants.size();
    for (size_t i = 0; i < contestants.size(); ++i) contestants[(first + i) % contestants.size()]();
  }
  results.take(std::move(measured));
}

int bench(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  test::enter_sandbox();
  World world(test::railcni_binary(), own_folder());
  Results results;
  for (const Scenario& scenario : scenarios()) {
    const bool asked =
        std::count(options.scenarios.begin(), options.scenarios.end(), scenario.name) != 0;
    if (asked || options.scenarios.empty()) run(scenario, options.rounds, world, results);
  }
  Json json = Json::object({{"rounds", options.rounds}});
  json["table"] = report(results, comparisons());
  json["series"] = results.to_json();
  if (!options.json.empty()) {
    std::ofstream file(options.json);
    file << json.dump(2) << "\n";
    if (!file.flush()) throw std::runtime_error(options.json + ": cannot be written");
  }
  return 0;
}

}  // namespace
}  // namespace railcni::bench

int main(int argc, char** argv) {
  try {
    return railcni::bench::bench(argc, argv);
  } catch (const std::exception& error) {
    fprintf(stderr, "bench: %s\n", error.what());
    return 1;
  }
}
