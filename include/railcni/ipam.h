// The IPAM: which pools an attachment may use, and an address out of them. Pure logic over
// transactions of the store; what it needs to know of the kernel is passed in.
#ifndef RAILCNI_IPAM_H_
#define RAILCNI_IPAM_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "railcni/address.h"
#include "railcni/attachment.h"
#include "railcni/pool.h"
#include "railcni/store.h"

namespace railcni {

// ---- applied pools (the pools file) ----

void put_pool(Txn& pools, const Pool& pool);
std::optional<Pool> get_pool(const Txn& pools, const std::string& name);
bool erase_pool(Txn& pools, const std::string& name);
// In name order, until `visit` returns false.
void scan_pools(const Txn& pools, const std::function<bool(const Pool&)>& visit);

// ---- selection ----

// What a network configuration and its caller ask of the IPAM.
struct PoolRequest {
  // Names and globs, in the user's order. A glob has `*` (any run of characters), `?` (one) and
  // `[abc]`, `[a-z]`, `[^...]` classes, with `\` before a literal: Go's filepath.Match, which is
  // what Spiderpool's users write.
  std::vector<std::string> ipv4;
  std::vector<std::string> ipv6;
  // Pools of the configuration itself, in its order. They take part in selection by name and glob
  // beside the applied ones (an inline pool hides an applied one of the same name); when `ipv4` and
  // `ipv6` are both empty they are the candidates, all of them.
  std::vector<Pool> inline_pools;
  // Only pools whose subnet holds one of `master_addresses`.
  bool match_master_subnet = false;
  std::string master;  // the master's name, for messages
  std::vector<IpPrefix> master_addresses;
  // Requested addresses. A prefix length, if one was given, must be the pool's.
  struct Requested {
    IpAddress address;
    std::optional<uint8_t> length;
  };
  std::vector<Requested> requested;
  // What nodeName, namespaceName and multusName of the pools are compared with.
  std::string node;
  std::string pod_namespace;
  std::string network;
};

// Candidate pools of each family, in the order in which they are tried. A family nobody asked for
// is empty.
struct Candidates {
  std::vector<Pool> ipv4;
  std::vector<Pool> ipv6;
  // The pools of a family are one range in several parts: an address of any of them that was never
  // used comes before one of the first that was.
  bool as_one = false;

  bool empty() const { return ipv4.empty() && ipv6.empty(); }
};

// Chooses the candidates: names in the user's order, a glob's matches in name order, a pool that
// several entries name counts once, at its first place. Without names and inline pools the applied
// pools with `default: true` that are for this attachment are the candidates; when there are none
// of them either, nothing was asked for, and both families are empty.
//
// Disabled pools and pools for other nodes, namespaces or networks are passed
// over, whether a name or a glob brought them (one list of per-node pools serves all nodes); when a
// family that was asked for is left with none, that is an Error{kInvalidConfig} which says why: of
// each pool that the caller has named, and how many others there are. Whom they are for goes to the
// log. So are: a name with no pool, a glob that matches nothing, a pool of the other
// family, a malformed glob, and matchMasterSubnet when no subnet holds any of the master's
// addresses (the message has the pools with their subnets, the master and its addresses).
// `pools` may be nullptr: no pool was ever applied.
Candidates select_pools(const Txn* pools, const PoolRequest& request);

// Throws Error{kInvalidConfig} when an inline pool has an address in the subnet of an applied one:
// what that excludes, and whom it is for, would be passed by. The log names the applied one.
void refuse_shared_addresses(const Txn& pools, const std::vector<Pool>& inline_pools);

// True when an applied pool that is for this attachment has the address in its ranges. The one
// called `likely`, if there is one, is looked at before all others.
bool has_applied_pool(const Txn& pools, const PoolRequest& request, const IpAddress& address,
                      const std::string& likely);

// True when `glob` matches all of `name`. Throws Error{kInvalidConfig} when `glob` is malformed.
bool glob_match(std::string_view glob, std::string_view name);

// ---- allocation (the state file) ----
//
// In one state file an address is leased at most once, whatever pools name it. Pools that overlap
// share their addresses: each passes over what was leased from another.

// Leases one address of each family that has candidates (or each requested address instead, for
// the families in which addresses are requested) to `owner`. The first pool in order that has a
// free address serves. Addresses that were never used come first, in order; then those that were
// released, the one that has rested longest first: stale ARP, GID and connection caches are what
// breaks RDMA jobs. Last come those that another pool over the same addresses gave and has back.
//
// Throws Error{kTryAgainLater} when no candidate of a family has a free address: the message names
// every pool with its counts ("pool a: 200 of 200 in use"). Throws Error{kInvalidConfig} when a
// requested address is in no candidate's ranges or is a gateway, Error{kTryAgainLater} when it is
// leased (the log names the owner) or quarantined. Nothing is written when it throws.
// `now` is boot_seconds().
std::vector<Lease> allocate(Txn& state, const Candidates& candidates,
                            const std::vector<PoolRequest::Requested>& requested,
                            const AttachmentKey& owner, int64_t now);

// In seconds, a year. What ends later than that was not written by the clock of a boot, and is
// over.
constexpr int64_t kLongestQuarantine = 31'536'000;
constexpr bool quarantine_is_over(int64_t until, int64_t now) {
  return until <= now || until > now + kLongestQuarantine;
}

// Gives the leases back; those that are not `owner`'s are left alone.
void release(Txn& state, const std::vector<Lease>& leases, const AttachmentKey& owner);

// Gives an address back as one that a probe found in use by somebody else: it is not offered again
// before `until` (boot_seconds()), which is at most kLongestQuarantine ahead.
void quarantine(Txn& state, const Lease& lease, const AttachmentKey& owner, int64_t until);

// True when `lease` is `owner`'s.
bool holds_lease(const Txn& state, const Lease& lease, const AttachmentKey& owner);

// Who has the address; nothing when nobody has.
std::optional<AttachmentKey> lease_owner(const Txn& state, const IpAddress& address);

struct LeaseInfo {
  Lease lease;
  AttachmentKey owner;
};

// Leases of the pool of that name (of all pools when empty), ordered by pool, subnet, address.
void scan_leases(const Txn& state, const std::string& pool,
                 const std::function<bool(const LeaseInfo&)>& visit);

// What was leased from this pool, of this name and subnet, and came back; not what others have of
// its addresses.
struct PoolUsage {
  uint64_t leased = 0;
  uint64_t resting = 0;      // released, waiting to be reused last
  uint64_t quarantined = 0;  // expired ones not yet taken back included
};
PoolUsage pool_usage(const Txn& state, const Pool& pool);

// Leases that `now_allowed` (the pool as it shall be; nothing when it shall be deleted) would leave
// outside the pool of that name: all of another subnet and all outside the ranges.
std::vector<LeaseInfo> stranded_leases(const Txn& state, const std::string& name,
                                       const std::optional<Pool>& now_allowed);

// Compares every index of the state file with the records, and returns one line for each thing
// that does not agree: a lease without attachment or the other way round, an address that two
// attachments hold, a bitmap, counter or resting queue that differs from the leases. For tests and
// the `gc` command; empty when all is well.
std::vector<std::string> check_invariants(const Txn& state);

}  // namespace railcni

#endif  // RAILCNI_IPAM_H_
