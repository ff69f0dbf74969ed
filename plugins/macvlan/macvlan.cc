#include "plugins/macvlan/macvlan.h"

#include <linux/if_link.h>
#include <net/if.h>

#include <array>
#include <cerrno>

#include "railcni/error.h"
#include "railcni/object_reader.h"
#include "railcni/uplink.h"

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

HwAddress parse_mac(const std::string& text, const std::string& where) {
  const auto mac = parse_hw_address(text);
  if (!mac || mac->size() != 6) {
    throw Error(Code::kInvalidConfig,
                where + " \"" + text + "\": must be a MAC address such as 02:00:00:00:00:01");
  }
  // The kernel's is_valid_ether_addr(): not a group address, not all zero.
  if (((*mac)[0] & 1) != 0 || *mac == HwAddress(6, 0)) {
    throw Error(Code::kInvalidConfig,
                where + " \"" + text + "\": an interface's MAC is neither multicast nor zero");
  }
  return *mac;
}

struct Block {
  UplinkSpec uplink;
  bool link_in_container = false;
  std::string mode = "bridge";
  int64_t mtu = 0;
  std::optional<int64_t> bc_queue_length;
  std::string mac;
};

Block read_block(const NetworkConfig& config) {
  ObjectReader reader(config.block, config.block_name);
  reader.allow({"ippools", "matchMasterSubnet"});  // the configuration's reader has read them
  Block block;
  block.uplink = read_uplink(reader);
  block.link_in_container = reader.boolean("linkInContainer").value_or(false);
  block.mode = reader.string("mode").value_or("bridge");
  if (block.mode.empty()) block.mode = "bridge";
  // 68 is the least MTU of IPv4 (RFC 791); 0 inherits the master's.
  block.mtu = reader.integer("mtu", 0, 65535).value_or(0);
  if (block.mtu > 0 && block.mtu < 68) {
    throw Error(Code::kInvalidConfig, reader.full_name("mtu") + ": must be 0 or at least 68, not " +
                                          std::to_string(block.mtu));
  }
  block.bc_queue_length = reader.integer("bcqueuelen", 0, UINT32_MAX);
  block.mac = reader.string("mac").value_or("");
  // Of the RDMA shared device plugin's resource, which Multus and the device plugin act on.
  reader.string("rdmaResourceName");
  reader.finish();
  return block;
}

class Macvlan : public Backend {
 public:
  void configure(const NetworkConfig& config) override;
  LinkPlan plan(const PlanContext& context) override;
  LinkInfo attach(const PlanContext& context, const Netns& pod_netns, Json& link) override;
  void detach(RouteSocket& host, RouteSocket* pod, const Attachment& attachment) override;
  void status(RouteSocket& host) override;
  void check(RouteSocket& host, const LinkInfo& found, const Attachment& attachment) override;

 private:
  RouteSocket& uplink_socket(const PlanContext& context) const {
    return block_.link_in_container ? context.pod : context.host;
  }
  void check_master(const LinkInfo& master) const;
  void check_mtu(const LinkInfo& master) const;
  HwAddress choose_mac(const PlanContext& context, const std::optional<LinkInfo>& master) const;

  Block block_;
};

void Macvlan::check_master(const LinkInfo& master) const {
  if ((master.flags & IFF_UP) == 0) {
    throw Error(Code::kKernel, "master " + master.name +
                                   " is down: bring it up first (ip link set " + master.name +
                                   " up)");
  }
  check_mtu(master);
}

void Macvlan::check_mtu(const LinkInfo& master) const {
  if (block_.mtu > master.mtu) {
    throw Error(Code::kInvalidConfig, "macvlan.mtu " + std::to_string(block_.mtu) +
                                          ": must be at most the MTU of master " + master.name +
                                          ", " + std::to_string(master.mtu));
  }
}

// runtimeConfig before CNI_ARGS before the configuration, as the reference plugin ranks them.
HwAddress Macvlan::choose_mac(const PlanContext& context,
                              const std::optional<LinkInfo>& master) const {
  std::string text = context.config.runtime_mac;
  std::string where = "runtimeConfig.mac";
  if (text.empty()) {
    text = context.request.arg("MAC");
    where = "CNI_ARGS MAC";
  }
  if (text.empty()) {
    text = block_.mac;
    where = "macvlan.mac";
  }
  if (block_.mode == "passthru") {
    if (!text.empty()) {
      throw Error(Code::kInvalidConfig,
                  where + ": a passthru macvlan has the MAC of its master; remove one of the two");
    }
    // What a detach goes by until the link's index is recorded.
    if (!master) {
      throw Error(Code::kInvalidConfig, "macvlan.mode passthru: master " + block_.uplink.name() +
                                            " must be there already");
    }
    return master->address;
  }
  // The plan has to know it: until the link's index is recorded the address is what tells our link
  // from anybody else's.
  return text.empty() ? random_mac() : parse_mac(text, where);
}

void Macvlan::configure(const NetworkConfig& config) {
  block_ = read_block(config);
  find_mode(block_.mode);
  if (!block_.mac.empty()) parse_mac(block_.mac, "macvlan.mac");
}

LinkPlan Macvlan::plan(const PlanContext& context) {
  const Mode& mode = find_mode(block_.mode);
  RouteSocket& socket = uplink_socket(context);
  if (block_.uplink.masters.empty()) {
    const std::string device = default_route_device(socket);
    block_.uplink.masters.push_back(device);
  }
  const std::optional<LinkInfo> master = find_uplink(socket, block_.uplink);

  LinkPlan plan;
  plan.master = block_.uplink.name();
  if (master) {
    check_master(*master);
    if (context.config.ipam.match_master_subnet) {
      plan.master_addresses = addresses_around(socket, *master);
    }
  } else {
    // Two Pods that need the same missing bond or VLAN must not both make it.
    plan.lock = "uplink/" + plan.master;
  }
  plan.link = Json::object({{"master", plan.master},
                            {"mode", mode.value},
                            {"mac", to_string(choose_mac(context, master))}});
  plan.mac_is_fixed = block_.mode == "passthru";
  if (block_.link_in_container) plan.link["linkInContainer"] = true;
  if (block_.mtu > 0) plan.link["mtu"] = block_.mtu;
  if (block_.bc_queue_length) plan.link["bcqueuelen"] = *block_.bc_queue_length;
  return plan;
}

LinkInfo Macvlan::attach(const PlanContext& context, const Netns& pod_netns, Json& link) {
  RouteSocket& socket = uplink_socket(context);
  const LinkInfo master = ensure_uplink(socket, block_.uplink);
  check_mtu(master);  // a master that has just been made was not there for the plan to check
  NewLink wanted;
  wanted.kind = "macvlan";
  wanted.name = context.request.ifname;
  wanted.parent = master.index;
  if (!block_.link_in_container) wanted.netns_fd = pod_netns.fd();
  wanted.mtu = static_cast<uint32_t>(block_.mtu);
  const uint32_t mode = static_cast<uint32_t>(link.at("mode").as_uint());
  if (mode != MACVLAN_MODE_PASSTHRU) {
    wanted.address = parse_hw_address(link.at("mac").as_string()).value();
  }
  wanted.info_data = [&](NetlinkMessage& data) {
    data.put_u32(IFLA_MACVLAN_MODE, mode);
    if (block_.bc_queue_length) {
      data.put_u32(IFLA_MACVLAN_BC_QUEUE_LEN, static_cast<uint32_t>(*block_.bc_queue_length));
    }
  };
  socket.send(new_link_message(wanted),
              "create macvlan " + wanted.name + " on master " + master.name);
  const auto made = context.pod.find_link(wanted.name);
  if (!made) {
    throw Error(Code::kKernel, "macvlan " + wanted.name + " is gone right after it was made");
  }
  link["index"] = made->index;
  return *made;
}

void Macvlan::detach(RouteSocket&, RouteSocket* pod, const Attachment& attachment) {
  // A macvlan dies with its namespace.
  if (pod == nullptr) return;
  const Json* index = attachment.link.find("index");
  const std::string mac = attachment.link.at("mac").as_string();
  // Once its index is recorded that is the link's identity, whatever name or MAC it has been given
  // since; before that (the ADD died), no one can have changed name and MAC.
  const std::optional<LinkInfo> found = index != nullptr
                                            ? pod->find_link(static_cast<int>(index->as_int()))
                                            : pod->find_link(attachment.key.ifname);
  if (!found || found->kind != "macvlan") return;
  if (index == nullptr && to_string(found->address) != mac) return;
  std::string explanation;
  const int error = pod->try_send(delete_link_message(found->index), &explanation);
  if (error != 0 && error != ENODEV) {
    throw Error(Code::kKernel, "delete macvlan " + found->name + ": " + errno_text(error) +
                                   (explanation.empty() ? "" : " (" + explanation + ")"));
  }
}

void Macvlan::status(RouteSocket& host) {
  if (block_.link_in_container) return;  // its master is a Pod's affair
  if (block_.uplink.masters.empty()) block_.uplink.masters = {default_route_device(host)};
  if (const auto master = find_uplink(host, block_.uplink)) check_master(*master);
}

void Macvlan::check(RouteSocket& host, const LinkInfo& found, const Attachment& attachment) {
  const auto fail = [&found](const std::string& why) {
    throw Error(Code::kCheckFailed, "interface " + found.name + ": " + why);
  };
  if (found.kind != "macvlan") fail("it is not a macvlan but \"" + found.kind + "\"");
  const uint64_t mode = attachment.link.at("mode").as_uint();
  if (found.macvlan_mode && *found.macvlan_mode != mode) {
    for (const Mode& known : kModes) {
      if (known.value == mode) fail("its macvlan mode is no longer " + std::string(known.name));
    }
  }
  if (attachment.link.find("linkInContainer") != nullptr) return;
  const std::string master_name = attachment.link.at("master").as_string();
  const auto master = host.find_link(master_name);
  if (!master) fail("its master " + master_name + " is gone");
  if (found.parent != master->index) fail("it is no longer a child of " + master_name);
}

}  // namespace

std::unique_ptr<Backend> make_macvlan_backend() { return std::make_unique<Macvlan>(); }

}  // namespace railcni
