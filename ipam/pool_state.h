// The IPAM's rows in the state file (src/store/schema.h has the layout), kept in agreement: the
// lease table and the bitmap, which all pools share, and a pool's own queue of resting addresses,
// queue of quarantined ones and counters.
#ifndef RAILCNI_IPAM_POOL_STATE_H_
#define RAILCNI_IPAM_POOL_STATE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "railcni/address.h"
#include "railcni/store.h"

namespace railcni {

// The packed value of a pool's row: these, in this order, big-endian (60 bytes).
struct PoolCounters {
  uint32_t id = 0;  // 0: the pool was never used
  U128 cursor = 0;  // offset in the subnet behind the last address that was handed out as new
  uint64_t leased = 0;
  uint64_t resting = 0;
  uint64_t quarantined = 0;
  uint64_t next_seq = 0;  // of the next release
  // new_mark() of ranges that had no new address left; 0: none had been searched in vain.
  uint64_t none_new = 0;

  std::string pack() const;
  // Throws Error{kStoreDamaged} when the size is wrong.
  static PoolCounters unpack(std::string_view bytes);

  bool operator==(const PoolCounters&) const = default;
};

// A lease row's value.
struct AddressState {
  enum class Kind { kLeased, kResting, kQuarantined };
  uint32_t pool_id = 0;  // of the pool that gave the address
  Kind kind = Kind::kLeased;
  std::string owner;  // when leased
  uint64_t seq = 0;   // when resting
  int64_t until = 0;  // when quarantined

  std::string pack() const;
  static AddressState unpack(std::string_view bytes);
};

// The address's row; nothing when the address is not in use.
std::optional<AddressState> address_state(const Txn& state, const IpAddress& address);

// The counters of the pool of that name and subnet; nothing when it was never used.
std::optional<PoolCounters> pool_counters(const Txn& state, const std::string& name,
                                          const IpPrefix& subnet);

// Stands for `ranges` and for what was forgotten in them until now: as long as it is the same, a
// search for new addresses that found none need not be done again.
uint64_t new_mark(const Txn& state, const std::vector<AddressRange>& ranges);

// Calls `visit` for each pool that was ever used (of that name, or all when empty), ordered by name
// and subnet's text, until it returns false.
void scan_pool_states(const Txn& state, const std::string& name,
                      const std::function<bool(const std::string& name, const IpPrefix& subnet,
                                               const PoolCounters& counters)>& visit);

// Changes one pool's state. Every call leaves all rows in agreement.
class PoolEditor {
 public:
  // A pool that was never used begins here.
  PoolEditor(Txn& state, const std::string& name, const IpPrefix& subnet);

  uint32_t id() const { return counters_.id; }
  // The address becomes leased, whatever it was, and whichever pool's it was.
  void lease(const IpAddress& address, const std::string& owner);
  // As lease(), and the search for new addresses goes on behind it.
  void lease_new(const IpAddress& address, const std::string& owner);
  // The address rests. Of more than kMaxResting the one that rested longest is forgotten.
  void rest(const IpAddress& address);
  void quarantine(const IpAddress& address, int64_t until);
  // The address counts as never used.
  void forget(const IpAddress& address);
  // A search for a new address in `ranges` has found none.
  void remember_none_new(const std::vector<AddressRange>& ranges);

  // Bounds what a pool of millions keeps: behind the cursor, a forgotten address is far from its
  // turn anyway.
  static constexpr uint64_t kMaxResting = 65536;

 private:
  // Takes the address out of the queue and the counter of its state, in the pool that gave it;
  // false when it had no row.
  bool remove(const IpAddress& address);
  void put(const IpAddress& address, AddressState value, bool had_row);
  void save();

  Txn& state_;
  std::string key_;
  IpPrefix subnet_;
  PoolCounters counters_;
};

}  // namespace railcni

#endif  // RAILCNI_IPAM_POOL_STATE_H_
