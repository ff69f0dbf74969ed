#include "tests/bench/results.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace railcni::bench {
namespace {

double value_of(const Sample& sample, Metric metric) {
  switch (metric) {
    case Metric::kWall:
      return sample.wall_ms;
    case Metric::kCpu:
      return sample.cpu_ms;
    case Metric::kPeakRss:
      return sample.peak_rss_kib;
  }
  return 0;
}

const char* unit_of(Metric metric) { return metric == Metric::kPeakRss ? "KiB" : "ms"; }

// Three digits are more than the noise leaves.
std::string number(double value) {
  char text[32];
  const int digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

double rounded(double value) { return std::round(value * 1000) / 1000; }

struct Row {
  double ours = 0;
  double theirs = 0;
  double ratio = 0;
  bool holds = true;
};

Row evaluate(const Results& results, const Comparison& comparison, double share) {
  using Target = Comparison::Target;
  Row row;
  row.ours = results.quantile(comparison.ours, comparison.metric, share);
  if (comparison.theirs.empty()) {
    row.holds = comparison.target == Target::kNone || row.ours <= comparison.bound;
    return row;
  }
  row.theirs = results.quantile(comparison.theirs, comparison.metric, share);
  const bool less = comparison.target != Target::kAtMost && comparison.target != Target::kShare;
  row.ratio = less ? row.theirs / row.ours : row.ours / row.theirs;
  if (comparison.target == Target::kTimesLess) row.holds = row.ratio >= comparison.bound;
  if (comparison.target == Target::kAtMost) row.holds = row.ratio <= comparison.bound;
  return row;
}

std::string target_text(const Comparison& comparison) {
  const std::string unit =
      comparison.theirs.empty() ? std::string(" ") + unit_of(comparison.metric) : "x";
  switch (comparison.target) {
    case Comparison::Target::kNone:
    case Comparison::Target::kShare:
      break;
    case Comparison::Target::kTimesLess:
      return "at least " + number(comparison.bound) + "x less";
    case Comparison::Target::kAtMost:
      return "at most " + number(comparison.bound) + unit;
  }
  return "";
}

}  // namespace

double Results::quantile(const std::string& series, Metric metric, double share) const {
  std::vector<double> values;
  for (const Sample& sample : series_.at(series)) values.push_back(value_of(sample, metric));
  std::sort(values.begin(), values.end());
  const auto last = static_cast<double>(values.size() - 1);
  return values[static_cast<size_t>(std::lround(share * last))];
}

Json Results::to_json() const {
  Json all = Json::object();
  for (const auto& [name, samples] : series_) {
    Json series = Json::object({{"rounds", static_cast<uint64_t>(samples.size())}});
    const auto put = [&, &name = name](const char* key, Metric metric) {
      series[key] = Json::object({{"median", rounded(quantile(name, metric, 0.5))},
                                  {"p95", rounded(quantile(name, metric, 0.95))},
                                  {"min", rounded(quantile(name, metric, 0))}});
    };
    put("wall_ms", Metric::kWall);
    put("cpu_ms", Metric::kCpu);
    put("peak_rss_kib", Metric::kPeakRss);
    all[name] = series;
  }
  return all;
}

Json report(const Results& results, const std::vector<Comparison>& comparisons) {
  Json rows = Json::array();
  printf("\n%-52s %18s %18s %19s  %s\n", "case: median (p95)", "railcni", "against",
         "ratio (p95, best)", "target");
  for (const Comparison& comparison : comparisons) {
    if (!results.has(comparison.ours)) continue;
    if (!comparison.theirs.empty() && !results.has(comparison.theirs)) continue;
    const Row median = evaluate(results, comparison, 0.5);
    const Row p95 = evaluate(results, comparison, 0.95);
    // On a busy machine the quickest rounds are the ones that nobody disturbed.
    const Row best = evaluate(results, comparison, 0);
    const std::string ratios =
        number(median.ratio) + " (" + number(p95.ratio) + ", " + number(best.ratio) + ")";
    const auto both = [](double a, double b) { return number(a) + " (" + number(b) + ")"; };
    const std::string target = target_text(comparison);
    const bool alone = comparison.theirs.empty();
    printf("%-52s %18s %18s %19s  %s%s\n", comparison.title.c_str(),
           (both(median.ours, p95.ours) + " " + unit_of(comparison.metric)).c_str(),
           alone ? "" : both(median.theirs, p95.theirs).c_str(), alone ? "" : ratios.c_str(),
           target.c_str(),
           target.empty() ? ""
           : median.holds ? ": yes"
                          : ": NO");
    Json row = Json::object({{"case", comparison.title},
                             {"ours", comparison.ours},
                             {"metric", unit_of(comparison.metric)},
                             {"median", rounded(median.ours)},
                             {"p95", rounded(p95.ours)}});
    if (!alone) {
      row["against"] = comparison.theirs;
      row["against_median"] = rounded(median.theirs);
      row["against_p95"] = rounded(p95.theirs);
      row["ratio"] = rounded(median.ratio);
      row["ratio_p95"] = rounded(p95.ratio);
      row["ratio_best"] = rounded(best.ratio);
    }
    if (!target.empty()) {
      row["target"] = target;
      row["holds"] = median.holds;
    }
    rows.push_back(row);
  }
  return rows;
}

}  // namespace railcni::bench
