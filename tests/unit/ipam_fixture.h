// An IPAM on a state file of its own.
#ifndef RAILCNI_TESTS_UNIT_IPAM_FIXTURE_H_
#define RAILCNI_TESTS_UNIT_IPAM_FIXTURE_H_

#include <memory>
#include <string>
#include <vector>

#include "railcni/ipam.h"
#include "temp_store.h"

namespace railcni::test {

inline Pool pool(const std::string& name, const std::string& subnet, const std::string& more = "") {
  std::vector<std::string> warnings;
  return parse_pool(name, Json::parse("{\"subnet\":\"" + subnet + "\"" + more + "}"), warnings);
}

inline AttachmentKey owner(int n) { return {"net", "container" + std::to_string(n), "net1"}; }

// A state file, and attachments that record what they get, so that the invariants can be checked.
class Ipam {
 public:
  std::vector<Lease> add(const AttachmentKey& who, const std::vector<Pool>& v4,
                         const std::vector<Pool>& v6 = {},
                         const std::vector<std::string>& want = {}, int64_t now = 1000) {
    std::vector<PoolRequest::Requested> requested;
    for (const std::string& text : want) {
      if (auto prefix = IpPrefix::parse(text)) {
        requested.push_back({prefix->address, prefix->length});
      } else {
        requested.push_back({IpAddress::parse_or_throw(text, "want"), std::nullopt});
      }
    }
    std::vector<Lease> leases;
    store_->write([&](Txn& txn) {
      leases = allocate(txn, {v4, v6}, requested, who, now);
      Attachment record;
      if (auto old = get_attachment(txn, who)) record = *old;
      record.key = who;
      record.leases.insert(record.leases.end(), leases.begin(), leases.end());
      put_attachment(txn, record);
    });
    return leases;
  }
  // The only address of an add() with one IPv4 pool.
  std::string get(int n, const Pool& from, int64_t now = 1000) {
    return add(owner(n), {from}, {}, {}, now).at(0).address.address.to_string();
  }
  void del(const AttachmentKey& who) {
    store_->write([&](Txn& txn) {
      std::optional<Attachment> record = get_attachment(txn, who);
      REQUIRE(record);
      release(txn, record->leases, who);
      erase_attachment(txn, who);
    });
  }
  void conflict(const AttachmentKey& who, int64_t until) {
    store_->write([&](Txn& txn) {
      std::optional<Attachment> record = get_attachment(txn, who);
      REQUIRE(record);
      for (const Lease& lease : record->leases) quarantine(txn, lease, who, until);
      erase_attachment(txn, who);
    });
  }
  PoolUsage usage(const Pool& p) {
    PoolUsage usage;
    store_->read([&](const Txn& txn) { usage = pool_usage(txn, p); });
    return usage;
  }
  void check() {
    store_->read(
        [&](const Txn& txn) { REQUIRE(check_invariants(txn) == std::vector<std::string>{}); });
  }
  Store& store() { return *store_; }
  std::string path() const { return store_->path(); }

 private:
  TempDir dir_;
  std::unique_ptr<Store> store_ = open_state(dir_);
};

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_UNIT_IPAM_FIXTURE_H_
