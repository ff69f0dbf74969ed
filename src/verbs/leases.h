// The addresses of an attachment: leased, and turned into what the Pod gets by their pools.
#ifndef RAILCNI_SRC_VERBS_LEASES_H_
#define RAILCNI_SRC_VERBS_LEASES_H_

#include <vector>

#include "railcni/attachment.h"
#include "railcni/config.h"
#include "railcni/ipam.h"
#include "railcni/result.h"
#include "railcni/store.h"

namespace railcni {

struct Addressing {
  std::vector<Lease> leases;
  Candidates candidates;

  // The pool that a lease came from.
  const Pool& pool_of(const Lease& lease) const;
  // The leases as a result's addresses, of interface 0, with their pools' gateways.
  std::vector<ResultIp> ips() const;
  // The pools' gateways as default routes, and the pools' routes, each once.
  std::vector<ResultRoute> routes() const;
};

// Chooses pools and leases addresses, inside the record's transaction on the state file: applying
// pools takes the same write lock, so no pool can shrink between choice and lease. `pools` may be
// nullptr. Throws what select_pools() and allocate() throw, and Error{kInvalidConfig} when the
// configuration needs addresses and there is no pool at all.
Addressing lease_addresses(Txn& state, Store* pools, const PoolRequest& request,
                           const IpamConfig& config, const AttachmentKey& owner, int64_t now);

}  // namespace railcni

#endif  // RAILCNI_SRC_VERBS_LEASES_H_
