// ADD, CHECK and STATUS where railcni is the IPAM of another plugin: leases with a record, and no
// link. DEL and GC are the same as elsewhere.
#ifndef RAILCNI_SRC_VERBS_IPAM_VERBS_H_
#define RAILCNI_SRC_VERBS_IPAM_VERBS_H_

#include "railcni/attachment.h"
#include "railcni/request.h"
#include "railcni/result.h"
#include "railcni/store.h"

namespace railcni {

// Returns addresses without an interface, routes and DNS settings. Leases and record are one
// transaction, so a killed ADD has either done nothing or all of it.
Result ipam_add(const Request& request);
void ipam_check(const Request& request);
void ipam_status(const Request& request);

// Gives the addresses of the attachment back and removes its record, unless the attachment was made
// anew since `attachment` was read. Needs no lock.
void ipam_release(Store& state, const Attachment& attachment);

}  // namespace railcni

#endif  // RAILCNI_SRC_VERBS_IPAM_VERBS_H_
