#include "src/verbs/ipam_verbs.h"

#include <algorithm>
#include <ctime>

#include "railcni/clock.h"
#include "railcni/error.h"
#include "railcni/ipam.h"
#include "railcni/ipam_config.h"
#include "railcni/log.h"
#include "src/verbs/leases.h"
#include "src/verbs/original_host_local.h"
#include "src/verbs/outer_master.h"
#include "src/verbs/pool_request.h"
#include "src/verbs/session.h"

namespace railcni {
namespace {

// How long an address is not looked at again that the original host-local gave away, in seconds.
constexpr int64_t kReservedPause = 600;

// Not all who call an IPAM have a namespace for it. Without an identity the attachment counts as
// alive until its DEL.
NetnsId identity_of(const std::string& path) {
  if (const std::optional<Netns> netns = Netns::open_if_exists(path)) return netns->id();
  log_info("CNI_NETNS \"" + path + "\" is not a network namespace");
  return {};
}

class IpamAdd {
 public:
  explicit IpamAdd(const Request& request)
      : request_(request),
        config_(read_ipam_config(request)),
        paths_(store_paths(request.config)),
        key_(attachment_key(request)),
        netns_(identity_of(request.netns)) {
    check_attachment_key(key_);
    if (config_.role == IpamRole::kHostLocal) {
      read_requests();
    } else {
      pool_request_ = make_pool_request(request, config_.network);
      check_node_pools(pool_request_, paths_);
      find_outer_master(config_, request.netns, pool_request_);
    }
  }

  Result run();

 private:
  // An address that host-local was asked for; its prefix length is the range's in any case.
  void read_requests();
  void lease();
  void lease(Txn& txn);
  Result lease_of_pools(Txn& txn, Attachment& attachment);
  Result lease_of_sets(Txn& txn, Attachment& attachment) const;
  std::vector<Lease> allocate_unreserved(Txn& txn, const Candidates& candidates,
                                         const std::vector<PoolRequest::Requested>& requested,
                                         int64_t now) const;

  const Request& request_;
  const OuterIpamConfig config_;
  const StorePaths paths_;
  const AttachmentKey key_;
  const NetnsId netns_;
  PoolRequest pool_request_;
  std::vector<IpAddress> requests_;
  std::unique_ptr<Store> state_;
  std::unique_ptr<Store> pools_;
  Result result_;
};

void IpamAdd::read_requests() {
  for (const std::string& text : config_.network.requested_ips) {
    const auto prefix = IpPrefix::parse(text);
    const IpAddress address =
        prefix ? prefix->address : IpAddress::parse_or_throw(text, "requested address");
    if (std::find(requests_.begin(), requests_.end(), address) == requests_.end()) {
      requests_.push_back(address);
    }
  }
  for (const IpAddress& address : requests_) {
    const auto has_it = [&address](const RangeSet& set) { return set.contains(address); };
    if (std::any_of(config_.range_sets.begin(), config_.range_sets.end(), has_it)) continue;
    throw Error(Code::kInvalidConfig, "failed to allocate all requested IPs: " +
                                          address.to_string() + " is in none of the range sets");
  }
}

Result IpamAdd::run() {
  const bool is_new = config_.role == IpamRole::kHostLocal && !has_state(paths_);
  if (is_new) remove_unused_siblings(paths_);
  state_ = Store::open(Store::File::kState, paths_, Store::Mode::kCreate);
  if (config_.role != IpamRole::kHostLocal) {
    pools_ = Store::open(Store::File::kPools, paths_, Store::Mode::kRead);
  }
  try {
    lease();
  } catch (const Error& error) {
    // Full pools may be held by Pods that are long gone.
    if (error.code() != Code::kTryAgainLater) throw;
    Session session{paths_, std::move(state_), {}, {}};
    const bool again = reclaim_for(session, error);
    state_ = std::move(session.state);
    if (!again) throw;
    lease();
  }
  return result_;
}

void IpamAdd::lease() {
  state_->write([this](Txn& txn) { lease(txn); });
}

void IpamAdd::lease(Txn& txn) {
  if (const std::optional<Attachment> earlier = get_attachment(txn, key_)) {
    if (earlier->netns == netns_) {
      log_info("this attachment has its addresses already: they are returned again");
      result_ = Result::from_json(earlier->result, "the recorded result");
      return;
    }
    release(txn, earlier->leases, key_);
    erase_attachment(txn, key_);
  }
  Attachment attachment;
  attachment.key = key_;
  attachment.settled = true;
  attachment.netns_path = request_.netns;
  attachment.netns = netns_;
  attachment.pod_namespace = request_.arg("K8S_POD_NAMESPACE");
  attachment.pod_name = request_.arg("K8S_POD_NAME");
  attachment.created = time(nullptr);
  result_ = config_.role == IpamRole::kHostLocal ? lease_of_sets(txn, attachment)
                                                 : lease_of_pools(txn, attachment);
  attachment.result = result_.to_json(supported_versions().back());
  put_attachment(txn, attachment);
}

Result IpamAdd::lease_of_pools(Txn& txn, Attachment& attachment) {
  const Addressing addressing =
      lease_addresses(txn, pools_.get(), pool_request_, config_.network.ipam, key_, boot_seconds());
  attachment.leases = addressing.leases;
  Result result;
  result.ips = addressing.ips();
  for (ResultIp& ip : result.ips) ip.interface.reset();
  result.routes = addressing.routes();
  if (!config_.default_routes) {
    std::erase_if(result.routes, [](const ResultRoute& route) { return route.dst.length == 0; });
  }
  return result;
}

// An address that a Pod has from the original host-local is put aside for a while; the next one is
// tried then.
std::vector<Lease> IpamAdd::allocate_unreserved(
    Txn& txn, const Candidates& candidates, const std::vector<PoolRequest::Requested>& requested,
    int64_t now) const {
  const OriginalHostLocal original(request_.config);
  for (;;) {
    std::vector<Lease> leases = allocate(txn, candidates, requested, key_, now);
    const Lease& lease = leases.front();
    if (!original.reserves(lease.address.address)) return leases;
    const std::string what =
        "address " + lease.address.address.to_string() + " is in use by a Pod of the original";
    if (!requested.empty()) throw Error(Code::kTryAgainLater, "the requested " + what);
    log_info(what);
    quarantine(txn, lease, key_, now + kReservedPause);
  }
}

Result IpamAdd::lease_of_sets(Txn& txn, Attachment& attachment) const {
  Result result;
  result.dns = config_.dns;
  result.routes = config_.routes;
  std::vector<IpAddress> open = requests_;
  for (size_t index = 0; index < config_.range_sets.size(); ++index) {
    const RangeSet& set = config_.range_sets[index];
    Addressing addressing;
    (set.family() == Family::kV4 ? addressing.candidates.ipv4 : addressing.candidates.ipv6) =
        set.pools();
    addressing.candidates.as_one = true;
    // One address of each set, so one request for each.
    std::vector<PoolRequest::Requested> requested;
    const auto wanted = std::find_if(open.begin(), open.end(), [&set](const IpAddress& address) {
      return set.contains(address);
    });
    if (wanted != open.end()) {
      requested.push_back({*wanted, std::nullopt});
      open.erase(wanted);
    }
    try {
      if (addressing.candidates.empty()) {
        throw Error(Code::kTryAgainLater, "no address but the gateway is in " + set.to_string());
      }
      addressing.leases =
          allocate_unreserved(txn, addressing.candidates, requested, boot_seconds());
    } catch (const Error& error) {
      throw error.with_context("failed to allocate for range set " + std::to_string(index));
    }
    for (ResultIp& ip : addressing.ips()) {
      ip.interface.reset();
      result.ips.push_back(ip);
    }
    for (Lease& lease : addressing.leases) attachment.leases.push_back(std::move(lease));
  }
  if (!open.empty()) {
    throw Error(Code::kInvalidConfig,
                "failed to allocate all requested IPs: " + open.front().to_string() +
                    " is the second one of its range set, which gives one");
  }
  return result;
}

}  // namespace

Result ipam_add(const Request& request) { return keep_until_exit<IpamAdd>(request).run(); }

void ipam_check(const Request& request) {
  read_ipam_config(request);
  const AttachmentKey key = attachment_key(request);
  const auto state =
      Store::open(Store::File::kState, store_paths(request.config), Store::Mode::kExisting);
  std::optional<Attachment> attachment;
  if (state) attachment = find_attachment(*state, key);
  if (!attachment) {
    // A Pod of the time before railcni.
    if (ipam_role(request.config) == IpamRole::kHostLocal &&
        OriginalHostLocal(request.config).has_files_of(key.container_id, key.ifname)) {
      return;
    }
    throw Error(Code::kCheckFailed, "no address is recorded of attachment " + key.to_string());
  }
  const auto netns = Netns::open_if_exists(request.netns);
  if (netns && attachment->netns != NetnsId() && attachment->netns != netns->id()) {
    throw Error(Code::kCheckFailed, "CNI_NETNS is not the network namespace that attachment " +
                                        key.to_string() + " was made in");
  }
  check_leases(*state, *attachment);
}

void ipam_status(const Request& request) {
  const OuterIpamConfig config = read_ipam_config(request);
  PoolRequest pools = make_pool_request(request, config.network);
  try {
    const StorePaths paths = store_paths(request.config);
    try_state(paths);
    if (config.role == IpamRole::kHostLocal) return;
    try_pools(paths);
    // A master inside of the Pod is there when the Pod is.
    if (!config.link_in_container) find_outer_master(config, "", pools);
  } catch (const Error& error) {
    throw Error(Code::kNotAvailable, error.msg(), error.details());
  }
  check_inline_pools(pools, store_paths(request.config));
}

void ipam_release(Store& state, const Attachment& attachment) {
  state.write([&attachment](Txn& txn) {
    const std::optional<Attachment> current = get_attachment(txn, attachment.key);
    if (!current || current->netns != attachment.netns) return;
    release(txn, current->leases, current->key);
    erase_attachment(txn, current->key);
  });
}

}  // namespace railcni
