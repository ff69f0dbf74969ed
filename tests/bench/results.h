// What was measured, and what is made of it: ratios beside their targets.
#ifndef RAILCNI_TESTS_BENCH_RESULTS_H_
#define RAILCNI_TESTS_BENCH_RESULTS_H_

#include <map>
#include <string>
#include <vector>

#include "railcni/json.h"
#include "tests/bench/launcher_client.h"

namespace railcni::bench {

enum class Metric { kWall, kCpu, kPeakRss };

// The rounds of one contestant doing one thing, by its name ("railcni ADD").
class Results {
 public:
  void record(const std::string& series, const Sample& sample) {
    series_[series].push_back(sample);
  }
  // Adds another's series.
  void take(Results&& other) { series_.merge(other.series_); }
  bool has(const std::string& series) const { return series_.count(series) != 0; }
  // At `share` of the sorted values: 0.5 is the median. In ms or KiB.
  double quantile(const std::string& series, Metric metric, double share) const;
  // Of every series all metrics: {"NAME": {"rounds", "wall_ms": {"median", "p95", "min"}, ...}}.
  Json to_json() const;

 private:
  std::map<std::string, std::vector<Sample>> series_;
};

// A row of the table. `theirs` empty: a value of its own, without a ratio.
struct Comparison {
  enum class Target {
    kNone,       // theirs / ours is shown
    kShare,      // ours / theirs is shown
    kTimesLess,  // theirs / ours at least
    kAtMost,     // ours / theirs at most; of a row without theirs: the value at most
  };

  std::string title;
  std::string ours;
  std::string theirs;
  Metric metric = Metric::kWall;
  Target target = Target::kNone;
  double bound = 0;
};

// Prints the rows whose series were measured, and returns them as JSON.
Json report(const Results& results, const std::vector<Comparison>& comparisons);

}  // namespace railcni::bench

#endif  // RAILCNI_TESTS_BENCH_RESULTS_H_
