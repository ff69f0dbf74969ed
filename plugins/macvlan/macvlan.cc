#include "plugins/macvlan/macvlan.h"

#include <linux/if_link.h>

#include <array>

#include "railcni/child_link.h"
#include "railcni/error.h"
#include "railcni/object_reader.h"
#include "railcni/pod_mac.h"

namespace railcni {
namespace {

struct Mode {
  std::string_view name;
  uint32_t value;  // MACVLAN_MODE_* of <linux/if_link.h>
};
constexpr std::array<Mode, 4> kModes = {{{"bridge", MACVLAN_MODE_BRIDGE},
                                         {"private", MACVLAN_MODE_PRIVATE},
                                         {"vepa", MACVLAN_MODE_VEPA},
                                         {"passthru", MACVLAN_MODE_PASSTHRU}}};

const Mode& find_mode(const std::string& name) {
  for (const Mode& mode : kModes) {
    if (mode.name == name) return mode;
  }
  throw Error(Code::kInvalidConfig,
              "macvlan.mode \"" + name + "\": must be bridge, private, vepa or passthru");
}

class Macvlan : public Backend {
 public:
  void configure(const NetworkConfig& config) override;
  LinkPlan plan(const PlanContext& context) override;
  LinkInfo attach(const PlanContext& context, const Netns& pod_netns, Json& link) override;
  void detach(RouteSocket& host, const PodSide* pod, const Attachment& attachment) override;
  void status(RouteSocket& host) override { check_child_master(host, block_); }
  void check(RouteSocket& host, const PodSide&, const LinkInfo& found,
             const Attachment& attachment) override;

 private:
  HwAddress choose_mac(const PlanContext& context);

  ChildBlock block_;
  const Mode* mode_ = &kModes.front();
  std::optional<int64_t> bc_queue_length_;
  std::string mac_;
};

HwAddress Macvlan::choose_mac(const PlanContext& context) {
  const auto asked = requested_mac(context.config, context.request, mac_, "macvlan.mac");
  if (mode_->value == MACVLAN_MODE_PASSTHRU) {
    if (asked) {
      throw Error(Code::kInvalidConfig, "mac " + to_string(*asked) +
                                            ": a passthru macvlan has the MAC of its master; "
                                            "remove one of the two");
    }
    // What a detach goes by until the link's index is recorded.
    const auto master = find_uplink(master_socket(context, block_), block_.uplink);
    if (!master) {
      throw Error(Code::kInvalidConfig, "macvlan.mode passthru: master " + block_.uplink.name() +
                                            " must be there already");
    }
    return master->address;
  }
  // The plan has to know it: until the link's index is recorded the address is what tells our link
  // from anybody else's.
  return asked ? *asked : random_mac();
}

void Macvlan::configure(const NetworkConfig& config) {
  ObjectReader reader(config.block, config.block_name);
  block_ = read_child_block(reader);
  const std::string mode = reader.string("mode").value_or("");
  if (!mode.empty()) mode_ = &find_mode(mode);
  bc_queue_length_ = reader.integer("bcqueuelen", 0, UINT32_MAX);
  mac_ = reader.string("mac").value_or("");
  reader.finish();
  if (!mac_.empty()) parse_pod_mac(mac_, "macvlan.mac");
}

LinkPlan Macvlan::plan(const PlanContext& context) {
  LinkPlan plan = plan_child(context, block_);
  plan.mac_is_fixed = mode_->value == MACVLAN_MODE_PASSTHRU;
  plan.link["mode"] = mode_->value;
  plan.link["mac"] = to_string(choose_mac(context));
  if (bc_queue_length_) plan.link["bcqueuelen"] = *bc_queue_length_;
  return plan;
}

LinkInfo Macvlan::attach(const PlanContext& context, const Netns& pod_netns, Json& link) {
  NewLink wanted;
  wanted.kind = "macvlan";
  if (mode_->value != MACVLAN_MODE_PASSTHRU) {
    wanted.address = parse_hw_address(link.at("mac").as_string()).value();
  }
  wanted.info_data = [this](NetlinkMessage& data) {
    data.put_u32(IFLA_MACVLAN_MODE, mode_->value);
    if (bc_queue_length_) {
      data.put_u32(IFLA_MACVLAN_BC_QUEUE_LEN, static_cast<uint32_t>(*bc_queue_length_));
    }
  };
  return make_child(context, pod_netns, block_, std::move(wanted), link);
}

void Macvlan::detach(RouteSocket&, const PodSide* pod, const Attachment& attachment) {
  delete_child(pod, attachment, "macvlan", [&attachment](const LinkInfo& link) {
    return to_string(link.address) == attachment.link.at("mac").as_string();
  });
}

void Macvlan::check(RouteSocket& host, const PodSide&, const LinkInfo& found,
                    const Attachment& attachment) {
  check_child(host, found, attachment, "macvlan");
  const uint64_t mode = attachment.link.at("mode").as_uint();
  if (!found.macvlan_mode || *found.macvlan_mode == mode) return;
  for (const Mode& known : kModes) {
    if (known.value == mode) {
      throw Error(
          Code::kCheckFailed,
          "interface " + found.name + ": its macvlan mode is no longer " + std::string(known.name));
    }
  }
}

}  // namespace

std::unique_ptr<Backend> make_macvlan_backend() { return std::make_unique<Macvlan>(); }

}  // namespace railcni
