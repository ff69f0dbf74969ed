// One pool's rows in the state file (src/store/schema.h has the layout): lease table, queue of
// resting addresses, queue of quarantined ones, bitmap and counters, kept in agreement.
#ifndef RAILCNI_IPAM_POOL_STATE_H_
#define RAILCNI_IPAM_POOL_STATE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "railcni/address.h"
#include "railcni/store.h"

namespace railcni {

// The packed value of a pool's row: these, in this order, big-endian (52 bytes).
struct PoolCounters {
  uint32_t id = 0;
  U128 cursor = 0;  // offset in the subnet behind the last address that was handed out as new
  uint64_t leased = 0;
  uint64_t resting = 0;
  uint64_t quarantined = 0;
  uint64_t next_seq = 0;  // of the next release

  std::string pack() const;
  // Throws Error{kStoreDamaged} when the size is wrong.
  static PoolCounters unpack(std::string_view bytes);

  bool operator==(const PoolCounters&) const = default;
};

// A lease row's value.
struct AddressState {
  enum class Kind { kLeased, kResting, kQuarantined };
  Kind kind = Kind::kLeased;
  std::string owner;  // when leased
  uint64_t seq = 0;   // when resting
  int64_t until = 0;  // when quarantined

  std::string pack() const;
  static AddressState unpack(std::string_view bytes);
};

// Calls `visit` for each pool that was ever used (of that name, or all when empty), ordered by name
// and subnet's text, until it returns false.
void scan_pool_states(const Txn& state, const std::string& name,
                      const std::function<bool(const std::string& name, const IpPrefix& subnet,
                                               const PoolCounters& counters)>& visit);

// Reads one pool's state.
class PoolView {
 public:
  // Nothing when the pool was never used.
  static std::optional<PoolView> find(const Txn& state, const std::string& name,
                                      const IpPrefix& subnet);

  const PoolCounters& counters() const { return counters_; }
  const IpPrefix& subnet() const { return subnet_; }
  std::optional<AddressState> address(const IpAddress& address) const;
  // The first address from `from` to `to`, offsets in the subnet, that has no row.
  std::optional<U128> next_unused(U128 from, U128 to) const;

 private:
  friend class PoolEditor;
  PoolView(const Txn& state, const IpPrefix& subnet, const PoolCounters& counters);

  const Txn* state_;
  IpPrefix subnet_;
  PoolCounters counters_;
  int levels_;
};

// Changes one pool's state. Every call leaves all its rows in agreement.
class PoolEditor {
 public:
  // A pool that was never used begins here.
  PoolEditor(Txn& state, const std::string& name, const IpPrefix& subnet);

  // The address becomes leased, whatever it was.
  void lease(const IpAddress& address, const std::string& owner);
  // As lease(), and the search for new addresses goes on behind it.
  void lease_new(const IpAddress& address, const std::string& owner);
  // The address rests. Of more than kMaxResting the one that rested longest is forgotten.
  void rest(const IpAddress& address);
  void quarantine(const IpAddress& address, int64_t until);
  // The address counts as never used.
  void forget(const IpAddress& address);

  // Bounds what a pool of millions keeps: behind the cursor, a forgotten address is far from its
  // turn anyway.
  static constexpr uint64_t kMaxResting = 65536;

 private:
  // Takes the address out of the queue and the counter of its state; false when it had no row.
  bool remove(const IpAddress& address);
  void put(const IpAddress& address, const AddressState& value, bool had_row);
  void save();

  Txn& state_;
  std::string key_;
  IpPrefix subnet_;
  PoolCounters counters_;
  int levels_;
};

}  // namespace railcni

#endif  // RAILCNI_IPAM_POOL_STATE_H_
