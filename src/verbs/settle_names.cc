// What is owed to devices that came home while their names were taken.
#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/owed_names.h"
#include "src/verbs/device_claims.h"
#include "src/verbs/session.h"

namespace railcni {
namespace {

// True when the device has its name, and the debt is gone.
bool settle_one(Session& session, const OwedName& owed) try {
  // As an ADD does from its look at the device to its claim.
  const auto lock = NamedLock::try_acquire(node_paths(), "device/" + owed.device);
  if (!lock || !is_unclaimed(session, owed.device)) return false;
  if (!settle_name(session.host, Sysfs(), owed)) return false;
  session.state->write([&owed](Txn& txn) { erase_owed_name(txn, owed); });
  return true;
} catch (const Error& error) {
  log_warning("device " + owed.device + " cannot be called " + owed.name +
              " again yet: " + error.msg());
  return false;
}

}  // namespace

void settle_names(Session& session) {
  std::vector<OwedName> all;
  session.state->read([&all](const Txn& txn) { all = owed_names(txn); });
  // One that gets its name may leave the one that another waits for.
  for (bool again = true; again;) {
    again =
        std::erase_if(all, [&](const OwedName& owed) { return settle_one(session, owed); }) != 0;
  }
}

}  // namespace railcni
