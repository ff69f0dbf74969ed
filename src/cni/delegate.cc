#include "railcni/delegate.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "railcni/error.h"
#include "railcni/fd.h"

namespace railcni {
namespace {

// A plugin that is being replaced is "text file busy" for as long as its writer has it open. The
// reference implementation tries for five seconds as well.
constexpr int kBusyTries = 50;
constexpr useconds_t kBusyPause = 100'000;  // microseconds
// As much as of our own stdin: what a plugin prints is a result, not a stream.
constexpr size_t kLongestOutput = size_t{64} << 20;
// Where the descriptor that the plugin keeps open is put.
constexpr int kKeptFd = STDERR_FILENO + 1;

std::string plugin_name(const std::string& type) { return "IPAM plugin \"" + type + "\""; }

// stdin and stdout are files in memory: nobody has to feed and drain pipes at the same time, and a
// process that the plugin leaves behind cannot keep us waiting for the end of its output.
Fd memory_file(const char* name) {
  Fd file(memfd_create(name, MFD_CLOEXEC));
  if (!file) throw_errno(Code::kIoFailure, "cannot make a file in memory for a plugin", errno);
  return file;
}

void write_config(const Fd& file, const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t count = ::write(file.get(), text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno(Code::kIoFailure, "cannot write a plugin's configuration", errno);
    done += static_cast<size_t>(count);
  }
  lseek(file.get(), 0, SEEK_SET);
}

std::string read_output(const Fd& file) {
  struct stat info {};
  if (fstat(file.get(), &info) != 0) throw_errno(Code::kIoFailure, "a plugin's output", errno);
  std::string text(std::min(static_cast<size_t>(info.st_size), kLongestOutput), '\0');
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t count =
        pread(file.get(), text.data() + done, text.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<size_t>(count);
  }
  text.resize(done);
  return text;
}

std::vector<std::string> make_environment(const DelegateCall& call) {
  std::vector<std::string> environment = {
      "CNI_COMMAND=" + call.command, "CNI_CONTAINERID=" + call.container_id,
      "CNI_NETNS=" + call.netns,     "CNI_IFNAME=" + call.ifname,
      "CNI_ARGS=" + call.args,       "CNI_PATH=" + call.path};
  const size_t own = environment.size();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('=') + 1);
    const bool replaced =
        std::any_of(environment.begin(), environment.begin() + static_cast<ptrdiff_t>(own),
                    [&name](const std::string& ours) { return ours.starts_with(name); });
    if (!replaced) environment.emplace_back(text);
  }
  return environment;
}

class SpawnSetup {
 public:
  SpawnSetup(const Fd& in, const Fd& out, int keep_open) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_adddup2(&actions_, in.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, out.get(), STDOUT_FILENO);
    if (keep_open >= 0) posix_spawn_file_actions_adddup2(&actions_, keep_open, kKeptFd);
    posix_spawn_file_actions_addclosefrom_np(&actions_, keep_open >= 0 ? kKeptFd + 1 : kKeptFd);
    posix_spawnattr_init(&attributes_);
    // We ignore SIGPIPE, and an ignored signal stays ignored across an exec.
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes_, &defaults);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  int spawn(pid_t& pid, const std::string& program, std::vector<std::string>& environment) const {
    std::vector<char*> env;
    for (std::string& entry : environment) env.push_back(entry.data());
    env.push_back(nullptr);
    std::string name = program;
    char* argv[] = {name.data(), nullptr};
    return posix_spawn(&pid, program.c_str(), &actions_, &attributes_, argv, env.data());
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// True when the child has ended, which it stays to be waited for. Without pidfds (Linux 5.3) there
// is no limit.
bool ends_within(pid_t pid, std::chrono::milliseconds timeout) {
  const Fd fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) return true;
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd end{fd.get(), POLLIN, 0};
    const int count = poll(&end, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return count != 0;
  }
}

// Returns the status of waitpid(2).
int run_program(const std::string& program, const DelegateCall& call, const Fd& in, const Fd& out) {
  const SpawnSetup setup(in, out, call.keep_open);
  std::vector<std::string> environment = make_environment(call);
  pid_t pid = -1;
  int error = setup.spawn(pid, program, environment);
  for (int tries = 1; error == ETXTBSY && tries < kBusyTries; ++tries) {
    usleep(kBusyPause);
    error = setup.spawn(pid, program, environment);
  }
  if (error != 0) {
    throw_errno(Code::kKernel, plugin_name(call.type) + ": cannot run " + program, error);
  }
  const bool ended = ends_within(pid, call.timeout);
  if (!ended) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) throw_errno(Code::kKernel, "waitpid for " + program, errno);
  }
  if (!ended) {
    throw Error(Code::kTryAgainLater,
                plugin_name(call.type) + " (" + program + ", process " + std::to_string(pid) +
                    ") has not ended its " + call.command + " within " +
                    std::to_string(call.timeout.count()) + " ms, and was killed");
  }
  return status;
}

std::string text_of(const Json& document, std::string_view key) {
  const Json* value = document.find(key);
  return value != nullptr && value->is_string() ? value->as_string() : "";
}

[[noreturn]] void throw_failure(const DelegateCall& call, const std::string& program, int status,
                                const std::string& output) {
  const std::string name = plugin_name(call.type);
  Json document;
  try {
    document = Json::parse(output);
  } catch (const Error&) {
    document = nullptr;  // not an error document, then
  }
  const std::string msg = text_of(document, "msg");
  const Json* code = document.find("code");
  if (!msg.empty() || (code != nullptr && code->is_integer())) {
    const bool usable = code != nullptr && code->is_integer() && *code != Json(0);
    throw Error(usable ? static_cast<Code>(code->as_int()) : Code::kKernel, name + ": " + msg,
                text_of(document, "details"));
  }
  const std::string how = WIFSIGNALED(status)
                              ? "was ended by signal " + std::to_string(WTERMSIG(status))
                              : "failed with exit code " + std::to_string(WEXITSTATUS(status));
  throw Error(
      Code::kKernel,
      name + " (" + program + ") " + how + " at " + call.command + " and printed no error document",
      output.substr(0, 500));
}

}  // namespace

std::string find_plugin(const std::string& type, const std::string& cni_path) {
  if (type.empty() || type.find('/') != std::string::npos || type == "." || type == "..") {
    throw Error(Code::kInvalidConfig,
                "ipam.type \"" + type + "\": must be the name of a plugin, without a path");
  }
  std::string searched;
  std::string_view rest = cni_path;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(':'), rest.size());
    const std::string folder(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (folder.empty()) continue;
    std::string program = folder + "/" + type;
    struct stat info {};
    if (stat(program.c_str(), &info) == 0 && S_ISREG(info.st_mode)) return program;
    searched += (searched.empty() ? "" : ", ") + folder;
  }
  throw Error(
      Code::kInvalidEnvironment,
      searched.empty()
          ? "ipam.type \"" + type + "\": CNI_PATH is empty, so the plugin " + "cannot be found"
          : "ipam.type \"" + type + "\": there is no such plugin in CNI_PATH " +
                "(searched: " + searched + ")");
}

Json run_delegate(const DelegateCall& call) {
  const std::string program = find_plugin(call.type, call.path);
  const Fd in = memory_file("cni-stdin");
  const Fd out = memory_file("cni-stdout");
  write_config(in, call.config.dump());
  const int status = run_program(program, call, in, out);
  const std::string output = read_output(out);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw_failure(call, program, status, output);
  }
  if (output.find_first_not_of(" \t\r\n") == std::string::npos) return nullptr;
  try {
    return Json::parse(output);
  } catch (const Error& error) {
    throw error.with_context("what " + plugin_name(call.type) + " printed at " + call.command);
  }
}

}  // namespace railcni
