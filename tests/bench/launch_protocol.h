// What the bench and its launcher say to each other, over two pipes of one machine.
//
// A request is a GroupHeader and, for each program of the group, a ProgramHeader with its bytes:
// argv and then the environment, each text ended by a NUL, and then what the program gets on stdin.
// The answer is a GroupResult and a ProgramResult for each, followed by what it wrote to stdout.
#ifndef RAILCNI_TESTS_BENCH_LAUNCH_PROTOCOL_H_
#define RAILCNI_TESTS_BENCH_LAUNCH_PROTOCOL_H_

#include <cstdint>

namespace railcni::bench {

struct GroupHeader {
  uint32_t programs;  // all are started before the first is waited for
};

struct ProgramHeader {
  uint32_t argc;
  uint32_t envc;
  uint32_t text_size;   // of argv and environment
  uint32_t stdin_size;  // must fit a pipe: nobody feeds it while the program runs
};

struct GroupResult {
  uint64_t wall_ns;  // from before the first start until the last one's end
};

struct ProgramResult {
  int32_t status;  // of wait4(2)
  uint32_t stdout_size;
  uint64_t cpu_us;  // user and system
  uint64_t peak_rss_kib;
  uint64_t minor_faults;
};

}  // namespace railcni::bench

#endif  // RAILCNI_TESTS_BENCH_LAUNCH_PROTOCOL_H_
