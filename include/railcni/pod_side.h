// The Pod's side of an attachment.
#ifndef RAILCNI_POD_SIDE_H_
#define RAILCNI_POD_SIDE_H_

#include "railcni/netlink.h"
#include "railcni/netns.h"

namespace railcni {

// A Pod's network namespace, and a socket in it.
struct PodSide {
  const Netns& netns;
  RouteSocket& route;
};

}  // namespace railcni

#endif  // RAILCNI_POD_SIDE_H_
