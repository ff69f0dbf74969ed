#include "plugins/ipoib/ipoib.h"

#include <linux/if_link.h>
#include <net/if.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "railcni/child_link.h"
#include "railcni/error.h"
#include "railcni/ipoib.h"
#include "railcni/log.h"
#include "railcni/namespaces.h"
#include "railcni/netdev_state.h"
#include "railcni/object_reader.h"
#include "railcni/pod_mac.h"
#include "railcni/rdma_device.h"
#include "railcni/uplink.h"
#include "railcni/way_home.h"

namespace railcni {
namespace {

constexpr const char* kModes[] = {"datagram", "connected"};
static_assert(IPOIB_MODE_DATAGRAM == 0 && IPOIB_MODE_CONNECTED == 1);

class Ipoib : public Backend {
 public:
  void configure(const NetworkConfig& config) override;
  LinkPlan plan(const PlanContext& context) override;
  LinkInfo attach(const PlanContext& context, const Netns& pod_netns, Json& link) override;
  void detach(RouteSocket& host, const PodSide* pod, const Attachment& attachment) override;
  void status(RouteSocket& host) override { find_master(host); }
  void check(RouteSocket& host, const PodSide& pod, const LinkInfo& found,
             const Attachment& attachment) override;

 private:
  LinkInfo find_master(RouteSocket& host) const;

  std::string master_;
  std::optional<uint16_t> pkey_;  // nothing: the master's partition
  std::optional<uint16_t> mode_;  // nothing: the master's
  uint16_t umcast_ = 1;           // as ipoib-cni has it
  uint32_t mtu_ = 0;              // 0: the kernel's choice
  Sysfs sysfs_;
};

void Ipoib::configure(const NetworkConfig& config) {
  ObjectReader reader(config.block, config.block_name);
  reader.allow({"ippools", "matchMasterSubnet"});  // the configuration's reader has read them
  const std::vector<std::string> masters = reader.string_or_strings("master");
  if (masters.size() != 1 || masters.front().empty()) {
    throw Error(Code::kInvalidConfig,
                reader.full_name("master") + ": must name one IPoIB interface of the host");
  }
  master_ = masters.front();
  const Json* pkey = reader.any("pkey");
  if (pkey != nullptr && !(pkey->is_string() && pkey->as_string().empty())) {
    pkey_ = parse_pkey(*pkey, reader.full_name("pkey"));
  }
  const std::string mode = reader.string("mode").value_or("");
  for (size_t i = 0; i < std::size(kModes); ++i) {
    if (mode == kModes[i]) mode_ = static_cast<uint16_t>(i);
  }
  if (!mode.empty() && !mode_) {
    throw Error(Code::kInvalidConfig,
                reader.full_name("mode") + " \"" + mode + "\": must be datagram or connected");
  }
  umcast_ = reader.boolean("umcast").value_or(true) ? 1 : 0;
  // 68 is the least MTU of IPv4 (RFC 791), 65520 the greatest of connected mode (RFC 4755).
  const int64_t mtu = reader.integer("mtu", 0, 65520).value_or(0);
  if (mtu > 0 && mtu < 68) {
    throw Error(Code::kInvalidConfig,
                reader.full_name("mtu") + ": must be 0 or at least 68, not " + std::to_string(mtu));
  }
  mtu_ = static_cast<uint32_t>(mtu);
  // Of the RDMA shared device plugin's resource, which Multus and the device plugin act on.
  reader.string("rdmaResourceName");
  reader.finish();
}

LinkInfo Ipoib::find_master(RouteSocket& host) const {
  const auto fail = [this](const std::string& why) {
    throw Error(Code::kInvalidConfig, "ipoib.master \"" + master_ + "\": " + why);
  };
  const auto master = host.find_link(master_);
  if (!master) fail("there is no such interface in the host");
  if (master->kind != "ipoib") {
    fail("it is not an IPoIB interface" +
         (master->kind.empty() ? std::string() : " but a " + master->kind));
  }
  // The kernel makes no children of children.
  if (master->parent_device.empty()) {
    fail("it is a child itself; name the interface that it is a child of, and its pkey here");
  }
  if ((master->flags & IFF_UP) == 0) {
    throw Error(Code::kKernel, "master " + master_ + " is down: bring it up first (ip link set " +
                                   master_ + " up)");
  }
  return *master;
}

LinkPlan Ipoib::plan(const PlanContext& context) {
  const LinkInfo master = find_master(context.host);
  if (requested_mac(context.config, context.request, "", "")) {
    throw Error(Code::kInvalidConfig,
                "a MAC is asked for: the kernel makes that of an IPoIB interface");
  }
  const uint16_t pkey = pkey_ ? *pkey_ : master.ipoib_pkey.value_or(0xffff);
  require_pkey(sysfs_, master.parent_device, master.name, pkey);
  LinkPlan plan;
  plan.link = Json::object(
      {{"master", master.name},
       {"device", master.parent_device},
       {"temporary", temporary_link_name({context.config.name, context.request.container_id,
                                          context.request.ifname})},
       {"pkey", static_cast<int64_t>(pkey | kFullMember)},
       {"mode", static_cast<int64_t>(mode_ ? *mode_ : master.ipoib_mode.value_or(0))}});
  if (mtu_ != 0) plan.link["mtu"] = mtu_;
  plan.carrier_comes_late = true;
  plan.mac_is_fixed = true;
  plan.master = master.name;
  if (context.config.ipam.match_master_subnet) {
    plan.master_addresses = addresses_around(context.host, master);
  }
  return plan;
}

// A child is made where its parent is, then moved.
LinkInfo Ipoib::attach(const PlanContext& context, const Netns& pod_netns, Json& link) {
  const LinkInfo master = find_master(context.host);
  NewLink wanted;
  wanted.kind = "ipoib";
  wanted.name = link.at("temporary").as_string();
  wanted.parent = master.index;
  wanted.info_data = ipoib_info({static_cast<uint16_t>(link.at("pkey").as_uint()),
                                 static_cast<uint16_t>(link.at("mode").as_uint()), umcast_});
  std::string explanation;
  int error = context.host.try_send(new_link_message(wanted), &explanation);
  if (error != 0) {
    throw kernel_refusal("create ipoib on master " + master.name + " in partition " +
                             pkey_text(static_cast<uint16_t>(link.at("pkey").as_uint())),
                         error, explanation);
  }
  const auto made = context.host.find_link(wanted.name);
  if (!made)
    throw Error(Code::kKernel, "ipoib " + wanted.name + " is gone right after it was made");
  // By its address it is found wherever it ends up.
  link["address"] = to_string(made->address);
  context.save();
  const std::string& name = context.request.ifname;
  error = context.host.try_send(move_link_message(made->index, pod_netns.fd(), name, mtu_),
                                &explanation);
  if (error != 0) {
    throw kernel_refusal("move ipoib into the container as " + name +
                             (mtu_ != 0 ? " with MTU " + std::to_string(mtu_) : ""),
                         error, explanation);
  }
  const auto moved = context.pod.find_link(name);
  if (!moved || moved->address != made->address) {
    throw Error(Code::kKernel, "ipoib " + name + " was moved into the container and is not there");
  }
  link["index"] = moved->index;
  context.pod.send(link_up_message(moved->index, true), "set " + name + " up");
  const auto now = context.pod.find_link(moved->index);
  if (!now) throw Error(Code::kKernel, "ipoib " + name + " is gone right after it was moved");
  return *now;
}

// Deletes the child where that namespace has it.
bool delete_child_in(RouteSocket& socket, const Json& record) {
  const Json* address = record.find("address");
  for (const LinkInfo& link : socket.links()) {
    if (link.kind != "ipoib" || !link.parent_device.empty()) continue;
    const bool is_ours = address != nullptr ? to_string(link.address) == address->as_string()
                                            : link.name == record.at("temporary").as_string();
    if (!is_ours) continue;
    const int error = socket.try_send(delete_link_message(link.index));
    if (error != 0 && error != ENODEV) {
      throw_errno(Code::kKernel, "delete ipoib " + link.name, error);
    }
    return true;
  }
  return false;
}

// Whether the kernel has the child in any namespace: its queue pair is there. Nothing where none
// can be: the RDMA device is gone, or the child was never moved.
std::optional<bool> exists_somewhere(const Sysfs& sysfs, const Json& record) {
  const Json* address = record.find("address");
  const auto bytes = address != nullptr ? parse_hw_address(address->as_string()) : std::nullopt;
  if (!bytes) return std::nullopt;
  RdmaSocket rdma;
  const auto device = find_rdma_device(rdma, sysfs, record.at("device").as_string(), nullptr);
  if (!device) return std::nullopt;
  return rdma.has_queue_pair(device->index, queue_pair(*bytes));
}

void Ipoib::detach(RouteSocket& host, const PodSide* pod, const Attachment& attachment) {
  if (pod != nullptr && delete_child_in(pod->route, attachment.link)) return;
  if (delete_child_in(host, attachment.link)) return;
  if (pod != nullptr) {
    each_other_namespace(
        pod, [&](RouteSocket& socket) { return delete_child_in(socket, attachment.link); });
    return;
  }
  int missed = 0;
  for (int tries = 0; tries < kHomeTries; ++tries) {
    const auto exists = exists_somewhere(sysfs_, attachment.link);
    missed = exists.value_or(false) ? 0 : missed + 1;
    if (!exists || missed > kGoneTries) return;
    usleep(kHomePause);
    if (delete_child_in(host, attachment.link)) return;
  }
  throw Error(Code::kIncomplete,
              "the IPoIB child of " + attachment.link.at("master").as_string() +
                  " is neither in the container nor in the host: something still holds the "
                  "network namespace that it is in");
}

void Ipoib::check(RouteSocket& host, const PodSide&, const LinkInfo& found,
                  const Attachment& attachment) {
  const auto fail = [&found](const std::string& why) {
    throw Error(Code::kCheckFailed, "interface " + found.name + ": " + why);
  };
  if (found.kind != "ipoib") fail("it is not an ipoib but \"" + found.kind + "\"");
  const std::string& name = attachment.link.at("master").as_string();
  const auto master = host.find_link(name);
  if (!master) fail("its master " + name + " is gone");
  if (found.parent != master->index) fail("it is no longer a child of " + name);
  if (found.ipoib_pkey && *found.ipoib_pkey != attachment.link.at("pkey").as_uint()) {
    fail("it is in partition " + pkey_text(*found.ipoib_pkey));
  }
}

}  // namespace

std::unique_ptr<Backend> make_ipoib_backend() { return std::make_unique<Ipoib>(); }

}  // namespace railcni
