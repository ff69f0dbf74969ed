#include "src/cli/pool_change.h"

#include "ipam_fixture.h"

namespace railcni {
namespace {

using test::TempDir;

TEST_CASE("a change of pools holds off the very first ADD", "[pool]") {
  TempDir dir;
  CHECK_FALSE(cli::change_pools(dir.paths(), Store::Mode::kExisting,
                                [](const Txn*, Txn&) { FAIL("there are no pools"); }));
  bool called = false;
  CHECK(cli::change_pools(dir.paths(), Store::Mode::kCreate, [&](const Txn* state, Txn& pools) {
    called = true;
    // Without a transaction on the state, an ADD could lease between the check and the commit.
    CHECK(state != nullptr);
    cli::refuse_stranded(state, "p", std::nullopt);
    put_pool(pools, test::pool("p", "10.0.0.0/24"));
  }));
  CHECK(called);
  CHECK(std::filesystem::exists(test::state_path(dir)));
}

}  // namespace
}  // namespace railcni
