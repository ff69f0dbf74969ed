#include "railcni/owed_names.h"

#include "railcni/ipam.h"
#include "temp_store.h"

namespace railcni {
namespace {

using test::open_state;
using test::TempDir;

TEST_CASE("owed names: one for each kind and device, until it is settled", "[store]") {
  TempDir dir;
  auto store = open_state(dir);
  const OwedName interface { OwedName::Kind::kInterface, "0000:01:10.0", 7, "ens1f0v0" };
  const OwedName rdma{OwedName::Kind::kRdma, "0000:01:10.0", 7, "mlx5_4"};
  store->write([&](Txn& txn) {
    put_owed_name(txn, interface);
    put_owed_name(txn, rdma);
    // The first is what the device was called before it was parked.
    put_owed_name(txn, {OwedName::Kind::kRdma, "0000:01:10.0", 7, "railcni_3"});
    txn.put("Or0000:01:10.1", "no JSON");
    CHECK(check_invariants(txn).empty());
  });
  store->write([&](Txn& txn) {
    const std::vector<OwedName> all = owed_names(txn);
    REQUIRE(all.size() == 2);
    CHECK(all[0].name == "ens1f0v0");
    CHECK(all[0].kind == OwedName::Kind::kInterface);
    CHECK(all[1].name == "mlx5_4");
    CHECK(all[1].device == "0000:01:10.0");
    CHECK(all[1].identity == 7);
    erase_owed_name(txn, rdma);
    CHECK(owed_names(txn).size() == 1);
  });
}

TEST_CASE("owed names: what is parked is told from what is called railcni by its owner") {
  CHECK(is_parked_name(parked_rdma_name(12)));
  CHECK(is_parked_name("railcni0"));
  CHECK_FALSE(is_parked_name("railcni"));
  CHECK_FALSE(is_parked_name("railcni-up"));
  CHECK_FALSE(is_parked_name("ib0"));
}

}  // namespace
}  // namespace railcni
