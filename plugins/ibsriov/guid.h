// The GUID that a VF's port is given: whether it is one, and whether it is nobody else's.
#ifndef RAILCNI_PLUGINS_IBSRIOV_GUID_H_
#define RAILCNI_PLUGINS_IBSRIOV_GUID_H_

#include <cstdint>
#include <string>

#include "railcni/netlink.h"
#include "railcni/pci.h"

namespace railcni {

// What the kernel and the PF take for "none".
inline constexpr uint64_t kNoGuid = ~uint64_t{0};

// "02:00:00:00:00:00:00:2a" in host byte order. Throws Error{kInvalidConfig}, naming the key at
// `path`, for what is no GUID of one port: another form, zeros, ones, or a group's (the lowest bit
// of its first byte is set, as in a multicast MAC: EUI-64).
uint64_t parse_guid(const std::string& text, const std::string& path);

// Throws Error{kInvalidConfig} when an interface or an RDMA device of the host has that GUID, but
// for those of the function `device`. `links` are the host's. What Pods have the host does not see:
// that is for the claims (kGuidClaim).
void require_foreign_to_host(const std::vector<LinkInfo>& links, const Sysfs& sysfs,
                             const std::string& device, uint64_t guid);

}  // namespace railcni

#endif  // RAILCNI_PLUGINS_IBSRIOV_GUID_H_
