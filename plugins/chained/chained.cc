#include "plugins/chained/chained.h"

#include <cerrno>

#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/rdma_device.h"

namespace railcni {
namespace {

class Chained : public Backend {
 public:
  void configure(const NetworkConfig& config) override {
    rdma_.isolation = config.rdma_isolation;
    rdma_.pod_name = config.rdma_device_name;
    check_rdma_config(rdma_, "rdmaDeviceName");
    device_ = config.device_id;
    // A PCI address in one spelling; an auxiliary device's name stays.
    if (const auto address = parse_pci_address(device_)) device_ = *address;
    if (rdma_.isolation && (device_.find('/') != std::string::npos || device_.starts_with('.'))) {
      throw Error(Code::kInvalidConfig,
                  "deviceID \"" + device_ +
                      "\": must be a PCI address such as 0000:3b:00.2, or an auxiliary device's "
                      "name such as mlx5_core.sf.4");
    }
  }

  std::vector<std::string> devices() const override {
    if (!rdma_.isolation || device_.empty()) return {};
    // The device itself may be claimed by the plugin before, if that is railcni too.
    return {std::string(kRdmaClaim) + device_};
  }

  LinkPlan plan(const PlanContext& context) override {
    const LinkInfo link = find(context);
    LinkPlan plan;
    plan.link = Json::object({{"index", link.index}, {"oldMac", to_string(link.address)}});
    if (rdma_.isolation) {
      plan.link["rdma"] = plan_rdma(sysfs_, rdma_function(link), nullptr, rdma_);
      plan.lock = kRdmaLock;
    }
    return plan;
  }

  LinkInfo attach(const PlanContext& context, const Netns& pod_netns, Json& link) override {
    if (const Json* rdma = link.find("rdma")) lend_rdma(sysfs_, pod_netns, *rdma);
    LinkInfo found = find(context);
    if (const Json* mac = link.find("mac")) {
      const HwAddress address = parse_hw_address(mac->as_string()).value();
      context.pod.send(hw_address_message(found.index, address),
                       "set the MAC of " + found.name + " to " + mac->as_string());
      found.address = address;
    }
    return found;
  }

  void detach(RouteSocket&, const PodSide* pod, const Attachment& attachment) override {
    if (const Json* rdma = attachment.link.find("rdma")) {
      return_rdma(sysfs_, pod != nullptr ? &pod->netns : nullptr, *rdma);
    }
    if (pod == nullptr || attachment.link.find("mac") == nullptr) return;
    const auto found = pod->route.find_link(static_cast<int>(attachment.link.at("index").as_int()));
    // Somebody after us may have set another one, which is not ours to take away.
    if (!found || to_string(found->address) != attachment.link.at("mac").as_string()) return;
    const auto old = parse_hw_address(attachment.link.at("oldMac").as_string());
    if (!old) return;
    // The Pod may have made it impossible (a port of a bond of its own): its interface, its affair.
    std::string explanation;
    const int error = pod->route.try_send(hw_address_message(found->index, *old), &explanation);
    if (error != 0 && error != ENODEV) {
      log_warning(
          kernel_refusal("give " + found->name + " its MAC back", error, explanation).msg());
    }
  }

  void status(RouteSocket&) override {
    if (!rdma_.isolation) return;
    RdmaSocket socket;
    require_exclusive_mode(socket);
  }

  void check(RouteSocket&, const PodSide& pod, const LinkInfo&,
             const Attachment& attachment) override {
    if (const Json* rdma = attachment.link.find("rdma")) check_rdma(pod.netns, *rdma);
  }

 private:
  // The function, or auxiliary device, whose RDMA device the Pod is to have: of its interface there
  // is nothing in the host to go by.
  std::string rdma_function(const LinkInfo& link) const {
    if (device_.empty()) {
      if (!link.parent_device.empty()) return link.parent_device;
      throw Error(Code::kInvalidConfig, "rdmaIsolation: interface " + link.name +
                                            " is on no device, so that none has an RDMA device "
                                            "for it: name one in deviceID");
    }
    const auto function = sysfs_.find_function(device_);
    // A whole NIC is the Pod's when its interface is.
    if (function && function->is_physical && link.parent_device != device_) {
      throw Error(Code::kInvalidConfig,
                  "deviceID " + device_ + ": this is a physical function, and interface " +
                      link.name + " is not on it: its RDMA device is not the Pod's to have");
    }
    return device_;
  }

  static LinkInfo find(const PlanContext& context) {
    const auto link = context.pod.find_link(context.request.ifname);
    if (!link) {
      throw Error(Code::kInvalidConfig,
                  "interface " + context.request.ifname +
                      " is not in the container: without cniType, railcni follows the plugin that "
                      "makes it");
    }
    return *link;
  }

  RdmaConfig rdma_;
  std::string device_;
  Sysfs sysfs_;
};

}  // namespace

std::unique_ptr<Backend> make_chained_backend() { return std::make_unique<Chained>(); }

}  // namespace railcni
