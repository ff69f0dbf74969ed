// What the configurations of VFs have in common, whatever their fabric.
#ifndef RAILCNI_VF_CONFIG_H_
#define RAILCNI_VF_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>

#include "railcni/config.h"
#include "railcni/object_reader.h"

namespace railcni {

// `link_state` or `linkState`: auto, enable or disable, as IFLA_VF_LINK_STATE_*; nothing when it is
// absent or "". Throws Error{kInvalidConfig}.
std::optional<uint32_t> read_vf_link_state(ObjectReader& reader);

// The PCI address of the VF that was given to this Pod; empty when none was. Throws
// Error{kInvalidConfig} when it is not a PCI address.
std::string read_vf_device(const NetworkConfig& config);

// Throws Error{kInvalidConfig} that says what is missing when no VF was given. `resource` is the
// device plugin's resource, if the configuration names it.
void require_vf_device(const std::string& device, const std::string& resource);

}  // namespace railcni

#endif  // RAILCNI_VF_CONFIG_H_
