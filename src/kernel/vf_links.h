// Where a VF's and its PF's interfaces are.
#ifndef RAILCNI_SRC_KERNEL_VF_LINKS_H_
#define RAILCNI_SRC_KERNEL_VF_LINKS_H_

#include <optional>
#include <string>

#include "railcni/netlink.h"
#include "railcni/pci.h"

namespace railcni {

// The interface of a PF (a PCI address, or empty), on the port that `interface` of its VF is on.
std::optional<LinkInfo> physical_link(RouteSocket& host, const Sysfs& sysfs,
                                      const std::string& physical, const std::string& interface);

// The interface of a function, where the host has it.
std::optional<LinkInfo> host_link(RouteSocket& host, const Sysfs& sysfs, const std::string& device);

}  // namespace railcni

#endif  // RAILCNI_SRC_KERNEL_VF_LINKS_H_
