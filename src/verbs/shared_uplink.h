// Bonds and VLANs that were made for one attachment, and others use as well.
#ifndef RAILCNI_SRC_VERBS_SHARED_UPLINK_H_
#define RAILCNI_SRC_VERBS_SHARED_UPLINK_H_

#include "railcni/attachment.h"
#include "railcni/netlink.h"
#include "railcni/store.h"

namespace railcni {

// What was made for the attachment (link["made"] of its record, see ensure_uplink()) is handed over
// to another one that uses it, which then has it in its record; what none uses is removed. `socket`
// is in the namespace that it is in. The caller holds the uplink's lock, and has undone the
// attachment's own link.
void release_uplink(Store& state, RouteSocket& socket, const Attachment& attachment);

// Takes over into `attachment`, which is about to be written, what has been handed over to its
// record in the meantime.
void keep_handed_over(const Txn& txn, Attachment& attachment);

}  // namespace railcni

#endif  // RAILCNI_SRC_VERBS_SHARED_UPLINK_H_
