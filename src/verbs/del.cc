// DEL: undoes what is recorded of the attachment, and succeeds when that is nothing.
#include "railcni/error.h"
#include "railcni/ipam_role.h"
#include "railcni/log.h"
#include "src/verbs/delegated_ipam.h"
#include "src/verbs/ipam_verbs.h"
#include "src/verbs/original_host_local.h"
#include "src/verbs/session.h"

namespace railcni {

namespace {

// Without the lock and the netlink socket that a link needs.
void del_ipam(const Request& request) {
  const AttachmentKey key = attachment_key(request);
  check_attachment_key(key);
  auto& state = keep_until_exit<std::unique_ptr<Store>>();
  state = open_own_state(store_paths(request.config));
  std::optional<Attachment> attachment;
  if (state) attachment = find_attachment(*state, key);
  if (attachment) return ipam_release(*state, *attachment);
  log_info("nothing is recorded of this attachment");
  if (ipam_role(request.config) != IpamRole::kHostLocal) return;
  OriginalHostLocal(request.config).remove_files_of(key.container_id, key.ifname);
}

}  // namespace

void del(const Request& request) {
  // Of the configuration only name and dataDir count: a DEL must work with a configuration that
  // has become wrong since the ADD, without a master, without prevResult and without a namespace.
  if (ipam_role(request.config) != IpamRole::kNone) return del_ipam(request);
  Session& session =
      keep_until_exit<Session>(store_paths(request.config), nullptr, RouteSocket(), NetnsCensus());
  session.state = open_own_state(session.paths);
  if (!session.state) return delegate_unrecorded_del(request);
  const AttachmentKey key = attachment_key(request);
  check_attachment_key(key);
  // An ADD of the same attachment that is still under way is waited for: its runtime has given up
  // on it, and its work must not outlive this DEL.
  const NamedLock lock = NamedLock::acquire(session.paths, key.to_string(), kLockTimeout);
  const std::optional<Attachment> attachment = find_attachment(*session.state, key);
  if (!attachment) {
    log_info("nothing is recorded of this attachment");
    return delegate_unrecorded_del(request);
  }
  undo(session, *attachment, request.netns);
}

}  // namespace railcni
