// What a configuration and its caller ask of the IPAM, put together for it.
#ifndef RAILCNI_SRC_VERBS_POOL_REQUEST_H_
#define RAILCNI_SRC_VERBS_POOL_REQUEST_H_

#include "railcni/config.h"
#include "railcni/ipam.h"
#include "railcni/request.h"
#include "railcni/store.h"

namespace railcni {

// Of the master (matchMasterSubnet) nothing is known here: the backend's plan fills that in.
// Throws Error{kInvalidConfig} for an inline pool or a requested address that is malformed, or that
// the node policy does not allow (inlinePools: none, maxAddressesPerFamily); logs what an inline
// pool's document should say better.
PoolRequest make_pool_request(const Request& request, const NetworkConfig& config);

// What the node policy says of inline pools beside those that were applied: throws what
// refuse_shared_addresses() throws. Of the pools of the node (in the default folder) when the store
// at `paths` is elsewhere: lease_addresses() looks at those of the store itself. The file is closed
// again, so this comes before the store is opened.
void check_node_pools(const PoolRequest& request, const StorePaths& paths);
// Both, for STATUS.
void check_inline_pools(const PoolRequest& request, const StorePaths& paths);

}  // namespace railcni

#endif  // RAILCNI_SRC_VERBS_POOL_REQUEST_H_
