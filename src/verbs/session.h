// What the verbs have in common: the configuration's common part, the store and undoing.
#ifndef RAILCNI_SRC_VERBS_SESSION_H_
#define RAILCNI_SRC_VERBS_SESSION_H_

#include <memory>
#include <string>
#include <utility>

#include "railcni/attachment.h"
#include "railcni/backend.h"
#include "railcni/config.h"
#include "railcni/delegate.h"
#include "railcni/error.h"
#include "railcni/lock.h"
#include "railcni/netlink.h"
#include "railcni/netns.h"
#include "railcni/request.h"
#include "railcni/result.h"
#include "railcni/store.h"
#include "railcni/verbs.h"

namespace railcni {

// How long a verb waits for another railcni that works on the same attachment. An ADD is done in
// milliseconds, and its runtime is gone after minutes.
inline constexpr std::chrono::seconds kLockTimeout{60};

// The attachment that an ADD, DEL or CHECK is about: of role "ipam" where railcni is the IPAM of
// another plugin, request.chained_role where the configuration has no cniType.
AttachmentKey attachment_key(const Request& request);

// Where the state of a configuration is kept. Under the name host-local every network has a store
// of its own, as the original has a folder for each (two networks with the same subnet have nothing
// to do with each other): DATADIR/NETWORK, or networks/NETWORK in the default folder.
StorePaths store_paths(const Json& config);

// Where the node's own state is, whatever dataDir says: what guards the kernel's things, which a
// node has once, is there.
StorePaths node_paths();
// True when a state file of any boot is there: only the names of files are looked at.
bool has_state(const StorePaths& paths);

// One verb's hold on the state.
struct Session {
  StorePaths paths;
  std::unique_ptr<Store> state;
  RouteSocket host;
  NetnsCensus census;
  // How long a plugin that is the IPAM of what is undone may take.
  std::chrono::milliseconds delegate_timeout = DelegateCall().timeout;
};

// For STATUS: throws what an ADD would whose stores cannot be opened, written (the state) or read
// (the pools).
void try_state(const StorePaths& paths);
void try_pools(const StorePaths& paths);

// The state for a DEL or a GC; nothing when there is none. A folder that is not root's own has none
// of ours, since no ADD would use it: that is a warning, for what was refused at ADD must go.
std::unique_ptr<Store> open_own_state(const StorePaths& paths);

// What keep_until_exit() keeps.
std::shared_ptr<void>& kept();

// A new object that stays until the process ends, for what a verb has open and mapped: the kernel
// closes all of it at once with the process, which takes less than to close one after the other.
// An object that was kept before goes first: what it had open can be opened again.
template <typename Object, typename... Arguments>
Object& keep_until_exit(Arguments&&... arguments) {
  kept().reset();
  auto* const object = new Object{std::forward<Arguments>(arguments)...};
  kept().reset(object);
  return *object;
}

// The record of `key`, if there is one.
std::optional<Attachment> find_attachment(Store& state, const AttachmentKey& key);

// Throws Error{kCheckFailed} when a lease of the record is no longer the attachment's.
void check_leases(Store& state, const Attachment& attachment);

// The one road back, for DEL, GC, a failed ADD and what a killed one left: undoes the link, then,
// in one transaction, gives back leases and devices and removes the record. The caller holds the
// attachment's lock. Throws when the link could not be undone; the record then stays.
// `path_hint` is another path where the Pod's namespace may be (CNI_NETNS), or empty.
void undo(Session& session, const Attachment& attachment, const std::string& path_hint = "");

// Gives devices of the host the names that are owed to them (railcni/owed_names.h), as far as those
// are free by now. A device that an attachment has, or that another railcni is looking at, is left
// for later. Logs what fails.
void settle_names(Session& session);

// Undoes the attachments whose network namespace is gone (see reclaim_stale()).
ReclaimReport reclaim(Session& session, bool dry_run);
// reclaim() for an ADD that met `refusal`: whether it is worth to try again. Where nothing was
// undone, but some attachments might have been by somebody who sees more, throws `refusal` with
// these words.
bool reclaim_for(Session& session, const Error& refusal);

// ---- the verbs ----

// Each does what its name says for a checked request. ADD returns its result.
Result add(const Request& request);
void del(const Request& request);
void check(const Request& request);
void status(const Request& request);
void gc(const Request& request);

}  // namespace railcni

#endif  // RAILCNI_SRC_VERBS_SESSION_H_
