// The MAC that a Pod's interface is asked to have.
#ifndef RAILCNI_POD_MAC_H_
#define RAILCNI_POD_MAC_H_

#include <optional>
#include <string>

#include "railcni/address.h"
#include "railcni/config.h"
#include "railcni/request.h"

namespace railcni {

// Parses a unicast Ethernet address. `where` names it in the Error{kInvalidConfig} that is thrown
// for anything else.
HwAddress parse_pod_mac(const std::string& text, const std::string& where);

// What is asked for: runtimeConfig.mac before CNI_ARGS MAC before the block's own `mac`, as the
// reference plugins rank them; nothing when nobody asks. Throws Error{kInvalidConfig}.
std::optional<HwAddress> requested_mac(const NetworkConfig& config, const Request& request,
                                       const std::string& block_mac, const std::string& block_key);

}  // namespace railcni

#endif  // RAILCNI_POD_MAC_H_
