#include "src/cli/pool_change.h"

#include <memory>
#include <vector>

#include "railcni/attachment.h"
#include "railcni/error.h"
#include "railcni/ipam.h"

namespace railcni::cli {
namespace {

constexpr size_t kNamedLeases = 5;

std::string describe(const Txn& state, const LeaseInfo& info) {
  std::string text = info.lease.address.address.to_string() + " of " + info.owner.to_string();
  const auto attachment = get_attachment(state, info.owner);
  if (attachment && !attachment->pod_name.empty()) {
    text += " (Pod " + attachment->pod_namespace + "/" + attachment->pod_name + ")";
  }
  return text;
}

}  // namespace

bool change_pools(const StorePaths& paths, Store::Mode mode,
                  const std::function<void(const Txn* state, Txn& pools)>& work) {
  const std::unique_ptr<Store> pools = Store::open(Store::File::kPools, paths, mode);
  if (!pools) return false;
  // Made when it is not there: its lock is what the very first ADD has to wait for.
  const std::unique_ptr<Store> state =
      Store::open(Store::File::kState, paths, Store::Mode::kCreate);
  // Always the state first, as ADD does it: two of these can wait for, but never block each other.
  state->write(
      [&](Txn& state_txn) { pools->write([&](Txn& pools_txn) { work(&state_txn, pools_txn); }); });
  return true;
}

void refuse_stranded(const Txn* state, const std::string& name,
                     const std::optional<Pool>& now_allowed) {
  if (state == nullptr) return;
  const std::vector<LeaseInfo> stranded = stranded_leases(*state, name, now_allowed);
  if (stranded.empty()) return;
  std::string msg = "pool " + name + (now_allowed ? ": cannot shrink" : ": cannot be deleted") +
                    " under " + std::to_string(stranded.size()) +
                    (stranded.size() == 1 ? " lease: " : " leases: ");
  for (size_t i = 0; i < stranded.size() && i < kNamedLeases; ++i) {
    msg += (i == 0 ? "" : ", ") + describe(*state, stranded[i]);
  }
  if (stranded.size() > kNamedLeases) {
    msg += " and " + std::to_string(stranded.size() - kNamedLeases) + " more";
  }
  msg += "; delete the Pods first ('railcni gc' frees the leases of those that are gone)";
  throw Error(Code::kTryAgainLater, msg);
}

}  // namespace railcni::cli
