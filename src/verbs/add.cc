// ADD: plan, record, execute, settle.
#include <algorithm>
#include <ctime>

#include "railcni/addressing.h"
#include "railcni/error.h"
#include "railcni/ipam.h"
#include "railcni/log.h"
#include "src/verbs/pool_request.h"
#include "src/verbs/session.h"

namespace railcni {
namespace {

// What the leases mean for the Pod: addresses, and routes by their pools.
struct Addressing {
  std::vector<Lease> leases;
  Candidates candidates;

  const Pool& pool_of(const Lease& lease) const {
    for (const auto* pools : {&candidates.ipv4, &candidates.ipv6}) {
      for (const Pool& pool : *pools) {
        if (pool.name == lease.pool && pool.contains(lease.address.address)) return pool;
      }
    }
    throw Error(Code::kStoreDamaged, "lease " + lease.address.to_string() + " has no pool");
  }
};

// Chooses pools and leases addresses inside the record's transaction: applying pools takes the same
// write lock, so no pool can shrink between choice and lease.
Addressing lease_addresses(Txn& txn, Store* pools, const PoolRequest& request,
                           const NetworkConfig& config, const AttachmentKey& owner, int64_t now) {
  Addressing addressing;
  if (!config.ipam.enabled) return addressing;
  if (pools != nullptr) {
    pools->read(
        [&](const Txn& snapshot) { addressing.candidates = select_pools(&snapshot, request); });
  } else {
    addressing.candidates = select_pools(nullptr, request);
  }
  if (addressing.candidates.empty()) {
    if (config.ipam.required) {
      throw Error(Code::kInvalidConfig,
                  "no pool: name some in ippools, or mark an applied pool as default");
    }
    log_info("no pool is named and none is a default one: the interface gets no address");
    return addressing;
  }
  addressing.leases = allocate(txn, addressing.candidates, request.requested, owner, now);
  return addressing;
}

class Add {
 public:
  explicit Add(const Request& request)
      : request_(request),
        config_(read_config(request, backend_types())),
        session_{StorePaths::from_data_dir(config_.data_dir), nullptr, {}, {}},
        backend_(make_backend(config_.cni_type)),
        pool_request_(make_pool_request(request, config_)) {
    backend_->configure(config_);
  }

  Result run();

 private:
  void open_pod();
  // The result of an earlier ADD of the same attachment that still stands; what does not stand is
  // undone.
  std::optional<Result> settled_before();
  void record();
  void record_once();
  Result execute();
  void add_addresses(Result& result);

  const Request& request_;
  const NetworkConfig config_;
  Session session_;
  std::unique_ptr<Backend> backend_;
  PoolRequest pool_request_;
  std::unique_ptr<Store> pools_;
  std::optional<Netns> pod_netns_;
  std::optional<RouteSocket> pod_;
  LinkPlan plan_;
  Addressing addressing_;
  Attachment attachment_;
};

void Add::open_pod() {
  pod_netns_ = Netns::open(request_.netns);
  if (!request_.netns_override && pod_netns_->id() == Netns::current().id()) {
    // A recycled /proc/PID/ns/net names the host's own namespace.
    throw Error(Code::kInvalidNetns, "CNI_NETNS \"" + request_.netns +
                                         "\" is the network namespace of the caller itself");
  }
  pod_netns_->run([this] { pod_.emplace(); });
}

std::optional<Result> Add::settled_before() {
  const std::optional<Attachment> earlier =
      find_attachment(*session_.state, attachment_key(request_));
  if (!earlier) return std::nullopt;
  if (earlier->settled && earlier->netns == pod_netns_->id()) {
    const auto link = pod_->find_link(request_.ifname);
    const Json* index = earlier->link.find("index");
    if (link && index != nullptr && link->index == index->as_int()) {
      log_info("this attachment stands already: its result is returned again");
      return Result::from_json(earlier->result, "the recorded result");
    }
  }
  log_warning("what an earlier ADD left of this attachment is undone first");
  undo(session_, *earlier, request_.netns);
  return std::nullopt;
}

Result Add::run() {
  open_pod();
  session_.state = Store::open(Store::File::kState, session_.paths, Store::Mode::kCreate);
  pools_ = Store::open(Store::File::kPools, session_.paths, Store::Mode::kExisting);
  const AttachmentKey key = attachment_key(request_);
  check_attachment_key(key);
  const NamedLock lock = NamedLock::acquire(session_.paths, key.to_string(), kLockTimeout);
  if (auto result = settled_before()) return *result;

  // Plan.
  if (pod_->find_link(request_.ifname)) {
    throw Error(Code::kInvalidConfig, "interface " + request_.ifname +
                                          " already exists in the container; it is left as it is");
  }
  const PlanContext context{request_, config_, session_.host, *pod_};
  plan_ = backend_->plan(context);
  pool_request_.master = plan_.master;
  pool_request_.master_addresses = plan_.master_addresses;

  record();
  try {
    Result result = execute();
    attachment_.settled = true;
    attachment_.result = result.to_json(supported_versions().back());
    session_.state->write([this](Txn& txn) { put_attachment(txn, attachment_); });
    return result;
  } catch (const std::exception&) {
    try {
      undo(session_, attachment_, request_.netns);
    } catch (const std::exception& error) {
      log_error(std::string("while undoing the failed ADD: ") + error.what());
    }
    throw;
  }
}

void Add::record() {
  try {
    record_once();
  } catch (const Error& error) {
    // Full pools and claimed devices may be held by Pods that are long gone: nobody sends GC to a
    // Pod's extra networks.
    if (error.code() != Code::kTryAgainLater) throw;
    if (reclaim(session_, false).undone.empty()) throw;
    record_once();
  }
}

void Add::record_once() {
  session_.state->write([this](Txn& txn) {
    const AttachmentKey key = attachment_key(request_);
    const int64_t now = time(nullptr);
    addressing_ = lease_addresses(txn, pools_.get(), pool_request_, config_, key, now);
    for (const std::string& device : plan_.devices) {
      if (const auto other = claim_device(txn, device, key)) {
        throw Error(Code::kTryAgainLater,
                    "device " + device + " is in use by attachment " + other->to_string());
      }
    }
    attachment_ = Attachment{};
    attachment_.key = key;
    attachment_.netns_path = request_.netns;
    attachment_.netns = pod_netns_->id();
    attachment_.cni_type = config_.cni_type;
    attachment_.pod_namespace = request_.arg("K8S_POD_NAMESPACE");
    attachment_.pod_name = request_.arg("K8S_POD_NAME");
    attachment_.created = now;
    attachment_.devices = plan_.devices;
    attachment_.leases = addressing_.leases;
    attachment_.link = plan_.link;
    put_attachment(txn, attachment_);
  });
}

Result Add::execute() {
  std::optional<NamedLock> lock;
  if (!plan_.lock.empty()) {
    lock = NamedLock::acquire(session_.paths, plan_.lock, kLockTimeout);
  }
  const PlanContext context{request_, config_, session_.host, *pod_};
  const LinkInfo link = backend_->attach(context, *pod_netns_, attachment_.link);
  lock.reset();

  Result result;
  result.dns = config_.dns;
  ResultInterface interface;
  interface.name = link.name;
  interface.mac = to_string(link.address);
  interface.mtu = link.mtu;
  interface.sandbox = request_.netns;
  result.interfaces.push_back(std::move(interface));
  add_addresses(result);
  configure_link(*pod_, *pod_netns_, link, result.ips, result.routes);
  return result;
}

void Add::add_addresses(Result& result) {
  for (const Lease& lease : addressing_.leases) {
    const Pool& pool = addressing_.pool_of(lease);
    result.ips.push_back({lease.address, pool.gateway, 0});
    const Family family = pool.family();
    std::vector<ResultRoute> routes;
    if (pool.gateway && !has_default_route(*pod_, family)) {
      // The Pod's first interface keeps the default route: the cluster's traffic goes there.
      routes.push_back({{{family, 0}, 0}, pool.gateway, {}, {}, {}, {}, {}});
    }
    for (const PoolRoute& route : pool.routes) {
      routes.push_back({route.to, route.via, {}, {}, {}, {}, {}});
    }
    // Several addresses of one pool (requested ones) bring its routes once.
    for (const ResultRoute& route : routes) {
      if (std::find(result.routes.begin(), result.routes.end(), route) == result.routes.end()) {
        result.routes.push_back(route);
      }
    }
  }
}

}  // namespace

Result add(const Request& request) { return Add(request).run(); }

}  // namespace railcni
