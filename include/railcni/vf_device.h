// A VF on its way into a Pod and back: everything about it that is read before and restored after.
#ifndef RAILCNI_VF_DEVICE_H_
#define RAILCNI_VF_DEVICE_H_

#include <optional>
#include <string>

#include "railcni/json.h"
#include "railcni/netdev_state.h"
#include "railcni/netlink.h"
#include "railcni/pci.h"
#include "railcni/vf.h"

namespace railcni {

struct VfDevice {
  PciFunction function;
  bool userspace = false;        // bound to a driver for user space (DPDK): it has no interface
  std::optional<LinkInfo> link;  // its interface in the host; nothing with `userspace`
  // Nothing when the PF is not visible, or has no interface that is.
  std::optional<LinkInfo> physical;
  std::optional<VfState> state;  // as the PF tells it

  VfHandle handle() const;  // `physical` must be there
  // For a record: all that return_vf() needs.
  Json to_json() const;
};

// Reads all of it. Throws Error{kInvalidConfig} when there is no such device, or it is a PF, has no
// driver or has no interface in the host.
VfDevice inspect_vf(RouteSocket& host, const Sysfs& sysfs, const std::string& address);

// Moves the VF's interface into the namespace, as `name` with `mtu`, in one message. Alternative
// names that the namespace has already are taken off it first. Returns the link as it is there.
// Throws Error{kKernel}.
LinkInfo lend_vf(RouteSocket& host, RouteSocket& pod, int pod_netns_fd, const VfDevice& vf,
                 const std::string& name, uint32_t mtu);

// Restores what VfDevice::to_json() recorded, the PF's side first (some drivers refuse changes to
// the interface of a VF that is not trusted any more). The interface is looked for by its PCI
// address: in the Pod's namespace (nullptr: it is gone, and the kernel brings the interface home by
// itself), then in the host. A VF that was removed, or removed and made again, has nothing to
// restore; that is logged. Throws Error{kIncomplete} when something is left to be done.
void return_vf(RouteSocket& host, RouteSocket* pod, const Sysfs& sysfs, const Json& record);

}  // namespace railcni

#endif  // RAILCNI_VF_DEVICE_H_
