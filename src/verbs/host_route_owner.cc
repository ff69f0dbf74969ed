#include "src/verbs/host_route_owner.h"

#include "railcni/error.h"
#include "railcni/policy.h"

namespace railcni {
namespace {

using HostRoutes = NodePolicy::HostRoutes;

[[noreturn]] void refuse(const IpAddress& address, const std::string& why) {
  throw Error(Code::kInvalidConfig, "coordinator: the host would send what is for " +
                                        address.to_string() + " to the Pod: " + why +
                                        " (hostRoutes of the node policy)");
}

// The name of the pool that it was leased from; "" when it was not leased here.
std::string pool_of(const Attachment& attachment, const IpAddress& address) {
  for (const Lease& lease : attachment.leases) {
    if (lease.address.address == address) return lease.pool;
  }
  return "";
}

}  // namespace

void check_host_route_owner(const RoutingPlan& plan, const PoolRequest& request, const Txn& state,
                            Store* pools, const Attachment& attachment) {
  const HostRoutes allowed = node_policy().host_routes;
  for (const NamedRoute& named : plan.host_routes) {
    const IpAddress& address = named.route.destination.address;
    if (allowed == HostRoutes::kNone) {
      refuse(address, "this node gives no host routes; set coordinator.mode to sbr or disable");
    }
    const std::optional<AttachmentKey> owner = lease_owner(state, address);
    if (owner && owner->container_id != attachment.key.container_id) {
      throw Error(Code::kTryAgainLater,
                  "coordinator: " + address.to_string() + " is in use by another container");
    }
    if (allowed == HostRoutes::kAny) continue;
    bool is_pooled = false;
    if (pools != nullptr) {
      pools->read([&](const Txn& txn) {
        is_pooled = has_applied_pool(txn, request, address, pool_of(attachment, address));
      });
    }
    if (!is_pooled) {
      refuse(address,
             "no applied pool that is for this attachment has the address; apply one "
             "(railcni apply -f FILE)");
    }
  }
}

}  // namespace railcni
