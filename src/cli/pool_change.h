// Changes to the applied pools that no lease may suffer from.
#ifndef RAILCNI_SRC_CLI_POOL_CHANGE_H_
#define RAILCNI_SRC_CLI_POOL_CHANGE_H_

#include <functional>
#include <optional>
#include <string>

#include "railcni/pool.h"
#include "railcni/store.h"

namespace railcni::cli {

// Runs `work` in a write transaction on the pools file, inside one on the state file: an ADD reads
// the pools inside its own transaction on the state, so none can lease an address between what
// `work` checks and what it commits, the very first ADD included: the state file is made when there
// is none, so `state` is never nullptr. Returns false (and does nothing) when `mode` is kExisting
// and there is no pools file.
bool change_pools(const StorePaths& paths, Store::Mode mode,
                  const std::function<void(const Txn* state, Txn& pools)>& work);

// Throws Error{kTryAgainLater} when the pool of that name, being `now_allowed` (nothing: deleted),
// would leave leases outside; the message has the first ones with their owners.
void refuse_stranded(const Txn* state, const std::string& name,
                     const std::optional<Pool>& now_allowed);

}  // namespace railcni::cli

#endif  // RAILCNI_SRC_CLI_POOL_CHANGE_H_
