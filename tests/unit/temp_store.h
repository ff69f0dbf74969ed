// A folder that is gone after the test, and helpers around stores and errors.
#ifndef RAILCNI_TESTS_UNIT_TEMP_STORE_H_
#define RAILCNI_TESTS_UNIT_TEMP_STORE_H_

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include "railcni/error.h"
#include "railcni/store.h"
#include "src/store/lmdb_env.h"

namespace railcni::test {

class TempDir {
 public:
  TempDir() {
    char path[] = "/tmp/railcni-unit-XXXXXX";
    if (mkdtemp(path) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = path;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  StorePaths paths() const { return StorePaths::from_data_dir(path_); }

 private:
  std::string path_;
};

inline std::unique_ptr<Store> open_state(const TempDir& dir) {
  return Store::open(Store::File::kState, dir.paths(), Store::Mode::kCreate);
}

// The error that `work` throws; fails the test when it throws none.
inline Error error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error was thrown");
  abort();
}

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// Forks; the child runs `work` and ends with its result (99 when it throws), without Catch's or
// anybody's clean-up. Returns the child's pid.
inline pid_t in_child(const std::function<int()>& work) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  int status = 99;
  try {
    status = work();
  } catch (const Error& error) {
    dprintf(STDERR_FILENO, "child: %s\n", error.what());
  } catch (...) {
  }
  _exit(status);
}

// The wait status of the child.
inline int wait_for(pid_t pid) {
  int status = -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// As in_child() and wait_for(), with what the child wrote to `fd`.
struct ChildResult {
  int status;
  std::string output;
};
inline ChildResult run_child(int fd, const std::function<int()>& work) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("pipe");
  pid_t pid = in_child([&] {
    dup2(ends[1], fd);
    close(ends[0]);
    return work();
  });
  close(ends[1]);
  ChildResult result{0, ""};
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) {
    result.output.append(buffer, static_cast<size_t>(n));
  }
  close(ends[0]);
  result.status = wait_for(pid);
  return result;
}

inline std::string state_path(const TempDir& dir) {
  return store_file_path(Store::File::kState, dir.paths());
}

// Writes `count` keys of `size` bytes each in one transaction.
inline void fill(Store& store, int count, size_t size, int start = 0) {
  store.write([&](Txn& txn) {
    for (int i = start; i < start + count; ++i) {
      txn.put("X" + std::to_string(i), std::string(size, static_cast<char>('a' + i % 26)));
    }
  });
}

inline int count_keys(Store& store, const std::string& prefix = "X") {
  int count = 0;
  store.read([&](const Txn& txn) {
    txn.scan(prefix, "", [&](std::string_view, std::string_view) { return ++count > 0; });
  });
  return count;
}

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_UNIT_TEMP_STORE_H_
