#include "src/verbs/device_claims.h"

#include <string_view>

#include "railcni/backend.h"
#include "railcni/error.h"

namespace railcni {
namespace {

// A function is claimed by who moves its interface, its RDMA device by who follows that one in the
// chain: of one container.
std::string counterpart(const std::string& device) {
  if (device.starts_with(kGuidClaim)) return "";
  if (device.starts_with(kRdmaClaim)) return device.substr(kRdmaClaim.size());
  return std::string(kRdmaClaim) + device;
}

[[noreturn]] void refuse(const std::string& device, const AttachmentKey& owner) {
  const std::string who =
      "container " + owner.container_id + " (attachment " + owner.to_string() + ")";
  if (device.starts_with(kGuidClaim)) {
    throw Error(Code::kInvalidConfig, "GUID " + device.substr(kGuidClaim.size()) + " is that of " +
                                          who + ": a fabric has each but once");
  }
  throw Error(Code::kTryAgainLater, "device " + device + " is in use by " + who);
}

}  // namespace

void require_unclaimed(const Txn& txn, const std::vector<std::string>& devices,
                       const AttachmentKey& key) {
  for (const std::string& device : devices) {
    const auto owner = device_owner(txn, device);
    if (owner && *owner != key) refuse(device, *owner);
    const std::string other = counterpart(device);
    const auto other_owner = other.empty() ? std::nullopt : device_owner(txn, other);
    if (other_owner && other_owner->container_id != key.container_id) refuse(other, *other_owner);
  }
}

}  // namespace railcni
