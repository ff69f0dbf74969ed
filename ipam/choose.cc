#include "ipam/choose.h"

#include <algorithm>

#include "ipam/free_addresses.h"
#include "ipam/pool_state.h"
#include "railcni/error.h"
#include "railcni/log.h"
#include "src/store/schema.h"

namespace railcni {
namespace {

// The first address from `from` to `to` that is in the pool's ranges and was never used. The search
// jumps over used addresses, the binary search over gaps between the ranges.
std::optional<IpAddress> next_new(const Txn& state, const Pool& pool, IpAddress from,
                                  const IpAddress& to) {
  while (from <= to) {
    auto range = std::lower_bound(pool.ranges.begin(), pool.ranges.end(), from,
                                  [](const AddressRange& candidate, const IpAddress& address) {
                                    return candidate.last < address;
                                  });
    if (range == pool.ranges.end() || range->first > to) return std::nullopt;
    const std::optional<IpAddress> unused =
        next_free_address(state, std::max(from, range->first), to);
    if (!unused || range->contains(*unused)) return unused;
    from = *unused;
  }
  return std::nullopt;
}

std::optional<IpAddress> choose_new(const Txn& state, const Pool& pool, U128 cursor_offset) {
  const IpAddress first = pool.ranges.front().first;
  const IpAddress last = pool.ranges.back().last;
  const IpAddress cursor =
      std::max(first, {pool.family(), pool.subnet.first().value + cursor_offset});
  std::optional<IpAddress> found = next_new(state, pool, cursor, last);
  if (found || cursor == first) return found;
  return next_new(state, pool, first, std::min({pool.family(), cursor.value - 1}, last));
}

// A pool's two queues, from the front.
class Queues {
 public:
  // `pool` is the one that an address is wanted for.
  Queues(const Txn& state, const Pool& pool, int64_t now) : state_(state), pool_(pool), now_(now) {}

  // The first resting address of the pool `id`, or the first whose quarantine is over, that is in
  // the ranges. `passed`, unless it is nullptr, gets those before it that are not.
  std::optional<IpAddress> resting(uint32_t id, std::vector<IpAddress>* passed) const;
  std::optional<IpAddress> expired(uint32_t id, std::vector<IpAddress>* passed) const;

 private:
  bool take(const std::optional<IpAddress>& address, std::optional<IpAddress>& found,
            std::vector<IpAddress>* passed) const {
    if (!address) return false;
    if (pool_.contains(*address)) {
      found = address;
    } else if (passed != nullptr) {
      passed->push_back(*address);
    }
    return !found;
  }

  const Txn& state_;
  const Pool& pool_;
  int64_t now_;
};

std::optional<IpAddress> Queues::resting(uint32_t id, std::vector<IpAddress>* passed) const {
  std::optional<IpAddress> found;
  state_.scan(schema::pool_rows(schema::kRestQueue, id), "",
              [&](std::string_view, std::string_view value) {
                return take(schema::address_at(value, 0), found, passed);
              });
  return found;
}

std::optional<IpAddress> Queues::expired(uint32_t id, std::vector<IpAddress>* passed) const {
  std::optional<IpAddress> found;
  state_.scan(schema::pool_rows(schema::kQuarantineQueue, id), "",
              [&](std::string_view key, std::string_view) {
                constexpr size_t kAddress = schema::kPoolRowsSize + sizeof(int64_t);
                if (key.size() < kAddress) return false;
                auto until =
                    static_cast<int64_t>(schema::number_at<uint64_t>(key, schema::kPoolRowsSize));
                return quarantine_is_over(until, now_) &&
                       take(schema::address_at(key, kAddress), found, passed);
              });
  return found;
}

// What `pool` can take from other pools over its addresses: the same pool before its subnet grew,
// or one of another name. Only asked when the pool has nothing else, and only those whose subnets
// overlap and that have something are walked.
std::optional<IpAddress> choose_foreign(const Txn& state, const Pool& pool, uint32_t own_id,
                                        const Queues& queues) {
  std::vector<PoolCounters> others;
  scan_pool_states(
      state, "", [&](const std::string&, const IpPrefix& subnet, const PoolCounters& counters) {
        const bool overlaps =
            subnet.contains(pool.subnet.first()) || pool.subnet.contains(subnet.first());
        if (counters.id != own_id && overlaps) others.push_back(counters);
        return true;
      });
  std::optional<IpAddress> found;
  for (const PoolCounters& other : others) {
    if (!found && other.resting > 0) found = queues.resting(other.id, nullptr);
  }
  for (const PoolCounters& other : others) {
    if (!found && other.quarantined > 0) found = queues.expired(other.id, nullptr);
  }
  return found;
}

// An address of the pool that was never used.
std::optional<IpAddress> choose_unused(const Txn& state, const Pool& pool,
                                       const PoolCounters& counters) {
  if (counters.none_new != 0 && counters.none_new == new_mark(state, pool.ranges)) {
    return std::nullopt;
  }
  return choose_new(state, pool, counters.cursor);
}

PoolCounters counters_of(const Txn& state, const Pool& pool) {
  return pool_counters(state, pool.name, pool.subnet).value_or(PoolCounters());
}

// A free address of `choice.pool`.
std::optional<IpAddress> choose_of_pool(const Txn& state, int64_t now, Choice& choice) {
  const Pool& pool = *choice.pool;
  const PoolCounters counters = counters_of(state, pool);
  choice.is_new = true;
  if (std::optional<IpAddress> found = choose_unused(state, pool, counters)) return found;
  choice.is_new = false;
  if (counters.id != 0) choice.none_new.push_back(&pool);
  const Queues queues(state, pool, now);
  std::optional<IpAddress> found;
  if (counters.resting > 0) found = queues.resting(counters.id, &choice.stale);
  if (!found && counters.quarantined > 0) found = queues.expired(counters.id, &choice.stale);
  if (!found) found = choose_foreign(state, pool, counters.id, queues);
  return found;
}

std::string pool_list(const std::vector<Pool>& pools) {
  std::string text;
  for (const Pool& pool : pools) {
    if (!text.empty()) text += "; ";
    text += "pool " + pool.name + ": ";
    size_t shown = 0;
    for (const AddressRange& range : pool.ranges) {
      if (shown == 5) {
        text += ", ...";
        break;
      }
      text += (shown++ > 0 ? ", " : "") + range.to_string();
    }
  }
  return text.empty() ? "there is no pool of its family" : text;
}

// Why no pool can ever give that address.
[[noreturn]] void throw_not_ours(const std::vector<Pool>& pools, const IpAddress& address) {
  std::string what = "the requested address " + address.to_string();
  for (const Pool& pool : pools) {
    if (pool.gateway == address) {
      throw Error(Code::kInvalidConfig, what + " is the gateway of pool " + pool.name);
    }
  }
  throw Error(Code::kInvalidConfig, what + " is in none of the pools (" + pool_list(pools) + ")");
}

}  // namespace

std::optional<Choice> choose_any(const Txn& state, const std::vector<Pool>& pools, bool as_one,
                                 int64_t now) {
  for (const Pool& pool : pools) {
    if (!as_one) break;
    if (const auto found = choose_unused(state, pool, counters_of(state, pool))) {
      return Choice{&pool, *found, true, {}, {}};
    }
  }
  Choice choice;
  for (const Pool& pool : pools) {
    choice.pool = &pool;
    choice.stale.clear();
    if (std::optional<IpAddress> found = choose_of_pool(state, now, choice)) {
      choice.address = *found;
      return choice;
    }
  }
  return std::nullopt;
}

Choice choose_requested(const Txn& state, const std::vector<Pool>& pools,
                        const PoolRequest::Requested& requested, int64_t now) {
  const std::string what = "the requested address " + requested.address.to_string();
  std::optional<Error> taken;
  std::optional<Error> wrong_length;
  for (const Pool& pool : pools) {
    if (!pool.contains(requested.address)) continue;
    if (requested.length && *requested.length != pool.subnet.length) {
      wrong_length =
          Error(Code::kInvalidConfig, what + "/" + std::to_string(*requested.length) +
                                          " has not the prefix length of the subnet " +
                                          pool.subnet.to_string() + " of pool " + pool.name);
      continue;
    }
    const std::optional<AddressState> used = address_state(state, requested.address);
    if (used && used->kind == AddressState::Kind::kLeased) {
      taken = Error(Code::kTryAgainLater,
                    what + " of pool " + pool.name + " is in use by another attachment");
      log_warning(what + " of pool " + pool.name + " is leased to " + used->owner);
    } else if (used && used->kind == AddressState::Kind::kQuarantined &&
               !quarantine_is_over(used->until, now)) {
      taken =
          Error(Code::kTryAgainLater,
                what + " of pool " + pool.name + " is quarantined for another " +
                    std::to_string(used->until - now) + " s: somebody else was found to use it");
    } else {
      return Choice{&pool, requested.address, false, {}, {}};
    }
  }
  if (taken) throw *taken;
  if (wrong_length) throw *wrong_length;
  throw_not_ours(pools, requested.address);
}

}  // namespace railcni
