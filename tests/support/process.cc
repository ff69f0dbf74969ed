#include "tests/support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace railcni::test {
namespace {

constexpr size_t kPipeCapacity = 65536;  // pipe(7)
constexpr int kNotStarted = 127;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

Fd memory_file(const char* name) {
  Fd file(memfd_create(name, MFD_CLOEXEC));
  if (!file) fail("memfd_create");
  return file;
}

void write_all(int fd, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::write(fd, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("write");
    done += static_cast<size_t>(count);
  }
}

std::string read_all(int fd) {
  std::string text;
  char buffer[65536];
  off_t at = 0;
  for (;;) {
    const ssize_t count = pread(fd, buffer, sizeof buffer, at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("pread");
    if (count == 0) return text;
    text.append(buffer, static_cast<size_t>(count));
    at += count;
  }
}

// The descriptor the child reads from; `other_end` keeps a silent pipe open.
Fd make_stdin(const Command& command, Fd& other_end) {
  const bool silent = command.stdin_mode == Command::Stdin::kSilent;
  // Runtimes use a pipe. What does not fit into one comes from a file, so that nobody must feed it.
  if (silent || command.stdin_text.size() < kPipeCapacity) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) fail("pipe2");
    Fd read_end(ends[0]);
    Fd write_end(ends[1]);
    if (silent) {
      other_end = std::move(write_end);
    } else {
      write_all(write_end.get(), command.stdin_text);
    }
    return read_end;
  }
  Fd file = memory_file("stdin");
  write_all(file.get(), command.stdin_text);
  if (lseek(file.get(), 0, SEEK_SET) < 0) fail("lseek");
  return file;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

// In the child: only async-signal-safe calls.
[[noreturn]] void exec_child(const Command& command, char** argv, char** env, int in, int out,
                             int err, int netns) {
  const auto die = [](const char* what) {
    const char* text = std::strerror(errno);
    (void)!::write(STDERR_FILENO, what, std::strlen(what));
    (void)!::write(STDERR_FILENO, ": ", 2);
    (void)!::write(STDERR_FILENO, text, std::strlen(text));
    _exit(kNotStarted);
  };
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(kNotStarted);
  if (netns >= 0 && setns(netns, CLONE_NEWNET) != 0) die("setns");
  if (command.stdin_mode == Command::Stdin::kClosed) close(0);
  if (command.stdout_path == "-") close(1);
  execvpe(argv[0], argv, env);
  die(argv[0]);
  _exit(kNotStarted);
}

}  // namespace

std::string Outcome::describe() const {
  std::string text =
      signal != 0 ? "signal " + std::to_string(signal) : "exit code " + std::to_string(exit_code);
  if (timed_out) text += " (timed out)";
  return text + "\nstdout: " + out + "\nstderr: " + err;
}

Child::Child(const Command& command)
    : deadline_(std::chrono::steady_clock::now() + command.timeout) {
  const Fd in = make_stdin(command, stdin_);
  if (command.stdout_path.empty() || command.stdout_path == "-") {
    out_ = memory_file("stdout");
  } else {
    out_ = Fd(open(command.stdout_path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!out_) fail(command.stdout_path);
  }
  err_ = memory_file("stderr");
  Fd netns;
  if (!command.netns.empty()) {
    netns = Fd(open(command.netns.c_str(), O_RDONLY | O_CLOEXEC));
    if (!netns) fail(command.netns);
  }
  const std::vector<char*> argv = pointers(command.argv);
  const std::vector<char*> env = pointers(command.env);
  pid_ = fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) {
    exec_child(command, const_cast<char**>(argv.data()), const_cast<char**>(env.data()), in.get(),
               out_.get(), err_.get(), netns.get());
  }
  setpgid(pid_, pid_);  // in both processes: whichever comes first
  pidfd_ = Fd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd_) fail("pidfd_open");
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      stdin_(std::move(other.stdin_)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)),
      deadline_(other.deadline_) {}

Child::~Child() {
  if (pid_ < 0) return;
  kill(SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void Child::kill(int signal) const {
  if (pid_ > 0) (void)::kill(-pid_, signal);
}

Outcome Child::wait() {
  Outcome outcome;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline_ - std::chrono::steady_clock::now());
    pollfd entry = {pidfd_.get(), POLLIN, 0};
    const int ready = poll(&entry, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) fail("poll");
    if (ready == 0) {
      outcome.timed_out = true;
      kill(SIGKILL);
    }
    break;
  }
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) fail("waitpid");
  }
  pid_ = -1;
  if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  struct stat info = {};
  if (fstat(out_.get(), &info) == 0 && S_ISREG(info.st_mode)) outcome.out = read_all(out_.get());
  outcome.err = read_all(err_.get());
  return outcome;
}

Outcome run(const Command& command) { return Child(command).wait(); }

}  // namespace railcni::test
