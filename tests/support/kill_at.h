// Killing a program at a chosen system call.
#ifndef RAILCNI_TESTS_SUPPORT_KILL_AT_H_
#define RAILCNI_TESTS_SUPPORT_KILL_AT_H_

#include "tests/support/process.h"

namespace railcni::test {

// Which system calls count.
enum class KillPoints {
  // All of them; with sanitizers, whose own calls are hundreds, kEffects.
  kAll,
  // Those that can change something outside of the process: what is sent and what is written, to
  // sockets, files and sysfs.
  kEffects,
};

// Runs the command and kills it (SIGKILL) when it is about to enter its `n`-th system call after
// execve, counted from 1. Returns false when it ended before that, by itself. Its output is thrown
// away; argv[0] must be a path.
bool run_and_kill_at(const Command& command, int n, KillPoints points = KillPoints::kAll);

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_SUPPORT_KILL_AT_H_
