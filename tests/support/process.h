// Running programs and catching all they say.
#ifndef RAILCNI_TESTS_SUPPORT_PROCESS_H_
#define RAILCNI_TESTS_SUPPORT_PROCESS_H_

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include "railcni/fd.h"

namespace railcni::test {

struct Command {
  std::vector<std::string> argv;  // argv[0] is a path, or a name that is looked up in PATH
  // The whole environment, "NAME=value"; nothing is inherited.
  std::vector<std::string> env = {};
  std::string stdin_text = {};
  // What stdin is: the text and its end, a pipe on which nothing ever comes (as some runtimes leave
  // it at VERSION), or no descriptor at all.
  enum class Stdin { kText, kSilent, kClosed } stdin_mode = Stdin::kText;
  std::string netns = {};        // path of the network namespace to run in; empty: the caller's
  std::string stdout_path = {};  // a file for stdout instead of catching it; "-" closes it
  // For what hangs, and not for what is slow.
  std::chrono::milliseconds timeout = std::chrono::minutes(10);
};

struct Outcome {
  int exit_code = -1;  // -1 when a signal ended it
  int signal = 0;
  bool timed_out = false;  // it was killed when the timeout was over
  std::string out;
  std::string err;

  bool ok() const { return exit_code == 0; }
  // All of it in a few lines, for a test's message.
  std::string describe() const;
};

// A program that runs in the background. It is killed, with the processes it started, when this
// object goes or the test dies.
class Child {
 public:
  // Throws std::runtime_error when it cannot be started.
  explicit Child(const Command& command);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();

  pid_t pid() const { return pid_; }
  void kill(int signal = SIGKILL) const;
  // Waits for its end (and kills it when the command's timeout is over).
  Outcome wait();

 private:
  pid_t pid_ = -1;
  Fd pidfd_;
  Fd stdin_;  // the open end of a silent pipe
  Fd out_;
  Fd err_;
  std::chrono::steady_clock::time_point deadline_;
};

Outcome run(const Command& command);

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_SUPPORT_PROCESS_H_
