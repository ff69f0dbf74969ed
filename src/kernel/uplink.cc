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

// The interface that Pods' links or the VLAN hang on; nothing when it is a bond yet to be made.
std::optional<LinkInfo> find_base(RouteSocket& socket, const UplinkSpec& spec) {
  std::optional<LinkInfo> base = socket.find_link(spec.base());
  if (spec.bond) {
    if (base && base->kind != "bond") {
      throw Error(Code::kInvalidConfig,
                  "bond " + spec.base() + ": an interface of this name exists and is not a bond");
    }
    for (const std::string& port : spec.masters) {
      const auto link = socket.find_link(port);
      if (!link) missing(port);
      if (base && link->master != base->index) {
        throw Error(Code::kInvalidConfig,
                    "bond " + spec.base() + " exists and " + port + " is not a port of it");
      }
      if (!base && link->master != 0) {
        throw Error(Code::kInvalidConfig, "bond " + spec.base() + ": " + port +
                                              " is already a port of another interface");
      }
    }
  } else if (!base) {
    missing(spec.base());
  }
  return base;
}

LinkInfo ensure_bond(RouteSocket& socket, const UplinkSpec& spec) {
  socket.send(new_bond_message(*spec.bond, &socket), "create bond " + spec.bond->name);
  const auto bond = socket.find_link(spec.bond->name);
  if (!bond) missing(spec.bond->name);
  try {
    NetlinkBatch batch;
    for (const std::string& port : spec.masters) {
      const auto link = socket.find_link(port);
      if (!link) missing(port);
      // The kernel takes a port only while it is down.
      batch.add(link_up_message(link->index, false), "set " + port + " down");
      batch.add(set_master_message(link->index, bond->index),
                "make " + port + " a port of " + spec.bond->name);
      batch.add(link_up_message(link->index, true), "set " + port + " up");
    }
    batch.add(link_up_message(bond->index, true), "set " + spec.bond->name + " up");
    socket.send(batch);
  } catch (const Error&) {
    socket.try_send(delete_link_message(bond->index));
    throw;
  }
  return *bond;
}

LinkInfo ensure_vlan(RouteSocket& socket, const UplinkSpec& spec, const LinkInfo& base) {
  const std::string name = spec.name();
  socket.send(new_vlan_message(name, base.index, spec.vlan_id), "create VLAN " + name);
  const auto vlan = socket.find_link(name);
  if (!vlan) missing(name);
  try {
    NetlinkBatch batch;
    // A VLAN comes up only on a link that is up.
    if ((base.flags & IFF_UP) == 0) {
      batch.add(link_up_message(base.index, true), "set " + base.name + " up");
    }
    batch.add(link_up_message(vlan->index, true), "set " + name + " up");
    socket.send(batch);
  } catch (const Error&) {
    socket.try_send(delete_link_message(vlan->index));
    throw;
  }
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
    bond.options = reader.string("options").value_or("");
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
  std::optional<LinkInfo> base = find_base(socket, spec);
  if (spec.vlan_id == 0) return base;
  std::optional<LinkInfo> vlan = socket.find_link(spec.name());
  if (!vlan) return std::nullopt;
  if (vlan->kind != "vlan" || vlan->vlan_id != spec.vlan_id ||
      (base && vlan->parent != base->index)) {
    throw Error(Code::kInvalidConfig, "master " + spec.name() + " exists and is not VLAN " +
                                          std::to_string(spec.vlan_id) + " of " + spec.base());
  }
  return vlan;
}

LinkInfo ensure_uplink(RouteSocket& socket, const UplinkSpec& spec) {
  if (const auto link = find_uplink(socket, spec)) return *link;
  std::optional<LinkInfo> base = find_base(socket, spec);
  if (base) return ensure_vlan(socket, spec, *base);
  base = ensure_bond(socket, spec);
  if (spec.vlan_id == 0) return *base;
  try {
    return ensure_vlan(socket, spec, *base);
  } catch (const Error&) {
    socket.try_send(delete_link_message(base->index));
    throw;
  }
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
  link.info_data = [vlan_id](NetlinkMessage& data) { data.put_u16(IFLA_VLAN_ID, vlan_id); };
  return new_link_message(link);
}

}  // namespace railcni
