// A VF on its way into a Pod and back: everything about it that is read before and restored after.
#ifndef RAILCNI_VF_DEVICE_H_
#define RAILCNI_VF_DEVICE_H_

#include <optional>
#include <string>

#include "railcni/json.h"
#include "railcni/netdev_state.h"
#include "railcni/netlink.h"
#include "railcni/pci.h"
#include "railcni/pod_side.h"
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
// driver or has no interface in the host, or another interface of the host stands on that.
VfDevice inspect_vf(RouteSocket& host, const Sysfs& sysfs, const std::string& address);

// Moves the VF's interface into the namespace, as `name` with `mtu`, in one message. Alternative
// names that the namespace has already are taken off it first. Returns the link as it is there.
// Throws Error{kKernel}.
LinkInfo lend_vf(RouteSocket& host, RouteSocket& pod, int pod_netns_fd, const VfDevice& vf,
                 const std::string& name, uint32_t mtu);

// The GUID of the port that an IPoIB link is on: the last eight bytes of its address, in host byte
// order.
uint64_t port_guid(const HwAddress& ipoib_address);

// Binds the VF's driver anew, by which a GUID that its PF was given takes effect, and reads its
// interface again into `vf.link`. Throws Error{kKernel} when none comes back within ten seconds.
void rebind_vf(RouteSocket& host, const Sysfs& sysfs, VfDevice& vf);

// Restores what VfDevice::to_json() recorded, and what the record has of an RDMA device under
// "rdma" (see plan_rdma()). The RDMA device comes first, since an IPoIB interface is made anew
// where its RDMA device goes, then the PF's side (some drivers refuse changes to the interface of a
// VF that is not trusted any more). The interface is looked for by its PCI address: in the Pod
// (nullptr: its namespace is gone, and the kernel brings the interface home by itself), then in the
// host. A VF that was removed, or removed and made again, has nothing to restore; that is logged.
// Throws Error{kIncomplete} when something is left to be done.
void return_vf(RouteSocket& host, const PodSide* pod, const Sysfs& sysfs, const Json& record);

}  // namespace railcni

#endif  // RAILCNI_VF_DEVICE_H_
