// Running programs by way of the launcher (see launcher.cc).
#ifndef RAILCNI_TESTS_BENCH_LAUNCHER_CLIENT_H_
#define RAILCNI_TESTS_BENCH_LAUNCHER_CLIENT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "railcni/fd.h"

namespace railcni::bench {

struct Program {
  std::vector<std::string> argv;
  std::vector<std::string> env = {};
  std::string stdin_text = {};
};

// One measurement: of a program, of several that ran side by side, or of several in a row.
struct Sample {
  double wall_ms = 0;
  double cpu_ms = 0;
  double peak_rss_kib = 0;  // the largest one's
  double minor_faults = 0;

  // As of the same chain: times add up.
  Sample& operator+=(const Sample& next);
};

class Launcher {
 public:
  // Starts `path`. Throws std::runtime_error when it cannot be started.
  explicit Launcher(const std::string& path);
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;
  ~Launcher();

  // Runs them side by side and appends what each wrote to stdout to `outputs` (unless nullptr).
  // Throws std::runtime_error with its output when one of them fails: what fails fast must not look
  // fast.
  Sample run(const std::vector<Program>& programs, std::vector<std::string>* outputs = nullptr);
  Sample run(const Program& program, std::string* output = nullptr);

 private:
  pid_t pid_ = -1;
  Fd requests_;
  Fd answers_;
};

}  // namespace railcni::bench

#endif  // RAILCNI_TESTS_BENCH_LAUNCHER_CLIENT_H_
