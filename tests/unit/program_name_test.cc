#include "railcni/program_name.h"

#include <catch2/catch.hpp>

using namespace railcni;

TEST_CASE("the program's name is the last component of argv[0]") {
  CHECK(program_name() == "railcni");
  set_program_name("/opt/cni/bin/host-local");
  CHECK(program_name() == "host-local");
  set_program_name("spiderpool");
  CHECK(program_name() == "spiderpool");
  for (const char* nameless : {"", "/", "/opt/cni/bin/", static_cast<const char*>(nullptr)}) {
    set_program_name("host-local");
    set_program_name(nameless);
    CHECK(program_name() == "railcni");
  }
}
