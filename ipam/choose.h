// Which address of a pool is to be handed out next. Reads only: allocate() chooses for every
// family before it writes anything.
#ifndef RAILCNI_IPAM_CHOOSE_H_
#define RAILCNI_IPAM_CHOOSE_H_

#include <optional>
#include <vector>

#include "railcni/ipam.h"

namespace railcni {

struct Choice {
  const Pool* pool = nullptr;
  IpAddress address;
  bool is_new = false;  // never used, found by the cursor
  // Entries that the search met in the pool's queues and that the pool no longer has in its ranges:
  // to be forgotten, so that no other search meets them.
  std::vector<IpAddress> stale;
  // The pools tried so far, this one included, that have no new address.
  std::vector<const Pool*> none_new;
};

// A free address of the first of `pools` that has one; nothing when there is none. See allocate()
// for the order; `as_one` as in Candidates.
std::optional<Choice> choose_any(const Txn& state, const std::vector<Pool>& pools, bool as_one,
                                 int64_t now);

// That address, of the first of `pools` that has it free. Throws as allocate() says.
Choice choose_requested(const Txn& state, const std::vector<Pool>& pools,
                        const PoolRequest::Requested& requested, int64_t now);

}  // namespace railcni

#endif  // RAILCNI_IPAM_CHOOSE_H_
