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

// Makes sure that no attachment but `key` has one of the devices: those whose Pod is gone are
// undone, wherever they are recorded. Throws Error{kTryAgainLater} for one that is in use.
void free_devices(Session& session, const std::vector<std::string>& devices,
                  const AttachmentKey& key);

// For an attachment that is recorded elsewhere than in the node's state; nothing to do for others,
// whose record's transaction claims (claim_device()). To be claimed before the record is written,
// and released after it is gone: a claim without its record is nobody's.
void claim_on_node(const StorePaths& paths, const std::vector<std::string>& devices,
                   const AttachmentKey& key);
void release_on_node(const StorePaths& paths, const std::vector<std::string>& devices,
                     const AttachmentKey& key);

// False when another attachment has one of the devices by now: what a record says of their state
// must not be restored then.
bool still_has_devices(Session& session, const Attachment& attachment);

}  // namespace railcni

#endif  // RAILCNI_SRC_VERBS_DEVICE_CLAIMS_H_
