// A state file that was emptied, or taken away in part, while it was in use.
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/netns/world.h"

using namespace railcni;
using namespace railcni::test;

TEST_CASE("an emptied state file is not taken for a new one") {
  enter_sandbox();
  const Rail rail("rail0");
  const Pod first("pod");
  const Pod second("pod");
  const std::string dir = make_folder("emptied");
  Runtime runtime;
  const Json list = macvlan_list(dir, "rail0", pool_v4());
  const Call before = runtime.add(list, {.id = "c1", .netns = first.path()});
  INFO(before.describe());
  REQUIRE(before.ok());
  REQUIRE(truncate((dir + "/state.mdb").c_str(), 0) == 0);
  const Call after = runtime.add(list, {.id = "c2", .netns = second.path()});
  INFO(after.describe());
  CHECK_FALSE(after.ok());
  CHECK(after.code() == 102);
  CHECK_THAT(after.msg(), Catch::Contains("state.mdb"));
}
