// Whose an address must be for the host to send to it.
#ifndef RAILCNI_SRC_VERBS_HOST_ROUTE_OWNER_H_
#define RAILCNI_SRC_VERBS_HOST_ROUTE_OWNER_H_

#include "railcni/attachment.h"
#include "railcni/ipam.h"
#include "railcni/routing.h"
#include "railcni/store.h"

namespace railcni {

// What the node policy's hostRoutes say of a plan's host routes: by default each of them leads to
// an address of a pool that was applied (`pools`, which may be nullptr) and is for this attachment,
// and that no other container has. Throws Error{kInvalidConfig}, and Error{kTryAgainLater} for an
// address that another container has. Without host routes it looks at nothing.
void check_host_route_owner(const RoutingPlan& plan, const PoolRequest& request, const Txn& state,
                            Store* pools, const Attachment& attachment);

}  // namespace railcni

#endif  // RAILCNI_SRC_VERBS_HOST_ROUTE_OWNER_H_
