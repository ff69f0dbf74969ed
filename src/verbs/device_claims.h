// Whether an attachment may claim what its backend says that it has for itself.
#ifndef RAILCNI_SRC_VERBS_DEVICE_CLAIMS_H_
#define RAILCNI_SRC_VERBS_DEVICE_CLAIMS_H_

#include <string>
#include <vector>

#include "railcni/attachment.h"

namespace railcni {

// Throws when one of `devices` (Backend::devices()) is claimed by another attachment than `key`, or
// when another container has what goes with it: the function of an RDMA device, or the other way
// round. Error{kTryAgainLater}, but for a GUID, which is wrong while another one has it:
// Error{kInvalidConfig}.
void require_unclaimed(const Txn& txn, const std::vector<std::string>& devices,
                       const AttachmentKey& key);

}  // namespace railcni

#endif  // RAILCNI_SRC_VERBS_DEVICE_CLAIMS_H_
