// Beside Catch2's own report, what becomes of each test case goes to the folder that
// RAILCNI_TEST_CASES names, as it happens: see cases.sh, which reads it.
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>
#include <string>

namespace {

struct Counter : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;

  void testCaseStarting(const Catch::TestCaseInfo& info) override { write("begin " + info.name); }

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    write((stats.totals.testCases.allOk() ? "pass " : "fail ") + stats.testInfo.name);
  }

  void assertionStarting(const Catch::AssertionInfo&) override {
    const time_t now = time(nullptr);
    if (folder_.empty() || now == touched_) return;
    touched_ = now;
    (void)utimensat(AT_FDCWD, (folder_ + "/progress").c_str(), nullptr, 0);
  }

 private:
  // In one write, so that a line is there whole or not at all.
  void write(const std::string& line) const {
    if (folder_.empty()) return;
    const int file = open((folder_ + "/log").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    (void)!::write(file, (line + "\n").data(), line.size() + 1);
    close(file);
  }

  static std::string variable() {
    const char* value = std::getenv("RAILCNI_TEST_CASES");
    return value != nullptr ? value : "";
  }

  const std::string folder_ = variable();
  time_t touched_ = 0;
};

CATCH_REGISTER_LISTENER(Counter)

}  // namespace
