// Which addresses the host never sends to a Pod, whoever has given them to it.
#ifndef RAILCNI_SRC_ROUTING_HOST_ROUTES_H_
#define RAILCNI_SRC_ROUTING_HOST_ROUTES_H_

#include "railcni/routing.h"

namespace railcni {

// Throws Error{kInvalidConfig} when a host route of the plan leads to an address that is not a
// host's of its own (loopback, link-local, multicast, ...), is the host's or one of its gateways',
// or lies in a service or Pod network: of clusterCIDRs of the node policy, or of serviceCIDR and
// overlayPodCIDR of the coordinator. Without host routes it looks at nothing.
void check_host_routes(const RoutingInput& input, const RoutingPlan& plan);

}  // namespace railcni

#endif  // RAILCNI_SRC_ROUTING_HOST_ROUTES_H_
