// Looking for a link in other network namespaces than the host's and the Pod's: a Pod may make some
// of its own, and take its interface there.
#ifndef RAILCNI_NAMESPACES_H_
#define RAILCNI_NAMESPACES_H_

#include <functional>

#include "railcni/netlink.h"
#include "railcni/pod_side.h"

namespace railcni {

// Calls `visit` with a socket in each network namespace that a process is in or that is mounted,
// but for the caller's and the Pod's (nullptr: none), until it returns true.
void each_other_namespace(const PodSide* pod, const std::function<bool(RouteSocket&)>& visit);

}  // namespace railcni

#endif  // RAILCNI_NAMESPACES_H_
