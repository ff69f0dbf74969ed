// A VF's interface on its way out of a Pod, whatever the Pod has done with it.
#ifndef RAILCNI_SRC_KERNEL_VF_FETCH_H_
#define RAILCNI_SRC_KERNEL_VF_FETCH_H_

#include <optional>
#include <string>

#include "railcni/netdev_state.h"
#include "railcni/netlink.h"
#include "railcni/pci.h"
#include "railcni/pod_side.h"

namespace railcni {

// The interface of the VF `device`, in the Pod (nullptr: its namespace is gone) or in the host.
// `index` is the one that it had in the Pod, where that is known.
std::optional<LinkInfo> find_vf_link(RouteSocket& host, const PodSide* pod, const Sysfs& sysfs,
                                     const std::string& device, std::optional<int> index);

// Moves the interface to the host, out of the Pod or of any other namespace that a process is in or
// that is mounted; from one that dies the kernel brings it, which is waited for. It has the
// original name then, or another one when that is taken. Nothing when it cannot be found or moved;
// the log has the kernel's reason.
std::optional<LinkInfo> fetch_vf_link(RouteSocket& host, const PodSide* pod, const Sysfs& sysfs,
                                      const std::string& device, std::optional<int> index,
                                      const NetdevState& original);

// Deletes what is stacked on the interface `vf` of the host (VLANs, macvlans, ipvlans, ...) in the
// Pod and in any other namespace as above, and IPoIB children that came home with it. They stay
// when their lower interface changes its namespace. False when some are left, or are more than can
// be deleted one by one.
bool remove_stacked(RouteSocket& host, const PodSide* pod, const LinkInfo& vf);

}  // namespace railcni

#endif  // RAILCNI_SRC_KERNEL_VF_FETCH_H_
