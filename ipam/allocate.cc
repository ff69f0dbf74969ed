#include <algorithm>

#include "ipam/choose.h"
#include "ipam/pool_state.h"
#include "railcni/error.h"
#include "railcni/ipam.h"
#include "src/store/schema.h"

namespace railcni {
namespace {

[[noreturn]] void throw_exhausted(const Txn& state, Family family, const std::vector<Pool>& pools) {
  std::string msg = "no free " + std::string(family_name(family)) + " address: ";
  for (const Pool& pool : pools) {
    if (&pool != &pools.front()) msg += "; ";
    // All of it is in use, or it would have served.
    std::string size = to_string(pool.size());
    msg += "pool " + pool.name + ": " + size + " of " + size + " in use";
    U128 quarantined = std::min<U128>(pool_usage(state, pool).quarantined, pool.size());
    if (quarantined > 0) msg += " (" + to_string(quarantined) + " quarantined)";
  }
  throw Error(Code::kTryAgainLater, msg);
}

void choose_family(const Txn& state, Family family, const std::vector<Pool>& pools,
                   const std::vector<PoolRequest::Requested>& requested, int64_t now,
                   std::vector<Choice>& choices) {
  const size_t before = choices.size();
  for (const PoolRequest::Requested& wanted : requested) {
    if (wanted.address.family != family) continue;
    // The three places where addresses are requested may all name the same one.
    bool twice = std::any_of(choices.begin(), choices.end(), [&wanted](const Choice& choice) {
      return choice.address == wanted.address;
    });
    if (!twice) choices.push_back(choose_requested(state, pools, wanted, now));
  }
  if (choices.size() > before || pools.empty()) return;
  for (const Pool& pool : pools) {
    if (std::optional<Choice> choice = choose_any(state, pool, now)) {
      choices.push_back(std::move(*choice));
      return;
    }
  }
  throw_exhausted(state, family, pools);
}

bool is_owners(const Txn& state, const Lease& lease, const AttachmentKey& owner) {
  std::optional<PoolView> view = PoolView::find(state, lease.pool, lease.address.network());
  if (!view) return false;
  std::optional<AddressState> used = view->address(lease.address.address);
  return used && used->kind == AddressState::Kind::kLeased && used->owner == owner.to_string();
}

}  // namespace

std::vector<Lease> allocate(Txn& state, const Candidates& candidates,
                            const std::vector<PoolRequest::Requested>& requested,
                            const AttachmentKey& owner, int64_t now) {
  check_attachment_key(owner);
  std::vector<Choice> choices;
  choose_family(state, Family::kV4, candidates.ipv4, requested, now, choices);
  choose_family(state, Family::kV6, candidates.ipv6, requested, now, choices);

  std::vector<Lease> leases;
  for (const Choice& choice : choices) {
    PoolEditor editor(state, choice.pool->name, choice.pool->subnet);
    for (const IpAddress& address : choice.stale) editor.forget(address);
    if (choice.is_new) {
      editor.lease_new(choice.address, owner.to_string());
    } else {
      editor.lease(choice.address, owner.to_string());
    }
    leases.push_back({choice.pool->name, {choice.address, choice.pool->subnet.length}});
  }
  return leases;
}

void release(Txn& state, const std::vector<Lease>& leases, const AttachmentKey& owner) {
  for (const Lease& lease : leases) {
    if (!is_owners(state, lease, owner)) continue;
    PoolEditor(state, lease.pool, lease.address.network()).rest(lease.address.address);
  }
}

void quarantine(Txn& state, const Lease& lease, const AttachmentKey& owner, int64_t until) {
  if (!is_owners(state, lease, owner)) return;
  PoolEditor(state, lease.pool, lease.address.network()).quarantine(lease.address.address, until);
}

bool holds_lease(const Txn& state, const Lease& lease, const AttachmentKey& owner) {
  return is_owners(state, lease, owner);
}

void scan_leases(const Txn& state, const std::string& pool,
                 const std::function<bool(const LeaseInfo&)>& visit) {
  scan_pool_states(
      state, pool,
      [&](const std::string& name, const IpPrefix& subnet, const PoolCounters& counters) {
        bool go_on = true;
        state.scan(schema::pool_rows(schema::kLease, counters.id), "",
                   [&](std::string_view key, std::string_view value) {
                     AddressState used = AddressState::unpack(value);
                     if (used.kind != AddressState::Kind::kLeased) return true;
                     if (key.size() != schema::kLeaseKeySize) {
                       throw Error(Code::kStoreDamaged, "a lease's key has the wrong size");
                     }
                     IpAddress address{subnet.family(),
                                       schema::number_at<U128>(key, schema::kPoolRowsSize)};
                     return go_on = visit(LeaseInfo{{name, {address, subnet.length}},
                                                    AttachmentKey::parse(used.owner)});
                   });
        return go_on;
      });
}

PoolUsage pool_usage(const Txn& state, const Pool& pool) {
  std::optional<PoolView> view = PoolView::find(state, pool.name, pool.subnet);
  if (!view) return {};
  return {view->counters().leased, view->counters().resting, view->counters().quarantined};
}

std::vector<LeaseInfo> stranded_leases(const Txn& state, const std::string& name,
                                       const std::optional<Pool>& now_allowed) {
  std::vector<LeaseInfo> stranded;
  scan_leases(state, name, [&](const LeaseInfo& info) {
    bool stays = now_allowed && now_allowed->subnet == info.lease.address.network() &&
                 now_allowed->contains(info.lease.address.address);
    if (!stays) stranded.push_back(info);
    return true;
  });
  return stranded;
}

}  // namespace railcni
