#include "plugins/sriov/sriov.h"

#include <net/if.h>

#include "plugins/sriov/sriov_config.h"
#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/pod_mac.h"
#include "railcni/rdma_device.h"
#include "railcni/uplink.h"
#include "railcni/vf_config.h"
#include "railcni/vf_device.h"

namespace railcni {
namespace {

class Sriov : public Backend {
 public:
  void configure(const NetworkConfig& config) override { config_ = read_sriov_config(config); }
  std::vector<std::string> devices() const override;
  LinkPlan plan(const PlanContext& context) override;
  LinkInfo attach(const PlanContext& context, const Netns& pod_netns, Json& link) override;
  void detach(RouteSocket& host, const PodSide* pod, const Attachment& attachment) override;
  void status(RouteSocket&) override;
  void check(RouteSocket& host, const PodSide& pod, const LinkInfo& found,
             const Attachment& attachment) override;

 private:
  void check_wanted() const;
  uint32_t choose_mtu() const;
  void choose_mac(const PlanContext& context, Json& link);

  SriovConfig config_;
  Sysfs sysfs_;
  VfDevice vf_;
};

std::vector<std::string> Sriov::devices() const {
  require_vf_device(config_.device, config_.resource);
  return {config_.device};
}

// What only the PF can do needs a PF that is there, with a driver that can.
void Sriov::check_wanted() const {
  const VfState& wanted = config_.wanted;
  const auto need = [this](bool asked, bool reported, const char* what) {
    if (!asked || reported) return;
    const std::string vf = "VF " + vf_.function.address;
    if (!vf_.state) {
      throw Error(Code::kInvalidConfig, std::string("sriov.") + what + ": the PF of " + vf +
                                            " is not visible here, and only it can set that");
    }
    throw Error(Code::kInvalidConfig, std::string("sriov.") + what + ": PF " + vf_.physical->name +
                                          " does not have it for its VFs");
  };
  const VfState state = vf_.state.value_or(VfState());
  need(wanted.vlan.has_value(), state.vlan.has_value(), "vlanID");
  need(wanted.min_rate.has_value(), state.max_rate.has_value(), "maxTxRateMbps");
  need(wanted.spoofchk.has_value(), state.spoofchk.has_value(), "spoofchk");
  need(wanted.trust.has_value(), state.trust.has_value(), "trust");
  need(wanted.link_state.has_value(), state.link_state.has_value(), "link_state");
  if (vf_.physical && (vf_.physical->flags & IFF_UP) == 0) {
    log_warning("PF " + vf_.physical->name + " is down: its VFs may have no link");
  }
}

uint32_t Sriov::choose_mtu() const {
  if (vf_.physical && config_.mtu > vf_.physical->mtu) {
    throw Error(Code::kInvalidConfig, "sriov.mtu " + std::to_string(config_.mtu) +
                                          ": must be at most the MTU of PF " + vf_.physical->name +
                                          ", " + std::to_string(vf_.physical->mtu));
  }
  if (vf_.userspace) {
    if (config_.mtu != 0) {
      throw Error(Code::kInvalidConfig, "sriov.mtu: VF " + vf_.function.address + " has driver " +
                                            vf_.function.driver +
                                            " and no interface whose MTU could be set");
    }
    return vf_.physical ? vf_.physical->mtu : 0;
  }
  return config_.mtu != 0 ? config_.mtu : vf_.link->mtu;
}

void Sriov::choose_mac(const PlanContext& context, Json& link) {
  if (const auto mac = requested_mac(context.config, context.request, config_.mac, "sriov.mac")) {
    if (vf_.userspace && !vf_.state) {
      throw Error(Code::kInvalidConfig, "mac: VF " + vf_.function.address +
                                            " has no interface, and its PF is not visible");
    }
    link["mac"] = to_string(*mac);
    link["macAsked"] = true;
  } else if (vf_.link) {
    link["mac"] = to_string(vf_.link->address);
  } else if (vf_.state && vf_.state->mac && *vf_.state->mac != HwAddress(6, 0)) {
    link["mac"] = to_string(*vf_.state->mac);
  }
}

LinkPlan Sriov::plan(const PlanContext& context) {
  vf_ = inspect_vf(context.host, sysfs_, config_.device);
  check_wanted();
  LinkPlan plan;
  plan.link = vf_.to_json();
  plan.link["pciID"] = vf_.function.address;
  if (const uint32_t mtu = choose_mtu(); mtu != 0) plan.link["mtu"] = mtu;
  choose_mac(context, plan.link);
  if (config_.rdma.isolation) {
    plan.link["rdma"] =
        plan_rdma(sysfs_, vf_.function.address, vf_.link ? &*vf_.link : nullptr, config_.rdma);
    plan.lock = kRdmaLock;
  }
  plan.has_netdev = !vf_.userspace;
  plan.carrier_comes_late = true;
  plan.mac_is_fixed = vf_.userspace && !vf_.state;
  if (vf_.physical) {
    plan.master = vf_.physical->name;
    if (context.config.ipam.match_master_subnet) {
      plan.master_addresses = addresses_around(context.host, *vf_.physical);
    }
  } else if (context.config.ipam.match_master_subnet) {
    throw Error(Code::kInvalidConfig, "matchMasterSubnet: the PF of VF " + vf_.function.address +
                                          " is not visible here, so neither are its addresses");
  }
  return plan;
}

LinkInfo Sriov::attach(const PlanContext& context, const Netns& pod_netns, Json& link) {
  // The caller may have chosen another MAC than the plan.
  std::optional<HwAddress> mac;
  if (const Json* chosen = link.find("mac")) mac = parse_hw_address(chosen->as_string());
  const bool set_mac =
      mac && (link.find("macAsked") != nullptr || !vf_.link || vf_.link->address != *mac);
  if (vf_.state) {
    VfState wanted = config_.wanted;
    if (set_mac) wanted.mac = mac;
    set_vf(context.host, vf_.handle(), wanted);
  }
  if (const Json* rdma = link.find("rdma")) lend_rdma(sysfs_, pod_netns, *rdma);
  if (vf_.userspace) {
    LinkInfo none;
    none.name = context.request.ifname;
    none.mtu = link.find("mtu") != nullptr ? static_cast<uint32_t>(link.at("mtu").as_uint()) : 0;
    if (mac) none.address = *mac;
    return none;
  }
  LinkInfo lent = lend_vf(context.host, context.pod, pod_netns.fd(), vf_, context.request.ifname,
                          static_cast<uint32_t>(link.at("mtu").as_uint()));
  link["index"] = lent.index;
  if (set_mac) set_mac_verified(context.pod, lent.index, *mac);
  // Up early: the carrier comes while the addresses are being made ready.
  std::string explanation;
  const int error = context.pod.send_while_busy(link_up_message(lent.index, true), &explanation);
  if (error != 0) {
    throw kernel_refusal("set " + lent.name + " up", error, explanation);
  }
  const auto now = context.pod.find_link(lent.index);
  if (!now) throw Error(Code::kKernel, "VF " + lent.name + " is gone right after it was moved");
  if (link.find("rdma") == nullptr) {
    report_unmoved_rdma(sysfs_, pod_netns, vf_.function.address, *now);
  }
  return *now;
}

void Sriov::detach(RouteSocket& host, const PodSide* pod, const Attachment& attachment) {
  return_vf(host, pod, sysfs_, attachment.link);
}

// Which VF it will be is known at ADD only.
void Sriov::status(RouteSocket&) {
  if (!config_.rdma.isolation) return;
  RdmaSocket rdma;
  require_exclusive_mode(rdma);
}

void Sriov::check(RouteSocket&, const PodSide& pod, const LinkInfo& found,
                  const Attachment& attachment) {
  const std::string& device = attachment.link.at("device").as_string();
  if (!sysfs_.find_function(device)) {
    throw Error(Code::kCheckFailed, "VF " + device + " is gone");
  }
  if (found.index != 0 && found.parent_device != device) {
    throw Error(Code::kCheckFailed, "interface " + found.name + " is not on VF " + device +
                                        " but on \"" + found.parent_device + "\"");
  }
  if (const Json* rdma = attachment.link.find("rdma")) check_rdma(pod.netns, *rdma);
}

}  // namespace

std::unique_ptr<Backend> make_sriov_backend() { return std::make_unique<Sriov>(); }

}  // namespace railcni
