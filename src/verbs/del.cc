// DEL: undoes what is recorded of the attachment, and succeeds when that is nothing.
#include "railcni/error.h"
#include "railcni/log.h"
#include "src/verbs/session.h"

namespace railcni {

void del(const Request& request) {
  // Of the configuration only name and dataDir count: a DEL must work with a configuration that
  // has become wrong since the ADD, without a master, without prevResult and without a namespace.
  const CommonConfig common = read_common_config(request.config);
  Session session{StorePaths::from_data_dir(common.data_dir), nullptr, {}, {}};
  session.state = Store::open(Store::File::kState, session.paths, Store::Mode::kExisting);
  if (!session.state) return;
  const AttachmentKey key = attachment_key(request);
  check_attachment_key(key);
  // An ADD of the same attachment that is still under way is waited for: its runtime has given up
  // on it, and its work must not outlive this DEL.
  const NamedLock lock = NamedLock::acquire(session.paths, key.to_string(), kLockTimeout);
  const std::optional<Attachment> attachment = find_attachment(*session.state, key);
  if (!attachment) {
    log_info("nothing is recorded of this attachment");
    return;
  }
  undo(session, *attachment, request.netns);
}

}  // namespace railcni
