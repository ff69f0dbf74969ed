// Beside Catch2's own report, the number of test cases that passed and failed goes to the file that
// RAILCNI_TEST_COUNTS names, for tests/run.sh to add up.
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

namespace {

struct Counter : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;

  void testRunEnded(const Catch::TestRunStats& stats) override {
    if (const char* path = std::getenv("RAILCNI_TEST_COUNTS")) {
      const Catch::Counts& cases = stats.totals.testCases;
      std::ofstream(path, std::ios::app)
          << cases.passed << " " << cases.failed + cases.failedButOk << "\n";
    }
  }
};

CATCH_REGISTER_LISTENER(Counter)

}  // namespace
