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

void choose_family(const Txn& state, Family family, const std::vector<Pool>& pools, bool as_one,
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
  std::optional<Choice> choice = choose_any(state, pools, as_one, now);
  if (!choice) throw_exhausted(state, family, pools);
  choices.push_back(std::move(*choice));
}

bool is_owners(const Txn& state, const Lease& lease, const AttachmentKey& owner) {
  const IpAddress& address = lease.address.address;
  const std::optional<AddressState> used = address_state(state, address);
  if (!used || used->kind != AddressState::Kind::kLeased || used->owner != owner.to_string()) {
    return false;
  }
  const auto counters = pool_counters(state, lease.pool, lease.address.network());
  return counters && counters->id == used->pool_id;
}

// The leases of one pool, which lie in its subnet, among those of others.
bool scan_pool_leases(const Txn& state, const std::string& name, const IpPrefix& subnet,
                      uint32_t id, const std::function<bool(const LeaseInfo&)>& visit) {
  bool go_on = true;
  state.scan(schema::table(schema::kLease), schema::lease_key(subnet.first()),
             [&](std::string_view key, std::string_view value) {
               const std::optional<IpAddress> address = schema::address_at(key, 1);
               if (!address) throw Error(Code::kStoreDamaged, "a lease's key is not an address");
               if (!subnet.contains(*address)) return false;
               const AddressState used = AddressState::unpack(value);
               if (used.kind != AddressState::Kind::kLeased || used.pool_id != id) return true;
               return go_on = visit(LeaseInfo{{name, {*address, subnet.length}},
                                              AttachmentKey::parse(used.owner)});
             });
  return go_on;
}

}  // namespace

std::vector<Lease> allocate(Txn& state, const Candidates& candidates,
                            const std::vector<PoolRequest::Requested>& requested,
                            const AttachmentKey& owner, int64_t now) {
  check_attachment_key(owner);
  std::vector<Choice> choices;
  choose_family(state, Family::kV4, candidates.ipv4, candidates.as_one, requested, now, choices);
  choose_family(state, Family::kV6, candidates.ipv6, candidates.as_one, requested, now, choices);

  std::vector<Lease> leases;
  for (const Choice& choice : choices) {
    PoolEditor editor(state, choice.pool->name, choice.pool->subnet);
    for (const IpAddress& address : choice.stale) editor.forget(address);
    if (choice.is_new) {
      editor.lease_new(choice.address, owner.to_string());
    } else {
      editor.lease(choice.address, owner.to_string());
    }
    for (const Pool* pool : choice.none_new) {
      PoolEditor(state, pool->name, pool->subnet).remember_none_new(pool->ranges);
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

std::optional<AttachmentKey> lease_owner(const Txn& state, const IpAddress& address) {
  const std::optional<AddressState> used = address_state(state, address);
  if (!used || used->kind != AddressState::Kind::kLeased) return std::nullopt;
  return AttachmentKey::parse(used->owner);
}

void scan_leases(const Txn& state, const std::string& pool,
                 const std::function<bool(const LeaseInfo&)>& visit) {
  scan_pool_states(
      state, pool,
      [&](const std::string& name, const IpPrefix& subnet, const PoolCounters& counters) {
        return counters.leased == 0 || scan_pool_leases(state, name, subnet, counters.id, visit);
      });
}

PoolUsage pool_usage(const Txn& state, const Pool& pool) {
  const auto counters = pool_counters(state, pool.name, pool.subnet);
  if (!counters) return {};
  return {counters->leased, counters->resting, counters->quarantined};
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
