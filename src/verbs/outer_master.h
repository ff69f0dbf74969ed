// matchMasterSubnet where railcni is the IPAM of another plugin: that plugin's master.
#ifndef RAILCNI_SRC_VERBS_OUTER_MASTER_H_
#define RAILCNI_SRC_VERBS_OUTER_MASTER_H_

#include <string>

#include "railcni/ipam.h"
#include "railcni/ipam_config.h"

namespace railcni {

// Fills in the master and its addresses, if matchMasterSubnet asks for them: of `master`, of the PF
// of the device, or of the default route's interface where a macvlan or ipvlan has neither. `netns`
// is the Pod's namespace (linkInContainer). Otherwise the kernel is not asked anything. Throws
// Error{kInvalidConfig} when there is no such master.
void find_outer_master(const OuterIpamConfig& config, const std::string& netns,
                       PoolRequest& request);

}  // namespace railcni

#endif  // RAILCNI_SRC_VERBS_OUTER_MASTER_H_
