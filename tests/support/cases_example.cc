// What cases_test.sh runs: a program with cases that pass, fail, end the program and hang.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

TEST_CASE("passes") { CHECK(true); }
TEST_CASE("fails") { CHECK(false); }
TEST_CASE("ends the program, \"at once\": [so], \\ or *") { _exit(0); }
TEST_CASE("is killed") { kill(getpid(), SIGKILL); }
TEST_CASE("checks slowly") {
  for (int i = 0; i < 3; ++i) {
    sleep(3);
    CHECK(i >= 0);
  }
}
TEST_CASE("hangs, with a child") {
  if (fork() == 0) sleep(1000);
  pause();
}
TEST_CASE("passes, too") { CHECK(true); }
