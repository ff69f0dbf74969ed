#include "plugins/ibsriov/ibsriov.h"

#include <net/if.h>

#include "plugins/ibsriov/guid.h"
#include "plugins/ibsriov/ibsriov_config.h"
#include "railcni/error.h"
#include "railcni/ipoib.h"
#include "railcni/log.h"
#include "railcni/pod_mac.h"
#include "railcni/uplink.h"
#include "railcni/vf_config.h"
#include "railcni/vf_device.h"

namespace railcni {
namespace {

class IbSriov : public Backend {
 public:
  void configure(const NetworkConfig& config) override;
  std::vector<std::string> devices() const override;
  LinkPlan plan(const PlanContext& context) override;
  LinkInfo attach(const PlanContext& context, const Netns& pod_netns, Json& link) override;
  void detach(RouteSocket& host, const PodSide* pod, const Attachment& attachment) override;
  void status(RouteSocket& host) override;
  void check(RouteSocket& host, const PodSide& pod, const LinkInfo& found,
             const Attachment& attachment) override;

 private:
  void check_device(const std::vector<LinkInfo>& links) const;
  void plan_guid();
  void plan_partition(const PlanContext& context, Json& link) const;
  void set_up_physical_side(const PlanContext& context, Json& link);
  LinkInfo move(const PlanContext& context, const Netns& pod_netns, const Json& link);
  LinkInfo make_child(RouteSocket& pod, const LinkInfo& parent, const std::string& name) const;
  void require_partition(const LinkInfo& link) const;

  IbSriovConfig config_;
  std::string app_;  // what ib-kubernetes says of this Pod
  Sysfs sysfs_;
  VfDevice vf_;
  VfState wanted_;
  bool rebind_ = false;
};

void IbSriov::configure(const NetworkConfig& config) {
  config_ = read_ib_sriov_config(config);
  app_ = config.infiniband.app;
}

std::vector<std::string> IbSriov::devices() const {
  require_vf_device(config_.device, config_.resource);
  std::vector<std::string> devices = {config_.device};
  if (config_.guid) devices.push_back(std::string(kGuidClaim) + guid_text(*config_.guid));
  return devices;
}

void IbSriov::check_device(const std::vector<LinkInfo>& links) const {
  const std::string vf = "VF " + config_.device;
  if (config_.userspace && !vf_.userspace) {
    throw Error(Code::kInvalidConfig,
                "ibsriov.vfioPciMode: " + vf + " has driver " + vf_.function.driver);
  }
  if (vf_.userspace) {
    if (config_.rdma.isolation) {
      log_info(vf + " has driver " + vf_.function.driver + " and no RDMA device to isolate");
    }
    return;
  }
  if (!is_ipoib(vf_.link->address)) {
    throw Error(Code::kInvalidConfig, "deviceID " + config_.device + ": interface " +
                                          vf_.link->name +
                                          " is not InfiniBand; cniType sriov is for Ethernet");
  }
  for (const LinkInfo& child : links) {
    if (child.kind != "ipoib" || child.parent != vf_.link->index) continue;
    if (child.index == vf_.link->index || child.parent_elsewhere) continue;
    throw Error(Code::kInvalidConfig, "deviceID " + config_.device + ": interface " + child.name +
                                          " is a child of its " + vf_.link->name +
                                          ", and would be lost: remove it first");
  }
}

// What is to be set on the PF, and whether the VF's driver has to be bound anew for it.
void IbSriov::plan_guid() {
  if (config_.link_state) {
    if (!vf_.state || !vf_.state->link_state) {
      throw Error(Code::kInvalidConfig, "ibsriov.linkState: the PF of VF " + config_.device +
                                            " is not visible here, or does not have it");
    }
    wanted_.link_state = config_.link_state;
  }
  const uint64_t hardware = vf_.link ? port_guid(vf_.link->address) : kNoGuid;
  if (!config_.guid) {
    if (config_.ib_kubernetes) {
      throw Error(Code::kTryAgainLater,
                  "ibKubernetesEnabled: ib-kubernetes has given this Pod no GUID yet (neither "
                  "runtimeConfig.infinibandGUID nor args.cni.guid is there)");
    }
    if (vf_.userspace || (hardware != 0 && hardware != kNoGuid)) return;
    throw Error(Code::kInvalidConfig,
                "VF " + config_.device + " has GUID " + guid_text(hardware) +
                    ", which is none: give it one with `ip link set PF vf N node_guid GUID`, "
                    "or have ib-kubernetes give it (ibKubernetesEnabled)");
  }
  if (!vf_.state || !vf_.state->node_guid || !vf_.state->port_guid) {
    throw Error(Code::kInvalidConfig, "GUID " + guid_text(*config_.guid) + ": the PF of VF " +
                                          config_.device +
                                          " is not visible here, or sets none for its VFs");
  }
  if (vf_.state->node_guid != config_.guid) wanted_.node_guid = config_.guid;
  if (vf_.state->port_guid != config_.guid) wanted_.port_guid = config_.guid;
  rebind_ = !vf_.userspace && hardware != *config_.guid;
}

// A pkey is the subnet manager's to give. With ib-kubernetes it becomes the VF's own; otherwise the
// Pod gets a child of the VF's interface in that partition, unless the VF is in it already.
void IbSriov::plan_partition(const PlanContext& context, Json& link) const {
  if (!config_.pkey) return;
  if (vf_.userspace) {
    log_info("pkey " + pkey_text(*config_.pkey) + " of VF " + config_.device +
             " is for the subnet manager and its program: there is no interface");
    return;
  }
  if (config_.ib_kubernetes) return;
  const uint16_t now = vf_.link->ipoib_pkey.value_or(0) & static_cast<uint16_t>(~kFullMember);
  if (now == *config_.pkey) return;
  require_pkey(sysfs_, config_.device, vf_.link->name, *config_.pkey);
  std::string parent = context.request.ifname.substr(0, IFNAMSIZ - 2) + "p";
  if (context.pod.find_link(parent)) {
    throw Error(Code::kInvalidConfig, "interface " + parent +
                                          " already exists in the container; it is needed for the "
                                          "VF of which " +
                                          context.request.ifname + " becomes a child");
  }
  link["parent"] = parent;
}

LinkPlan IbSriov::plan(const PlanContext& context) {
  if (config_.ib_kubernetes && app_ != "configured") {
    throw Error(Code::kTryAgainLater,
                "ibKubernetesEnabled: ib-kubernetes has not configured this Pod yet "
                "(args.cni[\"mellanox.infiniband.app\"] is \"" +
                    app_ + "\", not \"configured\")");
  }
  vf_ = inspect_vf(context.host, sysfs_, config_.device);
  const std::vector<LinkInfo> links = context.host.links();
  check_device(links);
  if (config_.guid) require_foreign_to_host(links, sysfs_, config_.device, *config_.guid);
  if (requested_mac(context.config, context.request, "", "")) {
    throw Error(Code::kInvalidConfig,
                "a MAC is asked for: the kernel makes that of an IPoIB interface");
  }
  plan_guid();
  LinkPlan plan;
  plan.link = vf_.to_json();
  plan.link["pciID"] = vf_.function.address;
  plan_partition(context, plan.link);
  if (config_.rdma.isolation && !vf_.userspace) {
    plan.link["rdma"] = plan_rdma(sysfs_, config_.device, &*vf_.link, config_.rdma);
  }
  if (rebind_ || plan.link.find("rdma") != nullptr) plan.lock = kRdmaLock;
  plan.has_netdev = !vf_.userspace;
  plan.carrier_comes_late = true;
  plan.mac_is_fixed = true;
  if (vf_.physical) plan.master = vf_.physical->name;
  if (context.config.ipam.match_master_subnet) {
    if (!vf_.physical) {
      throw Error(Code::kInvalidConfig, "matchMasterSubnet: the PF of VF " + config_.device +
                                            " is not visible here, so neither are its addresses");
    }
    plan.master_addresses = addresses_around(context.host, *vf_.physical);
  }
  return plan;
}

void IbSriov::set_up_physical_side(const PlanContext& context, Json& link) {
  if (vf_.state) set_vf(context.host, vf_.handle(), wanted_);
  if (!rebind_) return;
  rebind_vf(context.host, sysfs_, vf_);
  if (const uint64_t now = port_guid(vf_.link->address); now != *config_.guid) {
    throw Error(Code::kKernel, "VF " + config_.device + " has GUID " + guid_text(now) +
                                   " after its driver was bound anew, not " +
                                   guid_text(*config_.guid));
  }
  if (link.find("rdma") != nullptr) {
    // It is another one now, and has to be found by whoever undoes this.
    const Json again = plan_rdma(sysfs_, config_.device, &*vf_.link, config_.rdma);
    link["rdma"]["index"] = again.at("index");
    context.save();
  }
}

// The move of the RDMA device makes the IPoIB interface anew: in the host up to Linux 6.x, in the
// Pod from 7.0 on.
LinkInfo IbSriov::move(const PlanContext& context, const Netns& pod_netns, const Json& link) {
  const Json* parent = link.find("parent");
  const std::string name = parent != nullptr ? parent->as_string() : context.request.ifname;
  if (const Json* rdma = link.find("rdma")) {
    lend_rdma(sysfs_, pod_netns, *rdma);
    auto found = find_device_link(context.pod, config_.device);
    if (found) {
      context.pod.send(rename_message(found->index, name), "rename " + found->name + " to " + name);
      found->name = name;
      return *found;
    }
    vf_.link = find_device_link(context.host, config_.device);
    if (!vf_.link) {
      throw Error(Code::kKernel,
                  "VF " + config_.device + " has no interface after its RDMA device was moved");
    }
  }
  return lend_vf(context.host, context.pod, pod_netns.fd(), vf_, name, vf_.link->mtu);
}

LinkInfo IbSriov::make_child(RouteSocket& pod, const LinkInfo& parent,
                             const std::string& name) const {
  NewLink child;
  child.kind = "ipoib";
  child.name = name;
  child.parent = parent.index;
  child.info_data =
      ipoib_info({static_cast<uint16_t>(*config_.pkey | kFullMember), parent.ipoib_mode, {}});
  NetlinkBatch batch;
  batch.add(link_up_message(parent.index, true), "set " + parent.name + " up");
  batch.add(new_link_message(child),
            "create ipoib " + name + " in partition " + pkey_text(*config_.pkey | kFullMember));
  pod.send(batch);
  const auto made = pod.find_link(name);
  if (!made) throw Error(Code::kKernel, "ipoib " + name + " is gone right after it was made");
  return *made;
}

// UFM puts the partition that it was told of first into the VF's table.
void IbSriov::require_partition(const LinkInfo& link) const {
  const uint16_t now = link.ipoib_pkey.value_or(0);
  if ((now & ~kFullMember) == *config_.pkey) return;
  throw Error(Code::kTryAgainLater, "VF " + config_.device + " is in partition " + pkey_text(now) +
                                        ": the subnet manager has not put it into " +
                                        pkey_text(*config_.pkey | kFullMember) + " yet");
}

LinkInfo IbSriov::attach(const PlanContext& context, const Netns& pod_netns, Json& link) {
  set_up_physical_side(context, link);
  if (vf_.userspace) {
    LinkInfo none;
    none.name = context.request.ifname;
    return none;
  }
  LinkInfo made = move(context, pod_netns, link);
  if (link.find("rdma") == nullptr) {
    report_unmoved_rdma(sysfs_, pod_netns, config_.device, made);
  }
  if (link.find("parent") != nullptr) {
    link["parentIndex"] = made.index;
    made = make_child(context.pod, made, context.request.ifname);
  } else if (config_.pkey) {
    require_partition(made);
  }
  link["index"] = made.index;
  // Up early: the carrier comes while the addresses are being made ready.
  std::string explanation;
  const int error = context.pod.send_while_busy(link_up_message(made.index, true), &explanation);
  if (error != 0) throw kernel_refusal("set " + made.name + " up", error, explanation);
  const auto now = context.pod.find_link(made.index);
  if (!now) throw Error(Code::kKernel, "VF " + made.name + " is gone right after it was moved");
  return *now;
}

void IbSriov::detach(RouteSocket& host, const PodSide* pod, const Attachment& attachment) {
  return_vf(host, pod, sysfs_, attachment.link);
}

// Which VF it will be is known at ADD only.
void IbSriov::status(RouteSocket&) {
  if (!config_.rdma.isolation) return;
  RdmaSocket rdma;
  require_exclusive_mode(rdma);
}

void IbSriov::check(RouteSocket&, const PodSide& pod, const LinkInfo& found,
                    const Attachment& attachment) {
  const std::string& device = attachment.link.at("device").as_string();
  if (!sysfs_.find_function(device)) {
    throw Error(Code::kCheckFailed, "VF " + device + " is gone");
  }
  const Json* parent = attachment.link.find("parentIndex");
  LinkInfo link = found;
  if (parent != nullptr) {
    const auto above = pod.route.find_link(static_cast<int>(parent->as_int()));
    if (!above || found.parent != above->index) {
      throw Error(Code::kCheckFailed,
                  "interface " + found.name + " is no longer a child of VF " + device);
    }
    link = *above;
  }
  if (link.index != 0 && link.parent_device != device) {
    throw Error(Code::kCheckFailed, "interface " + link.name + " is not on VF " + device +
                                        " but on \"" + link.parent_device + "\"");
  }
  if (const Json* rdma = attachment.link.find("rdma")) check_rdma(pod.netns, *rdma);
}

}  // namespace

std::unique_ptr<Backend> make_ib_sriov_backend() { return std::make_unique<IbSriov>(); }

}  // namespace railcni
