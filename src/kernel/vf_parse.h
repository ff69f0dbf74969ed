// Reads the list of VFs in a link message of their PF (IFLA_VFINFO_LIST).
#ifndef RAILCNI_SRC_KERNEL_VF_PARSE_H_
#define RAILCNI_SRC_KERNEL_VF_PARSE_H_

#include <optional>

#include "railcni/vf.h"

namespace railcni {

// The state of VF `number`; nothing when the message, of which no length is trusted, has none.
std::optional<VfState> parse_vf(const nlmsghdr* header, int number);

}  // namespace railcni

#endif  // RAILCNI_SRC_KERNEL_VF_PARSE_H_
