// A VF's way back from a Pod.
#include <algorithm>

#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/netns.h"
#include "railcni/owed_names.h"
#include "railcni/rdma_device.h"
#include "railcni/vf_device.h"
#include "src/kernel/link_programs.h"
#include "src/kernel/vf_fetch.h"
#include "src/kernel/vf_links.h"

namespace railcni {
namespace {

bool is_zero(const HwAddress& address) {
  return std::all_of(address.begin(), address.end(), [](uint8_t byte) { return byte == 0; });
}

// Where the VF is administered now; nothing when the record has no PF, or it is gone.
std::optional<VfHandle> find_handle(RouteSocket& host, const Sysfs& sysfs, const Json& record) {
  if (record.find("vfState") == nullptr) return std::nullopt;
  const std::string& address = record.at("physical").as_string();
  const Json* netdev = record.find("netdev");
  const auto physical =
      physical_link(host, sysfs, address, netdev == nullptr ? "" : netdev->at("name").as_string());
  if (!physical) {
    log_warning("PF " + address + " has no interface any more: the settings of its VF " +
                record.at("device").as_string() + " went with it");
    return std::nullopt;
  }
  return VfHandle{physical->index, physical->name, static_cast<int>(record.at("number").as_int())};
}

// One VF's way back.
class Return {
 public:
  Return(RouteSocket& host, const PodSide* pod, const Sysfs& sysfs, const Json& record,
         PciFunction function)
      : host_(host),
        pod_(pod),
        sysfs_(sysfs),
        record_(record),
        device_(function.address),
        function_(std::move(function)) {}

  void run();

 private:
  template <typename Step>
  void collect(const Step& step);
  void find_original();
  void return_rdma_device(const Netns* pod);
  void restore_physical_side();
  void restore_interface();
  LinkInfo fetch_interface();
  LinkInfo bind_anew(const std::string& why);
  void free_of_the_pod(LinkInfo& link);
  void restore_guid(LinkInfo& link);
  void restore_administration();

  RouteSocket& host_;
  const PodSide* pod_;
  const Sysfs& sysfs_;
  const Json& record_;
  const std::string device_;
  const PciFunction function_;
  // Of the interface in the Pod, once it was there.
  std::optional<int> index_;
  std::optional<NetdevState> original_;
  std::optional<VfHandle> handle_;
  VfState state_;
  bool is_lost_ = false;        // the RDMA device did not come home
  bool mac_was_given_ = false;  // the VF, by us, such that it takes its own back
  std::string failures_;
};

// Goes on past what cannot be restored; run() tells all of it.
template <typename Step>
void Return::collect(const Step& step) {
  try {
    step();
  } catch (const Error& error) {
    if (failures_.find(error.msg()) != std::string::npos) return;
    failures_ += (failures_.empty() ? "" : "; ") + error.msg();
  }
}

void Return::find_original() {
  // With a child for a pkey, "index" is the child's.
  for (const char* key : {"index", "parentIndex"}) {
    if (const Json* index = record_.find(key)) index_ = static_cast<int>(index->as_int());
  }
  if (const Json* netdev = record_.find("netdev")) {
    if (function_.driver == record_.at("driver").as_string()) {
      original_ = NetdevState::from_json(*netdev);
    } else {
      log_warning("VF " + device_ + " has driver \"" + function_.driver + "\" instead of " +
                  record_.at("driver").as_string() + ": its interface went with the other one");
    }
  }
  handle_ = find_handle(host_, sysfs_, record_);
  if (!handle_) return;
  state_ = VfState::from_json(record_.at("vfState"));
  // A PF may not know the GUID that the hardware gave the VF, and takes none that is zero: all ones
  // stand for none (as ib-sriov-cni has it).
  for (auto* guid : {&state_.node_guid, &state_.port_guid}) {
    if (!*guid || **guid != 0) continue;
    if (original_ && is_ipoib(original_->mac)) *guid = port_guid(original_->mac);
    if (**guid == 0) *guid = ~uint64_t{0};
  }
}

void Return::return_rdma_device(const Netns* pod) {
  if (const Json* rdma = record_.find("rdma")) return_rdma(sysfs_, pod, *rdma);
}

// The PF's side, such that the VF takes its own MAC back: it may do that while the PF says the same
// one. What the PF said before comes last; it may be none at all.
void Return::restore_physical_side() {
  VfState meanwhile = state_;
  if (original_ && state_.mac) {
    const auto link = find_vf_link(host_, pod_, sysfs_, device_, index_);
    meanwhile.mac.reset();
    if (!link || link->address != original_->mac) meanwhile.mac = original_->mac;
    mac_was_given_ |= meanwhile.mac.has_value();
  }
  restore_vf(host_, *handle_, meanwhile);
}

// The last way out: the interface that comes then is a new one, in the host, and whatever held the
// old one or stood on it, in any namespace, is rid of it.
LinkInfo Return::bind_anew(const std::string& why) {
  log_warning("VF " + device_ + ": its driver is bound anew, since " + why);
  VfDevice vf;
  vf.function = function_;
  rebind_vf(host_, sysfs_, vf);
  return_rdma_device(nullptr);  // it has its name again
  is_lost_ = false;
  return *vf.link;
}

LinkInfo Return::fetch_interface() {
  // Made anew with the interface.
  if (is_lost_) return bind_anew("its RDMA device has not come back");
  if (const auto link = fetch_vf_link(host_, pod_, sysfs_, device_, index_, *original_)) {
    return *link;
  }
  return bind_anew("its interface is neither in the container nor in the host");
}

// What the Pod has put on the interface goes with the Pod, and takes no part in the next one's
// traffic.
void Return::free_of_the_pod(LinkInfo& link) {
  if (!remove_stacked(host_, pod_, link)) {
    link = bind_anew("interfaces that the container made on it cannot be removed one by one");
  } else if (!remove_programs(host_, link, original_->xdp_program)) {
    link = bind_anew("BPF programs that the container attached to it stay");
  }
}

// Last, what the PF said before. Where it said no MAC, and shows the VF's own now, that is what the
// VF's driver has told it (igb), and to take it away would keep all packets from the VF.
void Return::restore_administration() {
  const bool had_none = original_ && state_.mac && is_zero(*state_.mac);
  const auto now = had_none ? read_vf(host_, handle_->physical, handle_->number) : std::nullopt;
  VfState last = state_;
  if (now && now->mac == original_->mac && !mac_was_given_) last.mac.reset();
  restore_vf(host_, *handle_, last);
}

void Return::restore_guid(LinkInfo& link) {
  if (!is_ipoib(link.address)) return;
  if (!handle_ || port_guid(link.address) == port_guid(original_->mac)) return;
  VfDevice vf;
  vf.function = function_;
  rebind_vf(host_, sysfs_, vf);
  link = *vf.link;
  return_rdma_device(nullptr);  // it has its name again
}

void Return::restore_interface() {
  LinkInfo link = fetch_interface();
  collect([&] { free_of_the_pod(link); });
  // In the Pod, a reset of the driver may have told the PF another MAC in between.
  if (handle_) collect([this] { restore_physical_side(); });
  collect([&] { restore_guid(link); });
  restore_netdev(host_, link.index, *original_);
}

void Return::run() {
  find_original();
  try {
    return_rdma_device(pod_ != nullptr ? &pod_->netns : nullptr);
  } catch (const Error& error) {
    // Nowhere, and the interface is there to be made anew with it.
    is_lost_ = error.code() == Code::kIncomplete && original_.has_value();
    if (!is_lost_) collect([&error] { throw error; });
  }
  if (handle_) collect([this] { restore_physical_side(); });
  if (original_) collect([this] { restore_interface(); });
  if (handle_) collect([this] { restore_administration(); });
  if (!failures_.empty()) throw Error(Code::kIncomplete, "VF " + device_ + ": " + failures_);
}

}  // namespace

void return_vf(RouteSocket& host, const PodSide* pod, const Sysfs& sysfs, const Json& record) {
  const std::string& device = record.at("device").as_string();
  auto function = sysfs.find_function(device);
  if (!function) {
    log_warning("VF " + device + " is gone (sriov_numvfs was changed): nothing to restore");
    return;
  }
  if (function->identity != record.at("identity").as_uint()) {
    log_warning("VF " + device +
                " was removed and made again (sriov_numvfs was changed): nothing to restore");
    return;
  }
  if (function->driver.empty()) {
    // An ADD or DEL that was killed while it bound the driver anew.
    function->driver = record.at("driver").as_string();
    sysfs.bind(device, function->driver);
  }
  Return(host, pod, sysfs, record, *function).run();
}

}  // namespace railcni
