// An RDMA device on its way into a Pod and back. It can change namespaces in the RDMA subsystem's
// exclusive mode only (rdma-system(8)); in the shared one every namespace sees all devices.
#ifndef RAILCNI_RDMA_DEVICE_H_
#define RAILCNI_RDMA_DEVICE_H_

#include <optional>
#include <string>

#include "railcni/json.h"
#include "railcni/netlink.h"
#include "railcni/netns.h"
#include "railcni/object_reader.h"
#include "railcni/pci.h"
#include "railcni/rdma.h"

namespace railcni {

// Moving a device takes it from all its users and gives it back to them: its uverbs number, and the
// name of its IPoIB interface, are then the lowest ones that are free. So that two devices do not
// swap theirs, this lock is held (LinkPlan::lock) while one is moved, or its driver bound anew.
inline constexpr const char* kRdmaLock = "rdma";

// What a configuration asks for.
struct RdmaConfig {
  bool isolation = false;
  std::string pod_name;  // rdmaDeviceName: what it is called in the Pod; empty: as in the host
};

// Reads rdmaIsolation (enableRdma in older configurations) and rdmaDeviceName. Throws
// Error{kInvalidConfig}.
RdmaConfig read_rdma_config(ObjectReader& reader, bool isolation_by_default);
// Throws Error{kInvalidConfig}, naming the key at `path`, for what the kernel would not take for a
// device's name, and for a name of a device that is not moved.
void check_rdma_config(const RdmaConfig& config, const std::string& path);

// The one RDMA device on the PCI function or auxiliary device `device`, or else the one whose port
// is `interface`, of the host (soft RoCE has no function). Either may be missing. Nothing when
// there is none in the caller's namespace. Throws Error{kInvalidConfig} when there are several.
std::optional<RdmaDevice> find_rdma_device(RdmaSocket& host, const Sysfs& sysfs,
                                           const std::string& device, const LinkInfo* interface);

// Throws Error{kInvalidConfig} that says how to switch when devices are shared.
void require_exclusive_mode(RdmaSocket& host);

// For a record, before anything is moved: all that return_rdma() needs. Throws
// Error{kInvalidConfig} when there is no device to move, or the mode is not exclusive.
Json plan_rdma(const Sysfs& sysfs, const std::string& device, const LinkInfo* interface,
               const RdmaConfig& config);

// Moves the recorded device into the namespace, and renames it there if it is to have another name.
// Throws Error{kKernel}.
void lend_rdma(const Sysfs& sysfs, const Netns& pod, const Json& record);

// Brings the recorded device back from wherever it is, under its old name, or parked while that is
// another one's (railcni/owed_names.h). `pod` is nullptr when
// the Pod's namespace is gone: the kernel then brings the device home by itself. A device that no
// longer exists is logged, and a success. Throws Error{kIncomplete} when it could not be brought
// back.
void return_rdma(const Sysfs& sysfs, const Netns* pod, const Json& record);

// Throws Error{kCheckFailed} when the recorded device is not in the Pod's namespace.
void check_rdma(const Netns& pod, const Json& record);

// Says in the log whether the Pod can use a device that stays where it is.
void report_unmoved_rdma(const Sysfs& sysfs, const Netns& pod, const std::string& device,
                         const LinkInfo& interface);

}  // namespace railcni

#endif  // RAILCNI_RDMA_DEVICE_H_
