// Which attachment has a device. A device belongs to the node, while attachments may be recorded in
// different folders (dataDir): claims of those elsewhere stand in the node's own state as well.
#ifndef RAILCNI_SRC_VERBS_DEVICE_CLAIMS_H_
#define RAILCNI_SRC_VERBS_DEVICE_CLAIMS_H_

#include <string>
#include <vector>

#include "railcni/attachment.h"
#include "railcni/lock.h"
#include "src/verbs/session.h"

namespace railcni {

// The locks of the devices on this node, to be held from the first look at a device to its claim.
// Throws Error{kTryAgainLater} when somebody else has one for too long.
std::vector<NamedLock> lock_devices(const std::vector<std::string>& devices);

// Makes sure that no attachment but `key` has one of the devices (Backend::devices()), and that no
// other container has what goes with it, the function of an RDMA device or the other way round:
// those whose Pod is gone are undone, wherever they are recorded. Throws Error{kTryAgainLater} for
// one that is in use, but for a GUID, which is wrong while another one has it:
// Error{kInvalidConfig}.
void free_devices(Session& session, const std::vector<std::string>& devices,
                  const AttachmentKey& key);

// The claims of a record, in its transaction. Throws what free_devices() throws.
void claim_devices(Txn& txn, const std::vector<std::string>& devices, const AttachmentKey& key);

// For an attachment that is recorded elsewhere than in the node's state; nothing to do for others,
// for whom claim_devices() is enough. To be claimed before the record is written,
// and released after it is gone: a claim without its record is nobody's.
void claim_on_node(const StorePaths& paths, const std::vector<std::string>& devices,
                   const AttachmentKey& key);
void release_on_node(const StorePaths& paths, const std::vector<std::string>& devices,
                     const AttachmentKey& key);

// Whether no attachment has the device.
bool is_unclaimed(Session& session, const std::string& device);

// False when another attachment has one of the devices by now: what a record says of their state
// must not be restored then.
bool still_has_devices(Session& session, const Attachment& attachment);

}  // namespace railcni

#endif  // RAILCNI_SRC_VERBS_DEVICE_CLAIMS_H_
