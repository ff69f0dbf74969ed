// The cases of the table: what is prepared for each, and who does what in a round.
#ifndef RAILCNI_TESTS_BENCH_SCENARIOS_H_
#define RAILCNI_TESTS_BENCH_SCENARIOS_H_

#include <functional>
#include <string>
#include <vector>

#include "tests/bench/results.h"
#include "tests/bench/world.h"

namespace railcni::bench {

struct Scenario {
  std::string name;
  // How many rounds of `rounds` it runs: what takes seconds is not done hundreds of times.
  int divisor = 1;
  // Prepares and returns one function for each contestant. They take turns, so that what the
  // machine does beside the bench is shared by all.
  std::function<std::vector<std::function<void()>>(World&, Results&)> contestants;
};

std::vector<Scenario> scenarios();
std::vector<Comparison> comparisons();

}  // namespace railcni::bench

#endif  // RAILCNI_TESTS_BENCH_SCENARIOS_H_
