// A VF's way back from a Pod.
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/netns.h"
#include "railcni/owed_names.h"
#include "railcni/rdma_device.h"
#include "railcni/vf_device.h"
#include "railcni/way_home.h"
#include "src/kernel/vf_links.h"

namespace railcni {
namespace {

// The children of an IPoIB interface, all of them the Pod's: the host had none (the plan made sure
// of that), and they come along when a namespace dies.
void delete_ipoib_children(RouteSocket& socket, const LinkInfo& link) {
  if (!is_ipoib(link.address)) return;
  for (const LinkInfo& child : socket.links()) {
    if (child.kind != "ipoib" || child.parent != link.index || child.index == link.index) continue;
    if (child.parent_elsewhere) continue;
    const int error = socket.try_send(delete_link_message(child.index));
    if (error != 0 && error != ENODEV) throw_errno(Code::kKernel, "delete " + child.name, error);
  }
}

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

// Moves the interface out of the Pod's namespace; a half-done move is what restore_netdev() is for.
void bring_home(RouteSocket& pod, const LinkInfo& link, const NetdevState& original) {
  delete_ipoib_children(pod, link);
  const Netns host = Netns::current();
  std::string explanation;
  int error =
      pod.try_send(move_link_message(link.index, host.fd(), original.name, 0), &explanation);
  if (error == EEXIST) {
    // Its old name is somebody else's by now.
    error =
        pod.try_send(move_link_message(link.index, host.fd(), kParkedInterface, 0), &explanation);
  }
  if (error != 0 && error != ENODEV) {
    throw kernel_refusal("move " + link.name + " back to the host", error, explanation);
  }
}

// The VF's interface, in the Pod or in the host.
std::optional<LinkInfo> find_interface(RouteSocket& host, RouteSocket* pod, const Sysfs& sysfs,
                                       const std::string& device) {
  if (pod != nullptr) {
    if (auto link = find_device_link(*pod, device)) return link;
  }
  return host_link(host, sysfs, device);
}

// The VF's interface, once it is in the host; nothing when it is neither in the Pod nor there.
std::optional<LinkInfo> fetch_interface(RouteSocket& host, RouteSocket* pod, const Sysfs& sysfs,
                                        const std::string& device, const NetdevState& original) {
  if (pod != nullptr) {
    if (const auto link = find_device_link(*pod, device)) bring_home(*pod, *link, original);
  }
  std::optional<LinkInfo> link = host_link(host, sysfs, device);
  for (int tries = 0; !link && pod == nullptr && tries < kHomeTries; ++tries) {
    usleep(kHomePause);
    link = host_link(host, sysfs, device);
  }
  return link;
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
  void restore_guid(LinkInfo& link);
  LinkInfo make_anew();
  void restore_administration();

  RouteSocket& host_;
  const PodSide* pod_;
  const Sysfs& sysfs_;
  const Json& record_;
  const std::string device_;
  const PciFunction function_;
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
    const auto link =
        find_interface(host_, pod_ != nullptr ? &pod_->route : nullptr, sysfs_, device_);
    meanwhile.mac.reset();
    if (!link || link->address != original_->mac) meanwhile.mac = original_->mac;
    mac_was_given_ |= meanwhile.mac.has_value();
  }
  restore_vf(host_, *handle_, meanwhile);
}

// The interface, or the RDMA device, is nowhere that we could take it from: the kernel made none,
// when the one whose call it did that in was killed meanwhile, or it is in a namespace that
// somebody made beside the Pod's. What belongs to the function goes with its driver, and is made
// anew by it.
LinkInfo Return::make_anew() {
  log_warning("VF " + device_ +
              " has come back without its interface or RDMA device: its driver is bound anew");
  VfDevice vf;
  vf.function = function_;
  rebind_vf(host_, sysfs_, vf);
  return_rdma_device(nullptr);  // it has its name again
  is_lost_ = false;
  return *vf.link;
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
  delete_ipoib_children(host_, link);
  if (!handle_ || port_guid(link.address) == port_guid(original_->mac)) return;
  VfDevice vf;
  vf.function = function_;
  rebind_vf(host_, sysfs_, vf);
  link = *vf.link;
  return_rdma_device(nullptr);  // it has its name again
}

void Return::restore_interface() {
  const auto found =
      fetch_interface(host_, pod_ != nullptr ? &pod_->route : nullptr, sysfs_, device_, *original_);
  LinkInfo link = found && !is_lost_ ? *found : make_anew();
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
