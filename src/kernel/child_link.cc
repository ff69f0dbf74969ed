#include "railcni/child_link.h"

#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "railcni/error.h"
#include "railcni/namespaces.h"
#include "railcni/netdev_state.h"

namespace railcni {
namespace {

void check_mtu(const ChildBlock& block, const std::string& master, uint32_t master_mtu) {
  if (block.mtu > master_mtu) {
    throw Error(Code::kInvalidConfig, block.path + ".mtu " + std::to_string(block.mtu) +
                                          ": must be at most the MTU of master " + master + ", " +
                                          std::to_string(master_mtu));
  }
}

void check_master(const ChildBlock& block, const LinkInfo& master) {
  if ((master.flags & IFF_UP) == 0) {
    throw Error(Code::kKernel, "master " + master.name +
                                   " is down: bring it up first (ip link set " + master.name +
                                   " up)");
  }
  check_mtu(block, master.name, master.mtu);
}

// The master, where there is one that needs nothing done to it.
std::optional<LinkInfo> find_master(RouteSocket& socket, ChildBlock& block) {
  if (block.uplink.masters.empty()) block.uplink.masters = {default_route_device(socket)};
  std::optional<LinkInfo> master = find_uplink(socket, block.uplink);
  if (master) check_master(block, *master);
  return master;
}

}  // namespace

ChildBlock read_child_block(ObjectReader& reader) {
  reader.allow({"ippools", "matchMasterSubnet"});  // the configuration's reader has read them
  ChildBlock block;
  block.path = reader.full_name("");
  block.path.pop_back();  // the dot
  block.uplink = read_uplink(reader);
  block.link_in_container = reader.boolean("linkInContainer").value_or(false);
  // 68 is the least MTU of IPv4 (RFC 791); 0 inherits the master's.
  const int64_t mtu = reader.integer("mtu", 0, 65535).value_or(0);
  if (mtu > 0 && mtu < 68) {
    throw Error(Code::kInvalidConfig,
                reader.full_name("mtu") + ": must be 0 or at least 68, not " + std::to_string(mtu));
  }
  block.mtu = static_cast<uint32_t>(mtu);
  // Of the RDMA shared device plugin's resource, which Multus and the device plugin act on.
  reader.string("rdmaResourceName");
  return block;
}

RouteSocket& master_socket(const PlanContext& context, const ChildBlock& block) {
  return block.link_in_container ? context.pod : context.host;
}

void check_child_master(RouteSocket& host, ChildBlock& block) {
  if (!block.link_in_container) find_master(host, block);  // else it is a Pod's affair
}

LinkPlan plan_child(const PlanContext& context, ChildBlock& block) {
  RouteSocket& socket = master_socket(context, block);
  const std::optional<LinkInfo> master = find_master(socket, block);
  LinkPlan plan;
  plan.master = block.uplink.name();
  // Two Pods that need the same missing bond or VLAN must not both make it, nor one take it away
  // that another is about to use.
  plan.lock = uplink_lock(socket, block.uplink, master);
  if (!master) {
    check_mtu(block, plan.master, uplink_mtu(socket, block.uplink));
  } else if (context.config.ipam.match_master_subnet) {
    plan.master_addresses = addresses_around(socket, *master);
  }
  plan.link = Json::object({{"master", plan.master}});
  if (block.link_in_container) plan.link["linkInContainer"] = true;
  if (block.mtu > 0) plan.link["mtu"] = block.mtu;
  return plan;
}

std::string temporary_link_name(const AttachmentKey& key) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : key.to_string()) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  char name[IFNAMSIZ];
  snprintf(name, sizeof name, "rc%013llx", static_cast<unsigned long long>(hash & 0xfffffffffffff));
  return name;
}

namespace {

// The link in the Pod that was made a moment ago, and what it is known by from now on.
LinkInfo find_made(RouteSocket& pod, const NewLink& wanted, Json& record) {
  const auto made = pod.find_link(wanted.name);
  if (!made) {
    throw Error(Code::kKernel,
                wanted.kind + " " + wanted.name + " is gone right after it was made");
  }
  record["index"] = made->index;
  record["masterIndex"] = made->parent;
  record["masterNsid"] = made->parent_netnsid;
  return *made;
}

// Before Linux 6.14 the kernel wants the name of a new link to be free in the namespace of the
// socket as well as in the one that the link is made in (rtnl_newlink() looks for it in the
// first). There a name that nobody has does, until the link has its own in the Pod.
LinkInfo make_renamed(RouteSocket& socket, RouteSocket& pod, NewLink wanted,
                      const std::string& temporary, Json& link) {
  const std::string name = wanted.name;
  wanted.name = temporary;
  const std::string what = "create " + wanted.kind + " " + name + " as " + temporary;
  std::string explanation;
  int error = socket.try_send(new_link_message(wanted), &explanation);
  if (error != 0) throw kernel_refusal(what, error, explanation);
  LinkInfo made = find_made(pod, wanted, link);
  error = pod.try_send(rename_message(made.index, name), &explanation);
  if (error != 0) throw kernel_refusal(what + " and rename it", error, explanation);
  made.name = name;
  return made;
}

}  // namespace

LinkInfo make_child(const PlanContext& context, const Netns& pod_netns, const ChildBlock& block,
                    NewLink wanted, Json& link) {
  RouteSocket& socket = master_socket(context, block);
  const LinkInfo master = ensure_uplink(socket, block.uplink, [&](Json made) {
    link["made"] = std::move(made);
    context.save();
  });
  check_mtu(block, master.name, master.mtu);  // it may have changed since the plan
  wanted.name = context.request.ifname;
  wanted.parent = master.index;
  if (!block.link_in_container) wanted.netns_fd = pod_netns.fd();
  wanted.mtu = block.mtu;
  std::string explanation;
  const int error = socket.try_send(new_link_message(wanted), &explanation);
  if (error == EEXIST && !block.link_in_container && !context.pod.find_link(wanted.name)) {
    return make_renamed(socket, context.pod, std::move(wanted),
                        temporary_link_name({context.config.name, context.request.container_id,
                                             context.request.ifname}),
                        link);
  }
  if (error != 0) {
    if (error == EEXIST) link["nameTaken"] = true;
    throw kernel_refusal("create " + wanted.kind + " " + wanted.name + " on master " + master.name,
                         error, explanation);
  }
  return find_made(context.pod, wanted, link);
}

namespace {

// How often a link is looked for that its Pod moves from namespace to namespace.
constexpr int kDeleteTries = 20;

// Deletes it; false when it went elsewhere meanwhile.
bool delete_found(RouteSocket& socket, const LinkInfo& link) {
  std::string explanation;
  const int error = socket.try_send(delete_link_message(link.index), &explanation);
  if (error == ENODEV) return false;
  if (error != 0) {
    throw kernel_refusal("delete " + link.kind + " " + link.name, error, explanation);
  }
  return true;
}

// What tells the link of a record from others. Its master and the namespace of that are what nobody
// can change: a namespace knows another one by the same number for good.
struct ChildIdentity {
  std::string kind;
  int index = 0;
  std::optional<int> master;  // its index; nothing in a record of an earlier version
  int master_netnsid = -1;    // in the Pod; -1: the Pod's own
  // What it is known by elsewhere, where other Pods have children of the same master: the MAC that
  // was chosen for it (empty: its master's), and its addresses.
  std::string mac;
  std::vector<IpAddress> addresses;
};

ChildIdentity recorded_child(const Attachment& attachment, const std::string& kind) {
  const Json& link = attachment.link;
  ChildIdentity child;
  child.kind = kind;
  child.index = static_cast<int>(link.at("index").as_int());
  if (const Json* mac = link.find("mac")) child.mac = mac->as_string();
  if (const Json* master = link.find("masterIndex")) {
    child.master = static_cast<int>(master->as_int());
    child.master_netnsid = static_cast<int>(link.at("masterNsid").as_int());
  }
  for (const Lease& lease : attachment.leases) child.addresses.push_back(lease.address.address);
  return child;
}

bool is_child(const LinkInfo& link, const ChildIdentity& child, int master_netnsid) {
  if (link.kind != child.kind) return false;
  return !child.master || (link.parent == *child.master && link.parent_netnsid == master_netnsid);
}

// In another namespace, which the Pod may have made. Its index says nothing there.
std::optional<LinkInfo> find_moved(RouteSocket& socket, const ChildIdentity& child,
                                   int master_netns) {
  if (!child.master) return std::nullopt;
  std::vector<LinkInfo> links = socket.links();
  // The number that the master's namespace is known by may be given to it by the look at the links.
  const auto nsid = socket.nsid_of(master_netns);
  if (!nsid) return std::nullopt;
  std::erase_if(links, [&](const LinkInfo& link) { return !is_child(link, child, *nsid); });
  if (links.empty()) return std::nullopt;
  const std::vector<AddressInfo> addresses = socket.addresses();
  for (const LinkInfo& link : links) {
    const bool has_address = std::ranges::any_of(addresses, [&](const AddressInfo& info) {
      return info.link == link.index &&
             std::ranges::count(child.addresses, info.address.address) != 0;
    });
    if (has_address || (!child.mac.empty() && to_string(link.address) == child.mac)) return link;
  }
  return std::nullopt;
}

// The link in the Pod, where it is there.
std::optional<LinkInfo> find_in_pod(const PodSide& pod, const ChildIdentity& child) {
  const auto found = pod.route.find_link(child.index);
  return found && is_child(*found, child, child.master_netnsid) ? found : std::nullopt;
}

// Looks for it in other namespaces. True when it is deleted, or nowhere to be found.
bool delete_moved(const PodSide& pod, const ChildIdentity& child) {
  const Netns home = Netns::current();
  const int master_netns = child.master_netnsid < 0 ? pod.netns.fd() : home.fd();
  bool seen = false;
  bool deleted = false;
  each_other_namespace(&pod, [&](RouteSocket& socket) {
    const auto moved = find_moved(socket, child, master_netns);
    if (!moved) return false;
    seen = true;
    deleted = delete_found(socket, *moved);
    return true;
  });
  return seen ? deleted : !find_in_pod(pod, child);
}

}  // namespace

void delete_child(const PodSide* pod, const Attachment& attachment, const std::string& kind,
                  const std::function<bool(const LinkInfo&)>& is_ours) {
  if (pod == nullptr) return;
  if (attachment.link.find("index") == nullptr) {
    auto found = pod->route.find_link(temporary_link_name(attachment.key));
    if (!found) {
      found = pod->route.find_link(attachment.key.ifname);
      if (found && !is_ours(*found)) return;
    }
    if (found && found->kind == kind) delete_found(pod->route, *found);
    return;
  }
  const ChildIdentity child = recorded_child(attachment, kind);
  for (int tries = 0; tries < kDeleteTries; ++tries) {
    const auto found = find_in_pod(*pod, child);
    if (found ? delete_found(pod->route, *found) : delete_moved(*pod, child)) return;
  }
  throw Error(Code::kIncomplete, kind + " " + attachment.key.ifname +
                                     " cannot be deleted: the container keeps moving it to other "
                                     "network namespaces");
}

void check_child(RouteSocket& host, const LinkInfo& found, const Attachment& attachment,
                 const std::string& kind) {
  const auto fail = [&found](const std::string& why) {
    throw Error(Code::kCheckFailed, "interface " + found.name + ": " + why);
  };
  if (found.kind != kind) fail("it is not a " + kind + " but \"" + found.kind + "\"");
  if (attachment.link.find("linkInContainer") != nullptr) return;
  const std::string master_name = attachment.link.at("master").as_string();
  const auto master = host.find_link(master_name);
  if (!master) fail("its master " + master_name + " is gone");
  if (found.parent != master->index) fail("it is no longer a child of " + master_name);
}

}  // namespace railcni
