// Socket filters (classic BPF) for frames from the Ethernet header on. They run in the kernel
// before a frame is queued, so that a flood of others' traffic neither wakes the prober nor pushes
// the one answer that counts out of the queue. Frames of another VLAN than the link's own never
// pass.
#ifndef RAILCNI_SRC_PROBE_FILTER_H_
#define RAILCNI_SRC_PROBE_FILTER_H_

#include <linux/filter.h>

#include <vector>

#include "railcni/address.h"

namespace railcni {

using Filter = std::vector<sock_filter>;

// Of the IPv4 addresses: ARP sent by one of them; with `probes` also probes (sender 0.0.0.0) for
// one. Of the IPv6 addresses: neighbour advertisements whose target is one of them; with `probes`
// also solicitations from :: for one.
Filter probe_filter(const std::vector<IpAddress>& addresses, bool probes);

}  // namespace railcni

#endif  // RAILCNI_SRC_PROBE_FILTER_H_
