#include "tests/bench/launcher_client.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "tests/bench/launch_protocol.h"

namespace railcni::bench {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

template <typename T>
void append_bytes(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void read_all(int fd, void* data, size_t size) {
  auto* at = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t count = ::read(fd, at, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("the launcher");
    if (count == 0) throw std::runtime_error("the launcher has ended");
    at += count;
    size -= static_cast<size_t>(count);
  }
}

void write_all(int fd, const std::string& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("the launcher");
    done += static_cast<size_t>(count);
  }
}

void append_program(std::string& bytes, const Program& program) {
  std::string text;
  for (const auto* list : {&program.argv, &program.env}) {
    for (const std::string& item : *list) text.append(item.c_str(), item.size() + 1);
  }
  append_bytes(bytes, ProgramHeader{static_cast<uint32_t>(program.argv.size()),
                                    static_cast<uint32_t>(program.env.size()),
                                    static_cast<uint32_t>(text.size()),
                                    static_cast<uint32_t>(program.stdin_text.size())});
  bytes += text + program.stdin_text;
}

}  // namespace

Sample& Sample::operator+=(const Sample& next) {
  wall_ms += next.wall_ms;
  cpu_ms += next.cpu_ms;
  peak_rss_kib = std::max(peak_rss_kib, next.peak_rss_kib);
  minor_faults += next.minor_faults;
  return *this;
}

Launcher::Launcher(const std::string& path) {
  int in[2];
  int out[2];
  if (pipe2(in, O_CLOEXEC) != 0) fail("pipe2");
  const Fd child_in(in[0]);
  requests_ = Fd(in[1]);
  if (pipe2(out, O_CLOEXEC) != 0) fail("pipe2");
  answers_ = Fd(out[0]);
  const Fd child_out(out[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, child_in.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, child_out.get(), STDOUT_FILENO);
  std::string name = path;
  char* argv[] = {name.data(), nullptr};
  char* env[] = {nullptr};
  errno = posix_spawn(&pid_, path.c_str(), &actions, nullptr, argv, env);
  posix_spawn_file_actions_destroy(&actions);
  if (errno != 0) fail(path);
}

Launcher::~Launcher() {
  requests_.reset();  // the end of its stdin is its end
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Sample Launcher::run(const std::vector<Program>& programs, std::vector<std::string>* outputs) {
  std::string request;
  append_bytes(request, GroupHeader{static_cast<uint32_t>(programs.size())});
  for (const Program& program : programs) append_program(request, program);
  write_all(requests_.get(), request);

  GroupResult group{};
  read_all(answers_.get(), &group, sizeof group);
  Sample sample;
  std::string failure;
  for (const Program& program : programs) {
    ProgramResult result{};
    read_all(answers_.get(), &result, sizeof result);
    std::string output(result.stdout_size, '\0');
    read_all(answers_.get(), output.data(), output.size());
    sample += {0, static_cast<double>(result.cpu_us) / 1e3,
               static_cast<double>(result.peak_rss_kib), static_cast<double>(result.minor_faults)};
    if (result.status != 0 && failure.empty()) {
      failure = program.argv.front() + " failed (status " + std::to_string(result.status) +
                "): " + output + "\nstdin: " + program.stdin_text;
    }
    if (outputs != nullptr) outputs->push_back(std::move(output));
  }
  if (!failure.empty()) throw std::runtime_error(failure);
  sample.wall_ms = static_cast<double>(group.wall_ns) / 1e6;
  return sample;
}

Sample Launcher::run(const Program& program, std::string* output) {
  std::vector<std::string> outputs;
  const Sample sample = run(std::vector<Program>{program}, &outputs);
  if (output != nullptr) *output = outputs.front();
  return sample;
}

}  // namespace railcni::bench
