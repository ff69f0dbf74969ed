// Starts programs as a runtime does and measures them. A program of its own, and a small one: a
// process's peak RSS begins with that of the process that started it (exec keeps the larger one),
// and what a start costs grows with the starter.
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "tests/bench/launch_protocol.h"

namespace railcni::bench {
namespace {

constexpr uint32_t kMostPrograms = 256;
constexpr uint32_t kMostTexts = 64;
constexpr unsigned kLimit = 60;         // seconds that a group may take
constexpr uint64_t kRest = 10'000'000;  // nanoseconds
constexpr long kMostProcessors = 64;    // that are kept awake
constexpr size_t kMostOutput = 65536;   // a pipe's capacity (pipe(7))
constexpr size_t kStack = 16384;        // of what goes before the exec

struct Program {
  ProgramHeader header;
  char* argv[kMostTexts];
  char* env[kMostTexts];
  char* text;  // argv, environment and stdin
  pid_t pid;
  int in[2];
  int out[2];
  alignas(16) char stack[kStack];
  ProgramResult result;
};
Program programs[kMostPrograms];
uint32_t started = 0;  // of `programs`; the first ones may have ended
char output[kMostOutput];

[[noreturn]] void die(const char* what) {
  perror(what);
  exit(1);
}

// False at the end of the bench, which closes the pipe.
bool read_all(int fd, void* data, size_t size) {
  auto* at = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t count = read(fd, at, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) die("read");
    if (count == 0) return false;
    at += count;
    size -= static_cast<size_t>(count);
  }
  return true;
}

void write_all(int fd, const void* data, size_t size) {
  const auto* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t count = write(fd, at, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) die("write");
    at += count;
    size -= static_cast<size_t>(count);
  }
}

void read_program(Program& program) {
  ProgramHeader& header = program.header;
  if (!read_all(STDIN_FILENO, &header, sizeof header)) exit(1);
  if (header.argc >= kMostTexts || header.envc >= kMostTexts) exit(1);
  const size_t size = size_t{header.text_size} + header.stdin_size;
  program.text = static_cast<char*>(malloc(size + 1));
  if (program.text == nullptr || !read_all(STDIN_FILENO, program.text, size)) exit(1);
  char* at = program.text;
  for (uint32_t i = 0; i < header.argc; ++i, at += strlen(at) + 1) program.argv[i] = at;
  for (uint32_t i = 0; i < header.envc; ++i, at += strlen(at) + 1) program.env[i] = at;
  program.argv[header.argc] = nullptr;
  program.env[header.envc] = nullptr;
}

void prepare(Program& program) {
  if (pipe2(program.in, O_CLOEXEC) != 0 || pipe2(program.out, O_CLOEXEC) != 0) die("pipe2");
  write_all(program.in[1], program.text + program.header.text_size, program.header.stdin_size);
  close(program.in[1]);
}

int null = -1;

int become(void* data) {
  const auto* program = static_cast<const Program*>(data);
  if (dup2(program->in[0], STDIN_FILENO) >= 0 && dup2(program->out[1], STDOUT_FILENO) >= 0 &&
      dup2(null, STDERR_FILENO) >= 0) {
    execve(program->argv[0], program->argv, program->env);
  }
  _exit(127);
}

// As posix_spawn() does it, with our memory and a stack of its own, but we do not sleep until the
// exec: we are then woken once, at the program's end, and not twice.
void start(Program& program) {
  program.pid = clone(become, program.stack + kStack, CLONE_VM | SIGCHLD, &program);
  if (program.pid < 0) die("clone");
}

void finish(Program& program) {
  rusage usage{};
  int status = 0;
  while (wait4(program.pid, &status, 0, &usage) < 0) {
    if (errno != EINTR) die("wait4");
  }
  const auto microseconds = [](const timeval& time) {
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
  };
  program.pid = 0;
  close(program.in[0]);
  close(program.out[1]);
  program.result.status = status;
  program.result.cpu_us = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
  program.result.peak_rss_kib = static_cast<uint64_t>(usage.ru_maxrss);
  program.result.minor_faults = static_cast<uint64_t>(usage.ru_minflt);
}

uint64_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

// A program that hangs is a failure, which its status tells the bench.
void kill_all(int) {
  for (uint32_t i = 0; i < started; ++i) {
    if (programs[i].pid > 0) kill(programs[i].pid, SIGKILL);
  }
}

void* stay_awake(void* end) {
  while (now() < *static_cast<const uint64_t*>(end)) {
  }
  return nullptr;
}

// After a DEL the kernel goes on in the background (the links' watchers, IPv6, RCU), partly under
// the lock that the next ADD needs. What the last contestant left must not count for the next one.
// The wait is a busy one, on every processor: to wake one that sleeps takes a virtual machine
// longer than some of the programs run.
void rest() {
  static const long processors = sysconf(_SC_NPROCESSORS_ONLN);
  uint64_t end = now() + kRest;
  pthread_t others[kMostProcessors];
  long started_threads = 0;
  while (started_threads < processors - 1 && started_threads < kMostProcessors &&
         pthread_create(&others[started_threads], nullptr, stay_awake, &end) == 0) {
    ++started_threads;
  }
  stay_awake(&end);
  while (started_threads > 0) pthread_join(others[--started_threads], nullptr);
}

int serve() {
  signal(SIGALRM, kill_all);
  null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (null < 0) die("/dev/null");
  GroupHeader group{};
  while (read_all(STDIN_FILENO, &group, sizeof group)) {
    if (group.programs > kMostPrograms) return 1;
    for (uint32_t i = 0; i < group.programs; ++i) {
      read_program(programs[i]);
      prepare(programs[i]);
    }
    alarm(kLimit);
    rest();
    const uint64_t begin = now();
    for (started = 0; started < group.programs; ++started) start(programs[started]);
    for (uint32_t i = 0; i < group.programs; ++i) finish(programs[i]);
    const GroupResult result{now() - begin};
    alarm(0);
    write_all(STDOUT_FILENO, &result, sizeof result);
    for (uint32_t i = 0; i < group.programs; ++i) {
      Program& program = programs[i];
      // What a program wrote is in the pipe; one that wrote more has not ended.
      const ssize_t count = read(program.out[0], output, sizeof output);
      if (count < 0) die("read");
      close(program.out[0]);
      program.result.stdout_size = static_cast<uint32_t>(count);
      write_all(STDOUT_FILENO, &program.result, sizeof program.result);
      write_all(STDOUT_FILENO, output, static_cast<size_t>(count));
      free(program.text);
    }
  }
  return 0;
}

}  // namespace
}  // namespace railcni::bench

int main() { return railcni::bench::serve(); }
