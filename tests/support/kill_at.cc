#include "tests/support/kill_at.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

#include "tests/support/sanitized.h"

namespace railcni::test {
namespace {

[[noreturn]] void run_traced(const Command& command, int input) {
  std::vector<char*> argv;
  std::vector<char*> env;
  for (const std::string& word : command.argv) argv.push_back(const_cast<char*>(word.c_str()));
  for (const std::string& word : command.env) env.push_back(const_cast<char*>(word.c_str()));
  // The search for leaks is a tracer's work, and there is one tracer.
  static char no_leaks[] = "ASAN_OPTIONS=detect_leaks=0";
  if (kSanitized) env.push_back(no_leaks);
  argv.push_back(nullptr);
  env.push_back(nullptr);
  const int null = open("/dev/null", O_WRONLY);
  dup2(input, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  dup2(null, STDERR_FILENO);
  ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  execve(argv[0], argv.data(), env.data());
  _exit(127);
}

// True when the system call that `pid` is about to enter can change something outside of it.
bool has_effect(pid_t pid) {
  __ptrace_syscall_info info{};
  if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) < 0) {
    throw std::runtime_error("PTRACE_GET_SYSCALL_INFO");
  }
  switch (info.entry.nr) {
    case SYS_sendmsg:
    case SYS_sendto:
    case SYS_write:
    case SYS_writev:
    case SYS_pwrite64:
    case SYS_pwritev:
    case SYS_ftruncate:
    case SYS_msync:
    case SYS_unlink:
    case SYS_rename:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool run_and_kill_at(const Command& command, int n, KillPoints points) {
  const int input = memfd_create("stdin", MFD_CLOEXEC);
  if (write(input, command.stdin_text.data(), command.stdin_text.size()) < 0) {
    throw std::runtime_error("cannot write stdin");
  }
  lseek(input, 0, SEEK_SET);
  const pid_t pid = fork();
  if (pid == 0) run_traced(command, input);
  close(input);
  int status = 0;
  waitpid(pid, &status, 0);  // stopped after execve
  if (!WIFSTOPPED(status)) throw std::runtime_error("cannot trace " + command.argv[0]);
  ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
  bool entering = true;
  int calls = 0;
  int signal = 0;
  for (;;) {
    ptrace(PTRACE_SYSCALL, pid, nullptr, signal);
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) || WIFSIGNALED(status)) return false;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      signal = WSTOPSIG(status);
      continue;
    }
    signal = 0;
    const bool all = points == KillPoints::kAll && !kSanitized;
    const bool counts = entering && (all || has_effect(pid));
    if (counts && ++calls == n) {
      kill(pid, SIGKILL);
      waitpid(pid, &status, 0);
      return true;
    }
    entering = !entering;
  }
}

}  // namespace railcni::test
