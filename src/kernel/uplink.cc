#include "railcni/uplink.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>

#include "railcni/error.h"

namespace railcni {
namespace {

void check_name(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ) {
    throw Error(Code::kInvalidConfig,
                "master \"" + name + "\": an interface name has 1 to 15 bytes");
  }
}

[[noreturn]] void missing(const std::string& name) {
  throw Error(Code::kInvalidConfig, "master " + name + ": no such interface on this node");
}

// A port loses its addresses and routes, and what stands on it its link: not to a configuration
// that the host's administrator may know nothing of.
void require_unused(RouteSocket& socket, const std::string& bond, const LinkInfo& port) {
  const auto fail = [&](const std::string& why) {
    throw Error(Code::kInvalidConfig,
                "bond " + bond + ": " + port.name + " is in use by the host: " + why +
                    ". Name interfaces that the host does not use, or make the bond on the host");
  };
  for (const AddressInfo& info : socket.addresses()) {
    const bool is_kernels =
        info.address.family() == Family::kV6 && info.address.address.is_link_local();
    if (info.link == port.index && !is_kernels) fail("it has address " + info.address.to_string());
  }
  for (const Family family : {Family::kV4, Family::kV6}) {
    for (const RouteInfo& route : socket.routes(family)) {
      if (route.link == port.index && route.protocol != RTPROT_KERNEL) {
        fail("it has a route to " + route.destination.to_string());
      }
    }
  }
  for (const LinkInfo& link : socket.links()) {
    if (link.parent == port.index && link.index != port.index && !link.parent_elsewhere) {
      fail(link.name + " stands on it");
    }
  }
}

// The interface that Pods' links or the VLAN hang on.
struct Base {
  std::optional<LinkInfo> link;  // nothing: a bond yet to be made
  bool complete = false;
  struct Port {
    std::string name;
    int index;
    bool up;
  };
  std::vector<Port> outside = {};  // of a bond's ports, those that are not in it yet
};

Base find_base(RouteSocket& socket, const UplinkSpec& spec) {
  Base base{socket.find_link(spec.base()), true};
  if (!spec.bond) {
    if (!base.link) missing(spec.base());
    return base;
  }
  if (base.link && base.link->kind != "bond") {
    throw Error(Code::kInvalidConfig,
                "bond " + spec.base() + ": an interface of this name exists and is not a bond");
  }
  if (base.link && base.link->bond_mode.value_or(spec.bond->mode) != spec.bond->mode) {
    throw Error(Code::kInvalidConfig, "bond " + spec.base() + ": it exists with mode " +
                                          std::to_string(*base.link->bond_mode) +
                                          ", and the configuration says mode " +
                                          std::to_string(spec.bond->mode));
  }
  const int bond = base.link ? base.link->index : 0;
  for (const std::string& port : spec.masters) {
    const auto link = socket.find_link(port);
    if (!link) missing(port);
    if (link->master == 0) {
      require_unused(socket, spec.base(), *link);
      base.complete = false;
      base.outside.push_back({port, link->index, (link->flags & IFF_UP) != 0});
    } else if (link->master != bond) {
      // Another ADD may have made the bond since the first look.
      const auto owner = bond == 0 ? socket.find_link(link->master) : std::nullopt;
      if (owner && owner->name == spec.base()) return find_base(socket, spec);
      throw Error(Code::kInvalidConfig,
                  "bond " + spec.base() + ": " + port + " is already a port of another interface");
    }
  }
  if (!base.link || (base.link->flags & IFF_UP) == 0) base.complete = false;
  return base;
}

// Runs `work`; when it throws, the bond of `made` (0: none) is taken away again, and the ports that
// are in no bond then are up or down as they were: to become one, and to cease being one, sets a
// port down.
template <typename Work>
void or_take_back(RouteSocket& socket, const Base& base, int made, Work work) {
  try {
    work();
  } catch (const Error&) {
    if (made != 0) socket.try_send(delete_link_message(made));
    for (const Base::Port& port : base.outside) {
      const auto link = socket.find_link(port.index);
      if (link && link->master == 0) socket.try_send(link_up_message(port.index, port.up));
    }
    throw;
  }
}

LinkInfo ensure_bond(RouteSocket& socket, const UplinkSpec& spec, const Base& base) {
  int made = 0;
  if (!base.link) {
    // With the kernel's 1500 the ports would be lowered to it.
    create_bond(socket, *spec.bond, uplink_mtu(socket, spec));
  }
  const auto bond = socket.find_link(spec.bond->name);
  if (!bond) missing(spec.bond->name);
  if (!base.link) made = bond->index;
  or_take_back(socket, base, made, [&] {
    NetlinkBatch batch;
    for (const std::string& port : spec.masters) {
      const auto link = socket.find_link(port);
      if (!link) missing(port);
      if (link->master == bond->index) continue;
      // The kernel takes a port only while it is down.
      batch.add(link_up_message(link->index, false), "set " + port + " down");
      batch.add(set_master_message(link->index, bond->index),
                "make " + port + " a port of " + spec.bond->name);
      batch.add(link_up_message(link->index, true), "set " + port + " up");
    }
    batch.add(link_up_message(bond->index, true), "set " + spec.bond->name + " up");
    socket.send(batch);
  });
  return *bond;
}

LinkInfo ensure_vlan(RouteSocket& socket, const UplinkSpec& spec, const LinkInfo& base) {
  const std::string name = spec.name();
  // A VLAN comes up only on a link that is up.
  if ((base.flags & IFF_UP) == 0) {
    socket.send(link_up_message(base.index, true), "set " + base.name + " up");
  }
  if (const auto there = socket.find_link(name)) {
    socket.send(link_up_message(there->index, true), "set " + name + " up");
    return *there;
  }
  socket.send(new_vlan_message(name, base.index, spec.vlan_id), "create VLAN " + name);
  const auto vlan = socket.find_link(name);
  if (!vlan) missing(name);
  return *vlan;
}

}  // namespace

const std::string& UplinkSpec::base() const { return bond ? bond->name : masters.front(); }

std::string UplinkSpec::name() const {
  return vlan_id == 0 ? base() : base() + "." + std::to_string(vlan_id);
}

UplinkSpec read_uplink(ObjectReader& block) {
  UplinkSpec spec;
  spec.masters = block.string_or_strings("master");
  // 0 is "none" in Spiderpool's block; 4095 is reserved (IEEE 802.1Q).
  spec.vlan_id = static_cast<uint16_t>(block.integer("vlanID", 0, 4094).value_or(0));
  if (const Json* object = block.object("bond")) {
    ObjectReader reader(*object, block.full_name("bond"));
    BondSpec bond;
    bond.name = reader.string("name").value_or("");
    bond.mode = static_cast<uint8_t>(reader.integer("mode", 0, 6).value_or(0));
    bond.options = parse_bond_options(bond.name, reader.string("options").value_or(""));
    reader.finish();
    if (bond.name.empty()) {
      throw Error(Code::kInvalidConfig, reader.full_name("name") + " is missing");
    }
    spec.bond = std::move(bond);
  }
  if (spec.bond && spec.masters.size() < 2) {
    throw Error(Code::kInvalidConfig,
                block.full_name("bond") + ": a bond needs two or more interfaces in \"master\"");
  }
  if (spec.masters.size() > 1 && !spec.bond) {
    throw Error(Code::kInvalidConfig,
                block.full_name("master") + ": several interfaces need a \"bond\" with a name");
  }
  for (const std::string& name : spec.masters) check_name(name);
  if (spec.bond) check_name(spec.bond->name);
  if (!spec.masters.empty()) check_name(spec.name());
  return spec;
}

std::string default_route_device(RouteSocket& socket) {
  for (const Family family : {Family::kV4, Family::kV6}) {
    const RouteInfo* best = nullptr;
    const std::vector<RouteInfo> routes = socket.routes(family);
    for (const RouteInfo& route : routes) {
      if (route.destination.length != 0 || route.table != RT_TABLE_MAIN || route.link == 0)
        continue;
      if (best == nullptr || route.priority < best->priority) best = &route;
    }
    if (best == nullptr) continue;
    if (const auto link = socket.find_link(best->link)) return link->name;
  }
  throw Error(Code::kInvalidConfig,
              "no master is named, and there is no default route whose device could serve");
}

std::optional<LinkInfo> find_uplink(RouteSocket& socket, const UplinkSpec& spec) {
  const Base base = find_base(socket, spec);
  if (spec.vlan_id == 0) return base.complete ? base.link : std::nullopt;
  std::optional<LinkInfo> vlan = socket.find_link(spec.name());
  if (!vlan) return std::nullopt;
  if (vlan->kind != "vlan" || vlan->vlan_id != spec.vlan_id ||
      (base.link && vlan->parent != base.link->index)) {
    throw Error(Code::kInvalidConfig, "master " + spec.name() + " exists and is not VLAN " +
                                          std::to_string(spec.vlan_id) + " of " + spec.base());
  }
  const bool up = (vlan->flags & IFF_UP) != 0;
  return base.complete && up ? vlan : std::nullopt;
}

uint32_t uplink_mtu(RouteSocket& socket, const UplinkSpec& spec) {
  for (const std::string& name : {spec.name(), spec.base()}) {
    if (const auto link = socket.find_link(name)) return link->mtu;
  }
  uint32_t mtu = UINT32_MAX;
  for (const std::string& port : spec.masters) {
    const auto link = socket.find_link(port);
    if (!link) missing(port);
    mtu = std::min(mtu, link->mtu);
  }
  return mtu;
}

std::string uplink_lock(RouteSocket& socket, const UplinkSpec& spec,
                        const std::optional<LinkInfo>& link) {
  // Where a configuration names a bond or VLAN that another one has made.
  const bool is_vlan = spec.vlan_id == 0 && link && link->kind == "vlan" && !link->parent_elsewhere;
  const auto below = is_vlan ? socket.find_link(link->parent) : std::nullopt;
  if (below) return "uplink/" + below->name;
  const bool is_bond = link && link->kind == "bond";
  return spec.vlan_id != 0 || spec.bond || is_bond ? "uplink/" + spec.base() : "";
}

namespace {

// What is about to be made of the uplink, the VLAN before the bond that it stands on.
Json to_be_made(RouteSocket& socket, const UplinkSpec& spec, const Base& base) {
  Json made = Json::array();
  if (spec.vlan_id != 0 && !socket.find_link(spec.name())) {
    made.push_back(Json::object({{"name", spec.name()}, {"kind", "vlan"}}));
  }
  if (spec.bond && !base.link) {
    Json bond = Json::object({{"name", spec.base()}, {"kind", "bond"}});
    for (const Base::Port& port : base.outside) {
      bond["ports"].push_back(Json::object({{"name", port.name}, {"up", port.up}}));
    }
    made.push_back(std::move(bond));
  }
  return made;
}

}  // namespace

LinkInfo ensure_uplink(RouteSocket& socket, const UplinkSpec& spec,
                       const std::function<void(Json made)>& will_make) {
  if (const auto link = find_uplink(socket, spec)) return *link;
  const Base base = find_base(socket, spec);
  if (Json made = to_be_made(socket, spec, base); !made.as_array().empty()) {
    will_make(std::move(made));
  }
  LinkInfo link = spec.bond && !base.complete ? ensure_bond(socket, spec, base) : *base.link;
  if (spec.vlan_id == 0) return link;
  std::optional<LinkInfo> vlan;
  or_take_back(socket, base, base.link ? 0 : link.index,
               [&] { vlan = ensure_vlan(socket, spec, link); });
  return *vlan;
}

std::vector<IpPrefix> addresses_around(RouteSocket& socket, const LinkInfo& link) {
  const std::vector<LinkInfo> links = socket.links();
  std::vector<int> around = {link.index};
  const auto add = [&around](int index) {
    if (index == 0 || std::find(around.begin(), around.end(), index) != around.end()) return;
    around.push_back(index);
  };
  // `around` grows while it is walked: what stands above an interface is looked above in turn.
  for (size_t i = 0; i < around.size(); ++i) {
    for (const LinkInfo& other : links) {
      if (other.index == around[i]) add(other.master);
      if (other.kind == "vlan" && other.parent == around[i] && !other.parent_elsewhere) {
        add(other.index);
      }
    }
  }
  std::vector<IpPrefix> addresses;
  for (const AddressInfo& info : socket.addresses()) {
    if (std::find(around.begin(), around.end(), info.link) != around.end()) {
      addresses.push_back(info.address);
    }
  }
  return addresses;
}

NetlinkMessage new_vlan_message(const std::string& name, int parent, uint16_t vlan_id) {
  NewLink link;
  link.kind = "vlan";
  link.name = name;
  link.parent = parent;
  link.up = true;
  link.info_data = [vlan_id](NetlinkMessage& data) { data.put_u16(IFLA_VLAN_ID, vlan_id); };
  return new_link_message(link);
}

}  // namespace railcni
