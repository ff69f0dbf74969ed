// ADD: plan, record, execute, settle.
#include "src/verbs/add.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <ctime>

#include "railcni/clock.h"
#include "railcni/error.h"
#include "railcni/log.h"
#include "src/verbs/delegated_ipam.h"
#include "src/verbs/device_claims.h"
#include "src/verbs/host_route_owner.h"
#include "src/verbs/shared_uplink.h"

namespace railcni {
Add::Add(const Request& request)
    : request_(request),
      config_(read_config(request, backend_types())),
      chained_(config_.cni_type.empty()),
      delegated_(!config_.ipam.delegate.empty()),
      session_{StorePaths::from_data_dir(config_.data_dir), nullptr, {}, {}},
      backend_(make_backend(config_.cni_type)),
      pool_request_(make_pool_request(request, config_)),
      dns_(config_.dns) {
  backend_->configure(config_);
  if (chained_) read_previous();
}

// The addresses and routes that the plugin before us has given to this interface.
void Add::read_previous() {
  previous_ = Result::from_json(config_.prev_result, "prevResult");
  for (const ResultIp& ip : previous_.ips) {
    const size_t count = previous_.interfaces.size();
    if (ip.interface && *ip.interface >= 0 && static_cast<size_t>(*ip.interface) < count) {
      const ResultInterface& owner = previous_.interfaces[static_cast<size_t>(*ip.interface)];
      if (owner.sandbox.empty() || owner.name != request_.ifname) continue;
    }
    ips_.push_back(ip);
  }
  routes_ = previous_.routes;
  // Bridges may have a gateway without a route by it; the rail's table wants one.
  for (const ResultIp& ip : ips_) {
    const IpPrefix everything{{ip.address.family(), 0}, 0};
    const auto is_default = [&](const ResultRoute& route) { return route.dst == everything; };
    if (!ip.gateway || std::any_of(routes_.begin(), routes_.end(), is_default)) continue;
    ResultRoute route;
    route.dst = everything;
    route.gw = ip.gateway;
    routes_.push_back(route);
  }
  // A route without gateway goes by the interface itself; its family's default one is what Go
  // plugins mean by a missing gw.
  for (ResultRoute& route : routes_) {
    for (const ResultIp& ip : ips_) {
      if (!route.gw && ip.gateway && ip.address.family() == route.dst.family()) {
        route.gw = ip.gateway;
      }
    }
  }
}

void Add::open_pod() {
  pod_netns_ = Netns::open(request_.netns);
  if (!request_.netns_override && pod_netns_->id() == home_.id()) {
    // A recycled /proc/PID/ns/net names the host's own namespace.
    throw Error(Code::kInvalidNetns, "CNI_NETNS \"" + request_.netns +
                                         "\" is the network namespace of the caller itself");
  }
  pod_netns_->run_from(home_, [this] { pod_.emplace(); });
  pod_->accept_torn_dumps();
}

// The result of an earlier ADD of the same attachment that still stands; what does not stand is
// undone.
std::optional<Result> Add::settled_before() {
  const std::optional<Attachment> earlier =
      find_attachment(*session_.state, attachment_key(request_));
  if (!earlier) return std::nullopt;
  if (earlier->settled && earlier->netns == pod_netns_->id()) {
    const auto link = pod_->find_link(request_.ifname);
    const Json* index = earlier->link.find("index");
    const bool stands =
        index != nullptr && (index->as_int() == 0 || (link && link->index == index->as_int()));
    if (stands) {
      log_info("this attachment stands already: its result is returned again");
      return Result::from_json(earlier->result, "the recorded result");
    }
  }
  log_warning("what an earlier ADD left of this attachment is undone first");
  undo(session_, *earlier, request_.netns);
  return std::nullopt;
}

Result Add::run() {
  const AttachmentKey key = attachment_key(request_);
  check_attachment_key(key);
  check_node_pools(pool_request_, session_.paths);
  open_pod();
  session_.state = Store::open(Store::File::kState, session_.paths, Store::Mode::kCreate);
  pools_ = Store::open(Store::File::kPools, session_.paths, Store::Mode::kRead);
  const NamedLock lock = NamedLock::acquire(session_.paths, key.to_string(), kLockTimeout);
  if (auto result = settled_before()) return *result;
  {
    // From the look at a device to its claim: what the plan reads of it as its original state must
    // not be what another ADD has just made of it.
    const std::vector<std::string> devices = backend_->devices();
    const std::vector<NamedLock> device_locks = lock_devices(devices);
    free_devices(session_, devices, key);
    give_names_back();
    if (!devices.empty()) settle_names(session_);
    plan();
    claim_on_node(session_.paths, devices, key);
    try {
      record();
    } catch (const Error&) {
      release_on_node(session_.paths, devices, key);
      throw;
    }
  }
  try {
    Result result = execute();
    attachment_.settled = true;
    attachment_.result = result.to_json(supported_versions().back());
    save();
    return result;
  } catch (const std::exception&) {
    const ShortWaits nobody_waits_twice;
    try {
      undo(session_, attachment_, request_.netns);
    } catch (const std::exception& error) {
      log_error(std::string("while undoing the failed ADD: ") + error.what());
    }
    throw;
  }
}

// The kernel brings a VF home from a namespace that died under the name that it had there. Where
// that is the name of this ADD's interface, the VF's attachment is undone, and it has its own
// again.
void Add::give_names_back() {
  const auto link = session_.host.find_link(request_.ifname);
  if (!link || link->parent_device.empty()) return;
  std::optional<AttachmentKey> owner;
  session_.state->read([&](const Txn& txn) { owner = device_owner(txn, link->parent_device); });
  if (owner) reclaim(session_, false);
}

void Add::plan() {
  if (!chained_ && pod_->find_link(request_.ifname)) {
    throw Error(Code::kInvalidConfig, "interface " + request_.ifname +
                                          " already exists in the container; it is left as it is");
  }
  plan_ = backend_->plan({request_, config_, session_.host, *pod_, {}});
  pool_request_.master = plan_.master;
  pool_request_.master_addresses = plan_.master_addresses;
  pod_view_ = view_namespace(*pod_);
  mark_ = mark_netns(session_.host, home_, *pod_netns_);
  if (config_.coordinator.present) host_nsid_ = pod_->nsid_of(home_.fd());
}

void Add::record() {
  try {
    record_once();
  } catch (const Error& error) {
    // Full pools and claimed devices may be held by Pods that are long gone: nobody sends GC to a
    // Pod's extra networks.
    if (error.code() != Code::kTryAgainLater) throw;
    if (!reclaim_for(session_, error)) throw;
    record_once();
  }
}

void Add::record_once() {
  session_.state->write([this](Txn& txn) {
    Attachment attachment;
    attachment.key = attachment_key(request_);
    attachment.netns_path = request_.netns;
    attachment.netns = pod_netns_->id();
    attachment.mark = mark_;
    attachment.cni_type = config_.cni_type;
    attachment.pod_namespace = request_.arg("K8S_POD_NAMESPACE");
    attachment.pod_name = request_.arg("K8S_POD_NAME");
    attachment.created = time(nullptr);
    attachment.devices = backend_->devices();
    attachment.link = plan_.link;
    if (!plan_.lock.empty()) attachment.link["lock"] = plan_.lock;
    claim_devices(txn, attachment.devices, attachment.key);
    if (delegated_) {
      attachment.ipam = delegate_record(request_, config_);
    } else if (!chained_) {
      addressing_ = lease_addresses(txn, pools_.get(), pool_request_, config_.ipam, attachment.key,
                                    boot_seconds());
      attachment.leases = addressing_.leases;
    }
    // Another plugin gives its addresses only once the link is there, and nobody waits for the
    // store while the kernel is asked.
    if (!delegated_ && !asks_host()) plan_around(attachment);
    put_attachment(txn, attachment);
    attachment_ = std::move(attachment);
  });
}

// Whether the routing has a host's side, for which the host's kernel is asked.
bool Add::asks_host() const { return config_.coordinator.present; }

// plan_around() for what is recorded already.
void Add::plan_recorded() {
  plan_around(attachment_);
  session_.state->read([this](const Txn& txn) {
    check_host_route_owner(routing_, pool_request_, txn, pools_.get(), attachment_);
  });
  save();
}

// What follows from the addresses: routing, and a MAC that is made of one.
void Add::plan_around(Attachment& attachment) {
  if (!chained_ && !delegated_) {
    ips_ = addressing_.ips();
    routes_ = addressing_.routes();
  }
  if (!plan_.has_netdev) {
    // Its program configures it; the addresses are for the result.
    attachment.routing = routing_.to_json();
    choose_mac(attachment);
    return;
  }
  routing_ = plan_routing({config_.coordinator, request_.ifname, request_.container_id, ips_,
                           routes_, chained_, pod_view_, session_.host, host_nsid_,
                           plan_.link.find("mtu") != nullptr
                               ? static_cast<uint32_t>(plan_.link.at("mtu").as_uint())
                               : 0});
  attachment.routing = routing_.to_json();
  choose_mac(attachment);
  // RFC 8200, section 5: IPv6 needs 1280 bytes; the kernel refuses addresses below.
  const Json* mtu = attachment.link.find("mtu");
  for (const ResultIp& ip : ips_) {
    if (mtu == nullptr || ip.address.family() != Family::kV6 || mtu->as_int() >= 1280) continue;
    throw Error(Code::kInvalidConfig, "mtu " + mtu->dump() + ": an IPv6 address (" +
                                          ip.address.to_string() + ") needs at least 1280");
  }
}

void Add::choose_mac(Attachment& attachment) const {
  const CoordinatorConfig& config = config_.coordinator;
  if (!config.mac_prefix || config.mode == CoordinatorConfig::Mode::kDisabled) return;
  for (const ResultIp& ip : ips_) {
    if (ip.address.family() != Family::kV4) continue;
    if (plan_.mac_is_fixed) {
      throw Error(Code::kInvalidConfig,
                  "coordinator.podMACPrefix: the MAC of this interface cannot be chosen");
    }
    const auto bytes = ip.address.address.bytes();
    const HwAddress mac = {
        (*config.mac_prefix)[0], (*config.mac_prefix)[1], bytes[0], bytes[1], bytes[2], bytes[3]};
    attachment.link["mac"] = to_string(mac);
    return;
  }
  throw Error(Code::kInvalidConfig,
              "coordinator.podMACPrefix needs an IPv4 address, and this interface has none");
}

void Add::save() {
  session_.state->write([this](Txn& txn) {
    keep_handed_over(txn, attachment_);
    put_attachment(txn, attachment_);
  });
}

Result Add::execute() {
  if (!delegated_ && asks_host()) plan_recorded();
  NamedLock lock;
  if (!plan_.lock.empty()) {
    lock = NamedLock::acquire(node_paths(), plan_.lock, kLockTimeout);
  }
  LinkInfo link = backend_->attach({request_, config_, session_.host, *pod_, [this] { save(); }},
                                   *pod_netns_, attachment_.link);
  lock = NamedLock();
  if (delegated_) take_addresses(link);
  if (!plan_.has_netdev) {
    attachment_.link["index"] = 0;
    return make_result(link);
  }
  prepare_pod(link);
  prober_.emplace(*pod_, link);
  avoid_conflicts(link);
  lay_routes(link);
  probe_gateways(link);
  if (plan_.carrier_comes_late) {
    // The MTU of an IPoIB link is its multicast group's once it has joined that.
    if (const auto now = pod_->find_link(link.index)) link.mtu = now->mtu;
  }
  return make_result(link);
}

// From another plugin, and recorded before they are used.
void Add::take_addresses(LinkInfo& link) {
  const Result given = delegate_add(session_.paths, attachment_);
  ips_ = given.ips;
  routes_ = given.routes;
  if (dns_.is_null()) dns_ = given.dns;
  // A gateway without a route by it is no default route of the Pod. Of a rail beside the cluster's
  // interface it is, in the rail's own table.
  for (const ResultIp& ip : ips_) {
    const IpPrefix everything{{ip.address.family(), 0}, 0};
    const auto is_wanted = [&](const ResultRoute& route) { return route.dst == everything; };
    const auto is_cluster = [&](const RouteInfo& route) {
      return route.destination == everything && route.table == RT_TABLE_MAIN;
    };
    if (!ip.gateway || std::any_of(routes_.begin(), routes_.end(), is_wanted) ||
        std::none_of(pod_view_.routes.begin(), pod_view_.routes.end(), is_cluster)) {
      continue;
    }
    ResultRoute route;
    route.dst = everything;
    route.gw = ip.gateway;
    routes_.push_back(route);
  }
  const Json* before = attachment_.link.find("mac");
  const Json mac_before = before != nullptr ? *before : Json();
  plan_recorded();
  const Json* mac = attachment_.link.find("mac");
  if (mac == nullptr || *mac == mac_before || !plan_.has_netdev) return;
  link.address = parse_hw_address(mac->as_string()).value();
  pod_->send(hw_address_message(link.index, link.address), "set the MAC of " + link.name);
}

void Add::prepare_pod(const LinkInfo& link) {
  std::vector<LinkSysctl> sysctls;
  if (!chained_) sysctls = address_sysctls(link.name, ips_);
  const CoordinatorConfig& config = config_.coordinator;
  if (config.present && config.mode != CoordinatorConfig::Mode::kDisabled &&
      config.mode != CoordinatorConfig::Mode::kSourceBased && config.rp_filter >= 0) {
    // The larger of "all" and the interface's own counts; "default" is for interfaces to come.
    for (const std::string& name : {std::string("all"), std::string("default"), link.name}) {
      sysctls.push_back({"ipv4", name, "rp_filter", std::to_string(config.rp_filter)});
    }
  }
  pod_netns_->run_from(home_, [&sysctls] { write_sysctls(sysctls); });
}

void Add::lay_routes(const LinkInfo& link) {
  if (routing_.host_table != 0 || routing_.veth) {
    apply_host_routing(session_.host, pod_netns_->fd(), routing_);
  }
  NetlinkBatch batch;
  const CoordinatorConfig& config = config_.coordinator;
  if (config.tx_queue_length != 0 && config.mode != CoordinatorConfig::Mode::kDisabled) {
    batch.add(tx_queue_length_message(link.index, config.tx_queue_length),
              "set the transmit queue length of " + link.name);
  }
  if (!chained_) add_addresses(link, ips_, batch);
  const std::vector<size_t> positions = add_pod_routing(*pod_, routing_, batch);
  drop_existing(routing_, positions, pod_->send(batch));
  attachment_.routing = routing_.to_json();
}

Result Add::make_result(const LinkInfo& link) const {
  if (!chained_) {
    Result result;
    result.dns = dns_;
    ResultInterface interface;
    interface.name = link.name;
    if (!link.address.empty()) interface.mac = to_string(link.address);
    interface.mtu = link.mtu;
    if (const Json* pci = attachment_.link.find("pciID")) interface.pci_id = pci->as_string();
    interface.sandbox = request_.netns;
    result.interfaces.push_back(std::move(interface));
    result.ips = ips_;
    result.routes = result_routes(routing_, link.name);
    return result;
  }
  // As sbr does it: the next plugin gets what this one got.
  if (config_.coordinator.mode == CoordinatorConfig::Mode::kSourceBased) return previous_;
  Result result = previous_;
  for (ResultInterface& interface : result.interfaces) {
    if (interface.name == link.name && !interface.sandbox.empty()) {
      interface.mac = to_string(link.address);
    }
  }
  // A default route that has left table main is in the rail's own.
  std::erase_if(result.routes, [this, &link](const ResultRoute& route) {
    return std::any_of(routing_.removed.begin(), routing_.removed.end(), [&](const auto& removed) {
      return removed.link == link.name && removed.route.destination == route.dst;
    });
  });
  for (const ResultRoute& route : result_routes(routing_, link.name)) {
    result.routes.push_back(route);
  }
  return result;
}

Result add(const Request& request) { return keep_until_exit<Add>(request).run(); }

}  // namespace railcni
