// BPF programs on an interface. They stay where they are when it moves to another namespace.
#ifndef RAILCNI_SRC_KERNEL_LINK_PROGRAMS_H_
#define RAILCNI_SRC_KERNEL_LINK_PROGRAMS_H_

#include "railcni/netlink.h"

namespace railcni {

// Takes the XDP program off the link, unless it is `original` (the ID of one, 0: none). False when
// one that is not `original` stays, or when there are tcx programs: a BPF link may hold either.
bool remove_programs(RouteSocket& socket, const LinkInfo& link, uint32_t original);

}  // namespace railcni

#endif  // RAILCNI_SRC_KERNEL_LINK_PROGRAMS_H_
