// The part of a plan that connects the Pod with its own host.
#ifndef RAILCNI_SRC_ROUTING_HOST_SIDE_H_
#define RAILCNI_SRC_ROUTING_HOST_SIDE_H_

#include "railcni/routing.h"

namespace railcni {

// Adds to `plan`: routes to the host's addresses and the hijacked subnets by the Pod's interface
// that leads to the host (in table main when this is the Pod's `first` interface, else in its own),
// and in the host the way back. `underlay`: that interface is veth0, made when missing; else it is
// the cluster's own (podDefaultCniNic). Throws Error{kInvalidConfig} when that is not there.
void plan_host_side(const RoutingInput& input, bool underlay, bool first, RoutingPlan& plan);

}  // namespace railcni

#endif  // RAILCNI_SRC_ROUTING_HOST_SIDE_H_
