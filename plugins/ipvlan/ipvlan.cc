#include "plugins/ipvlan/ipvlan.h"

#include <linux/if_link.h>

#include <array>
#include <cerrno>

#include "railcni/child_link.h"
#include "railcni/error.h"
#include "railcni/object_reader.h"

namespace railcni {
namespace {

constexpr std::array<std::string_view, 3> kModes = {"l2", "l3", "l3s"};
static_assert(IPVLAN_MODE_L2 == 0 && IPVLAN_MODE_L3 == 1 && IPVLAN_MODE_L3S == 2);

uint16_t parse_mode(const std::string& name) {
  for (uint16_t mode = 0; mode < kModes.size(); ++mode) {
    if (kModes[mode] == name) return mode;
  }
  throw Error(Code::kInvalidConfig, "ipvlan.mode \"" + name + "\": must be l2, l3 or l3s");
}

class Ipvlan : public Backend {
 public:
  void configure(const NetworkConfig& config) override;
  LinkPlan plan(const PlanContext& context) override;
  LinkInfo attach(const PlanContext& context, const Netns& pod_netns, Json& link) override;
  void detach(RouteSocket& host, const PodSide* pod, const Attachment& attachment) override;
  void status(RouteSocket& host) override { check_child_master(host, block_); }
  void check(RouteSocket& host, const PodSide&, const LinkInfo& found,
             const Attachment& attachment) override;

 private:
  ChildBlock block_;
  uint16_t mode_ = IPVLAN_MODE_L2;
};

void Ipvlan::configure(const NetworkConfig& config) {
  ObjectReader reader(config.block, config.block_name);
  block_ = read_child_block(reader);
  const std::string mode = reader.string("mode").value_or("");
  if (!mode.empty()) mode_ = parse_mode(mode);
  reader.finish();
}

LinkPlan Ipvlan::plan(const PlanContext& context) {
  if (!context.config.runtime_mac.empty() || !context.request.arg("MAC").empty()) {
    throw Error(Code::kInvalidConfig, "a MAC is asked for: an ipvlan has its master's");
  }
  LinkPlan plan = plan_child(context, block_);
  plan.mac_is_fixed = true;
  plan.link["mode"] = static_cast<int64_t>(mode_);
  return plan;
}

LinkInfo Ipvlan::attach(const PlanContext& context, const Netns& pod_netns, Json& link) {
  NewLink wanted;
  wanted.kind = "ipvlan";
  wanted.info_data = [this](NetlinkMessage& data) { data.put_u16(IFLA_IPVLAN_MODE, mode_); };
  return make_child(context, pod_netns, block_, std::move(wanted), link);
}

void Ipvlan::detach(RouteSocket&, const PodSide* pod, const Attachment& attachment) {
  // All children of one master have one MAC: until its index is recorded, kind and name are all
  // there is to tell ours by. The plan saw that the name was free, and make_child() records it when
  // the kernel says that it was not.
  delete_child(pod, attachment, "ipvlan", [&attachment](const LinkInfo&) {
    return attachment.link.find("nameTaken") == nullptr;
  });
}

void Ipvlan::check(RouteSocket& host, const PodSide&, const LinkInfo& found,
                   const Attachment& attachment) {
  check_child(host, found, attachment, "ipvlan");
  const uint64_t mode = attachment.link.at("mode").as_uint();
  if (found.ipvlan_mode && *found.ipvlan_mode != mode && mode < kModes.size()) {
    throw Error(Code::kCheckFailed, "interface " + found.name + ": its ipvlan mode is no longer " +
                                        std::string(kModes[mode]));
  }
}

}  // namespace

std::unique_ptr<Backend> make_ipvlan_backend() { return std::make_unique<Ipvlan>(); }

}  // namespace railcni
