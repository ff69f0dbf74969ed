// Each test by name when it starts and when it has ended: a test that hangs or takes the kernel
// down is the last one named.
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>

namespace {

struct Report : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;

  void testCaseStarting(const Catch::TestCaseInfo& info) override {
    start_ = std::chrono::steady_clock::now();
    std::printf("test: %s\n", info.name.c_str());
    std::fflush(stdout);
  }

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start_;
    std::printf("%s: %s (%.1f s)\n", stats.totals.assertions.allOk() ? "ok" : "FAILED",
                stats.testInfo.name.c_str(), time.count());
    std::fflush(stdout);
  }

  std::chrono::steady_clock::time_point start_;
};

CATCH_REGISTER_LISTENER(Report)

}  // namespace
