#include "src/verbs/session.h"

#include <dirent.h>

#include "railcni/error.h"
#include "railcni/ipam.h"
#include "railcni/ipam_role.h"
#include "railcni/log.h"
#include "railcni/owed_names.h"
#include "railcni/routing.h"
#include "src/verbs/delegated_ipam.h"
#include "src/verbs/device_claims.h"
#include "src/verbs/ipam_verbs.h"
#include "src/verbs/shared_uplink.h"

namespace railcni {
namespace {

// The Pod's namespace of an attachment, if it still exists. The identity decides, not the path:
// another Pod's namespace may be at the path by now.
std::optional<Netns> find_pod(Session& session, const Attachment& attachment,
                              const std::string& path_hint) {
  if (auto netns = Netns::open_if_exists(path_hint); netns && netns->id() == attachment.netns) {
    return netns;
  }
  return session.census.find(attachment.netns, attachment.netns_path);
}

void undo_all_routing(Session& session, RouteSocket* pod, const Attachment& attachment) {
  const RoutingPlan plan = RoutingPlan::from_json(attachment.routing);
  NamedLock lock;
  if (shares_host_rule(plan)) {
    lock = NamedLock::acquire(node_paths(), host_rule_lock(plan.host_table), kLockTimeout);
  }
  // A link that we made goes with the detach.
  undo_routing(session.host, pod, plan, attachment.cni_type.empty() ? "" : attachment.key.ifname);
}

// From here on the attachment stands no more: an ADD of the same one, after a kill in the middle of
// what follows, must not return its result. Without that result the record is smaller, so that a
// full disk takes the change.
void unsettle(Store& state, const AttachmentKey& key) {
  state.write([&key](Txn& txn) {
    std::optional<Attachment> record = get_attachment(txn, key);
    if (!record || !record->settled) return;
    record->settled = false;
    record->result = nullptr;
    put_attachment(txn, *record);
  });
}

}  // namespace

std::shared_ptr<void>& kept() {
  static auto* const object = new std::shared_ptr<void>;  // no destructor runs at the exit
  return *object;
}

AttachmentKey attachment_key(const Request& request) {
  if (ipam_role(request.config) != IpamRole::kNone) {
    return {request.config.at("name").as_string(), request.container_id, request.ifname,
            kIpamAttachment};
  }
  const Json* type = request.config.find("cniType");
  const bool chained =
      type == nullptr || type->is_null() || (type->is_string() && type->as_string().empty());
  return {request.config.at("name").as_string(), request.container_id, request.ifname,
          chained ? request.chained_role : ""};
}

StorePaths node_paths() { return StorePaths::from_data_dir(""); }

StorePaths store_paths(const Json& config) {
  const CommonConfig common = read_common_config(config);
  StorePaths paths = StorePaths::from_data_dir(common.data_dir);
  if (ipam_role(config) != IpamRole::kHostLocal) return paths;
  return paths.of_network(common.data_dir, common.name);
}

bool has_state(const StorePaths& paths) {
  DIR* const folder = opendir(paths.state_dir.c_str());
  if (folder == nullptr) return false;
  bool found = false;
  while (const dirent* entry = readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (name.starts_with("state") && name.ends_with(".mdb")) found = true;
  }
  closedir(folder);
  return found;
}

void try_state(const StorePaths& paths) {
  Store::open(Store::File::kState, paths, Store::Mode::kCreate)->write([](Txn&) {});
}

std::unique_ptr<Store> open_own_state(const StorePaths& paths) {
  try {
    return Store::open(Store::File::kState, paths, Store::Mode::kExisting);
  } catch (const Error& error) {
    if (error.code() != Code::kInvalidConfig) throw;
    log_warning(error.msg());
    return nullptr;
  }
}

void try_pools(const StorePaths& paths) {
  const auto pools = Store::open(Store::File::kPools, paths, Store::Mode::kRead);
  if (pools) pools->read([](const Txn&) {});
}

std::optional<Attachment> find_attachment(Store& state, const AttachmentKey& key) {
  std::optional<Attachment> attachment;
  state.read([&](const Txn& txn) { attachment = get_attachment(txn, key); });
  return attachment;
}

void check_leases(Store& state, const Attachment& attachment) {
  state.read([&attachment](const Txn& txn) {
    for (const Lease& lease : attachment.leases) {
      if (holds_lease(txn, lease, attachment.key)) continue;
      throw Error(Code::kCheckFailed, "address " + lease.address.to_string() + " of pool " +
                                          lease.pool + " is no longer leased to this attachment");
    }
  });
}

namespace {

// undo(), whose errors need not name the store.
void undo_recorded(Session& session, const Attachment& attachment, const std::string& path_hint) {
  if (attachment.key.role == kIpamAttachment) return ipam_release(*session.state, attachment);
  const std::unique_ptr<Backend> backend = make_backend(attachment.cni_type);
  if (!backend) {
    throw Error(
        Code::kStoreDamaged,
        "attachment " + attachment.key.to_string() +
            " was made by a backend that this railcni does not have: " + attachment.cni_type);
  }
  if (attachment.settled) unsettle(*session.state, attachment.key);
  std::optional<RouteSocket> pod;
  const std::optional<Netns> netns = find_pod(session, attachment, path_hint);
  if (netns) {
    netns->run([&pod] { pod.emplace(); });
    pod->accept_torn_dumps();
  } else {
    log_info("the network namespace of " + attachment.key.to_string() + " is gone");
  }
  RouteSocket* const pod_socket = pod ? &*pod : nullptr;
  // What is left of one part must not keep the others; the first error is the one to report.
  std::optional<Error> failure;
  const auto go_on_past = [&failure](const std::function<void()>& part) {
    try {
      part();
    } catch (const Error& error) {
      if (failure) {
        log_error(error.msg());
      } else {
        failure = error;
      }
    }
  };
  go_on_past([&] { undo_all_routing(session, pod_socket, attachment); });
  // Before the link goes: a DHCP client tells its server by it.
  go_on_past([&] { delegate_del(session.paths, attachment, session.delegate_timeout); });
  std::optional<PodSide> side;
  if (netns) side.emplace(PodSide{*netns, *pod});
  // Held until the record is gone: while it is there, others may hand a bond or VLAN over to it.
  NamedLock link_lock;
  go_on_past([&] {
    if (!still_has_devices(session, attachment)) return;
    if (const Json* name = attachment.link.find("lock")) {
      link_lock = NamedLock::acquire(node_paths(), name->as_string(), kLockTimeout);
    }
    backend->detach(session.host, side ? &*side : nullptr, attachment);
    const bool in_pod = attachment.link.find("linkInContainer") != nullptr;
    if (pod_socket != nullptr || !in_pod) {
      release_uplink(*session.state, in_pod ? *pod_socket : session.host, attachment);
    }
  });
  if (failure) throw *failure;
  const std::vector<OwedName> missing = missing_names(Sysfs(), attachment.link);
  bool settle = false;
  session.state->write([&](Txn& txn) {
    for (const OwedName& name : missing) put_owed_name(txn, name);
    settle = !owed_names(txn).empty();
    release(txn, attachment.leases, attachment.key);
    for (const std::string& device : attachment.devices) {
      release_device(txn, device, attachment.key);
    }
    erase_attachment(txn, attachment.key);
  });
  release_on_node(session.paths, attachment.devices, attachment.key);
  if (settle) settle_names(session);
}

}  // namespace

void undo(Session& session, const Attachment& attachment, const std::string& path_hint) {
  name_store_in_errors(session.state->path(),
                       [&] { undo_recorded(session, attachment, path_hint); });
}

}  // namespace railcni
