// The conformance suite: drives a built railcni (RAILCNI_BIN) from outside, as runtimes do.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <cstdio>
#include <exception>

#include "tests/support/runtime.h"
#include "tests/support/sandbox.h"

int main(int argc, char** argv) {
  try {
    railcni::test::railcni_binary();
    railcni::test::enter_sandbox();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "conformance: %s\n", error.what());
    return 2;
  }
  return Catch::Session().run(argc, argv);
}
