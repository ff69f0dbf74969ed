// The conformance suite: drives a built railcni (RAILCNI_BIN) from outside, as runtimes do.
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "tests/support/runtime.h"
#include "tests/support/sandbox.h"

namespace {

struct Sandbox : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;

  void testRunStarting(const Catch::TestRunInfo&) override {
    try {
      railcni::test::railcni_binary();
      railcni::test::enter_sandbox();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "conformance: %s\n", error.what());
      std::exit(2);
    }
  }
};

CATCH_REGISTER_LISTENER(Sandbox)

}  // namespace
