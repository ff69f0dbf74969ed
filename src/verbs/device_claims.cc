#include "src/verbs/device_claims.h"

#include <algorithm>

#include "railcni/backend.h"
#include "railcni/error.h"
#include "railcni/log.h"

namespace railcni {
namespace {

bool is_nodes(const StorePaths& paths) { return paths.state_dir == node_paths().state_dir; }

struct Owner {
  StorePaths paths;
  AttachmentKey key;
};

bool is_recorded(const StorePaths& paths, const AttachmentKey& key, const std::string& device) {
  const auto state = Store::open(Store::File::kState, paths, Store::Mode::kExisting);
  if (!state) return false;
  const std::optional<Attachment> record = find_attachment(*state, key);
  return record && std::ranges::find(record->devices, device) != record->devices.end();
}

// The claim of an attachment that is recorded neither in `own` nor in the node's state.
std::optional<Owner> find_distant(Store& node, const StorePaths& own, const std::string& device) {
  std::optional<DistantOwner> claim;
  node.read([&](const Txn& txn) { claim = distant_owner(txn, device); });
  if (!claim || claim->state_dir == own.state_dir) return std::nullopt;
  const StorePaths paths = StorePaths::from_data_dir(claim->state_dir);
  if (is_recorded(paths, claim->key, device)) return Owner{paths, claim->key};
  // Of one that was killed before it wrote its record, or after that was gone.
  node.write([&](Txn& txn) { erase_distant_owner(txn, device, *claim); });
  return std::nullopt;
}

std::optional<Owner> find_recorded(Store& state, const StorePaths& paths,
                                   const std::string& device) {
  std::optional<AttachmentKey> key;
  state.read([&](const Txn& txn) { key = device_owner(txn, device); });
  if (!key) return std::nullopt;
  return Owner{paths, *key};
}

std::optional<Owner> find_owner(Session& session, const std::string& device) {
  // What the node's state says comes first: a record elsewhere may be one that nobody undid.
  if (is_nodes(session.paths)) {
    if (auto owner = find_distant(*session.state, session.paths, device)) return owner;
  } else if (const auto node =
                 Store::open(Store::File::kState, node_paths(), Store::Mode::kExisting)) {
    if (auto owner = find_recorded(*node, node_paths(), device)) return owner;
    if (auto owner = find_distant(*node, session.paths, device)) return owner;
  }
  return find_recorded(*session.state, session.paths, device);
}

bool is_other(const std::optional<Owner>& owner, const Session& session, const AttachmentKey& key) {
  return owner && !(owner->key == key && owner->paths.state_dir == session.paths.state_dir);
}

// A function is claimed by who moves its interface, its RDMA device by who follows that one in the
// chain: of one container.
std::string counterpart(const std::string& device) {
  if (device.starts_with(kGuidClaim)) return "";
  if (device.starts_with(kRdmaClaim)) return device.substr(kRdmaClaim.size());
  return std::string(kRdmaClaim) + device;
}

// Whose it is concerns the administrator, who has the log.
Error refusal_of(const std::string& device, const AttachmentKey& owner) {
  log_warning("device " + device + " is in use by container " + owner.container_id +
              " (attachment " + owner.to_string() + ")");
  const std::string who = "another container, which the log names";
  if (device.starts_with(kGuidClaim)) {
    return Error(Code::kInvalidConfig, "GUID " + device.substr(kGuidClaim.size()) + " is that of " +
                                           who + ": a fabric has each but once");
  }
  return Error(Code::kTryAgainLater, "device " + device + " is in use by " + who);
}

// The first claim that keeps `key` from one of the devices.
std::optional<std::pair<std::string, Owner>> find_hindrance(Session& session,
                                                            const std::vector<std::string>& devices,
                                                            const AttachmentKey& key) {
  for (const std::string& device : devices) {
    auto owner = find_owner(session, device);
    if (is_other(owner, session, key)) return std::pair(device, *owner);
    const std::string other = counterpart(device);
    if (!other.empty()) owner = find_owner(session, other);
    if (!other.empty() && owner && owner->key.container_id != key.container_id) {
      return std::pair(other, *owner);
    }
  }
  return std::nullopt;
}

// reclaim_for() in another folder. An undo there may look at what is recorded here, and a file is
// open once in a process.
bool reclaim_elsewhere(Session& session, const StorePaths& paths, const Error& refusal) {
  session.state.reset();
  bool may_be_free = false;
  {
    Session other{paths, nullptr, {}, {}};
    other.state = Store::open(Store::File::kState, paths, Store::Mode::kExisting);
    may_be_free = other.state && reclaim_for(other, refusal);
  }
  session.state = Store::open(Store::File::kState, session.paths, Store::Mode::kCreate);
  return may_be_free;
}

}  // namespace

std::vector<NamedLock> lock_devices(const std::vector<std::string>& devices) {
  std::vector<NamedLock> locks;
  for (const std::string& device : devices) {
    locks.push_back(NamedLock::acquire(node_paths(), "device/" + device, kLockTimeout));
  }
  return locks;
}

void free_devices(Session& session, const std::vector<std::string>& devices,
                  const AttachmentKey& key) {
  // A reclaim undoes all that is recorded in a folder, so that there are few rounds.
  while (const auto hindrance = find_hindrance(session, devices, key)) {
    const auto& [device, owner] = *hindrance;
    const Error refusal = refusal_of(device, owner.key);
    const bool is_own = owner.paths.state_dir == session.paths.state_dir;
    const bool may_be_free =
        is_own ? reclaim_for(session, refusal) : reclaim_elsewhere(session, owner.paths, refusal);
    const auto now = may_be_free ? find_owner(session, device) : owner;
    if (now && now->key == owner.key) throw refusal;
  }
}

void claim_devices(Txn& txn, const std::vector<std::string>& devices, const AttachmentKey& key) {
  for (const std::string& device : devices) {
    if (const auto owner = claim_device(txn, device, key)) throw refusal_of(device, *owner);
  }
}

void claim_on_node(const StorePaths& paths, const std::vector<std::string>& devices,
                   const AttachmentKey& key) {
  if (devices.empty() || is_nodes(paths)) return;
  const auto node = Store::open(Store::File::kState, node_paths(), Store::Mode::kCreate);
  node->write([&](Txn& txn) {
    for (const std::string& device : devices) {
      put_distant_owner(txn, device, {paths.state_dir, key});
    }
  });
}

void release_on_node(const StorePaths& paths, const std::vector<std::string>& devices,
                     const AttachmentKey& key) {
  if (devices.empty() || is_nodes(paths)) return;
  const auto node = Store::open(Store::File::kState, node_paths(), Store::Mode::kExisting);
  if (!node) return;
  node->write([&](Txn& txn) {
    for (const std::string& device : devices) {
      erase_distant_owner(txn, device, {paths.state_dir, key});
    }
  });
}

bool is_unclaimed(Session& session, const std::string& device) {
  return !find_owner(session, device).has_value();
}

bool still_has_devices(Session& session, const Attachment& attachment) {
  return std::ranges::none_of(attachment.devices, [&](const std::string& device) {
    const std::optional<Owner> owner = find_owner(session, device);
    if (!is_other(owner, session, attachment.key)) return false;
    log_warning("device " + device + " of attachment " + attachment.key.to_string() +
                " is by now that of " + owner->key.to_string() + ": it is left as it is");
    return true;
  });
}

}  // namespace railcni
