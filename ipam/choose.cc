#include "ipam/choose.h"

#include <algorithm>

#include "ipam/pool_state.h"
#include "railcni/error.h"
#include "src/store/schema.h"

namespace railcni {
namespace {

// The first address from `from` to `to` (as numbers) that is in the pool's ranges and was never
// used. The bitmap jumps over used addresses, the binary search over gaps between the ranges.
std::optional<IpAddress> next_new(const PoolView& view, const Pool& pool, U128 from, U128 to) {
  const U128 base = pool.subnet.first().value;
  while (from <= to) {
    auto range = std::lower_bound(
        pool.ranges.begin(), pool.ranges.end(), from,
        [](const AddressRange& candidate, U128 value) { return candidate.last.value < value; });
    if (range == pool.ranges.end() || range->first.value > to) return std::nullopt;
    from = std::max(from, range->first.value);
    std::optional<U128> unused = view.next_unused(from - base, to - base);
    if (!unused) return std::nullopt;
    IpAddress address{pool.family(), base + *unused};
    if (range->contains(address)) return address;
    from = address.value;
  }
  return std::nullopt;
}

std::optional<IpAddress> choose_new(const PoolView& view, const Pool& pool) {
  const U128 first = pool.ranges.front().first.value;
  const U128 last = pool.ranges.back().last.value;
  const U128 cursor = std::max(first, pool.subnet.first().value + view.counters().cursor);
  std::optional<IpAddress> found = next_new(view, pool, cursor, last);
  if (!found && cursor > first) found = next_new(view, pool, first, std::min(cursor - 1, last));
  return found;
}

// The front of a queue, without what is no longer in the ranges.
std::optional<IpAddress> choose_queued(
    const Txn& state, const Pool& pool, const std::string& prefix,
    const std::function<std::optional<U128>(std::string_view key, std::string_view value)>& parse,
    std::vector<IpAddress>& stale) {
  std::optional<IpAddress> found;
  state.scan(prefix, "", [&](std::string_view key, std::string_view value) {
    std::optional<U128> number = parse(key, value);
    if (!number) return false;
    IpAddress address{pool.family(), *number};
    if (pool.contains(address)) {
      found = address;
    } else {
      stale.push_back(address);
    }
    return !found;
  });
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

std::optional<Choice> choose_any(const Txn& state, const Pool& pool, int64_t now) {
  std::optional<PoolView> view = PoolView::find(state, pool.name, pool.subnet);
  if (!view) return Choice{&pool, pool.ranges.front().first, true, {}};
  if (std::optional<IpAddress> address = choose_new(*view, pool)) {
    return Choice{&pool, *address, true, {}};
  }

  Choice choice{&pool, {}, false, {}};
  const uint32_t id = view->counters().id;
  std::optional<IpAddress> address;
  if (view->counters().resting > 0) {
    address = choose_queued(
        state, pool, schema::pool_rows(schema::kRestQueue, id),
        [](std::string_view, std::string_view value) -> std::optional<U128> {
          if (value.size() != schema::kAddressSize) return std::nullopt;
          return schema::number_at<U128>(value, 0);
        },
        choice.stale);
  }
  if (!address && view->counters().quarantined > 0) {
    address = choose_queued(
        state, pool, schema::pool_rows(schema::kQuarantineQueue, id),
        [now](std::string_view key, std::string_view) -> std::optional<U128> {
          if (key.size() != schema::kQuarantineKeySize) return std::nullopt;
          auto until =
              static_cast<int64_t>(schema::number_at<uint64_t>(key, schema::kPoolRowsSize));
          if (until > now) return std::nullopt;
          return schema::number_at<U128>(key, schema::kPoolRowsSize + sizeof until);
        },
        choice.stale);
  }
  if (!address) return std::nullopt;
  choice.address = *address;
  return choice;
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
    std::optional<PoolView> view = PoolView::find(state, pool.name, pool.subnet);
    std::optional<AddressState> used = view ? view->address(requested.address) : std::nullopt;
    if (used && used->kind == AddressState::Kind::kLeased) {
      taken = Error(Code::kTryAgainLater,
                    what + " of pool " + pool.name + " is leased to " + used->owner);
    } else if (used && used->kind == AddressState::Kind::kQuarantined && used->until > now) {
      taken =
          Error(Code::kTryAgainLater,
                what + " of pool " + pool.name + " is quarantined for another " +
                    std::to_string(used->until - now) + " s: somebody else was found to use it");
    } else {
      return Choice{&pool, requested.address, false, {}};
    }
  }
  if (taken) throw *taken;
  if (wrong_length) throw *wrong_length;
  throw_not_ours(pools, requested.address);
}

}  // namespace railcni
