// What a configuration and its caller ask of the IPAM, put together for it.
#ifndef RAILCNI_SRC_VERBS_POOL_REQUEST_H_
#define RAILCNI_SRC_VERBS_POOL_REQUEST_H_

#include "railcni/config.h"
#include "railcni/ipam.h"
#include "railcni/request.h"

namespace railcni {

// Of the master (matchMasterSubnet) nothing is known here: the backend's plan fills that in.
// Throws Error{kInvalidConfig} for an inline pool or a requested address that is malformed; logs
// what an inline pool's document should say better.
PoolRequest make_pool_request(const Request& request, const NetworkConfig& config);

}  // namespace railcni

#endif  // RAILCNI_SRC_VERBS_POOL_REQUEST_H_
