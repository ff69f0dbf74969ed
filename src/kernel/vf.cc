#include "railcni/vf.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "railcni/error.h"
#include "src/kernel/vf_parse.h"

namespace railcni {
namespace {

struct Setting {
  uint32_t vf;
  uint32_t value;
};

NetlinkMessage vf_message(int physical, const std::function<void(NetlinkMessage&)>& fill) {
  ifinfomsg header{};
  header.ifi_index = physical;
  NetlinkMessage message(RTM_SETLINK, 0, &header, sizeof header);
  message.nest(IFLA_VFINFO_LIST, [&fill](NetlinkMessage& list) { list.nest(IFLA_VF_INFO, fill); });
  return message;
}

template <typename Struct>
NetlinkMessage vf_message(int physical, int attribute, const Struct& value) {
  return vf_message(physical,
                    [&](NetlinkMessage& info) { info.put(attribute, &value, sizeof value); });
}

struct Step {
  std::string what;
  NetlinkMessage message;
};

NetlinkMessage vlan_message(const VfHandle& vf, const VfState& wanted) {
  ifla_vf_vlan_info vlan{};
  vlan.vf = static_cast<uint32_t>(vf.number);
  vlan.vlan = *wanted.vlan;
  vlan.qos = wanted.qos;
  vlan.vlan_proto = htons(wanted.vlan_protocol != 0 ? wanted.vlan_protocol : ETH_P_8021Q);
  return vf_message(vf.physical, [&vlan](NetlinkMessage& info) {
    info.nest(IFLA_VF_VLAN_LIST,
              [&vlan](NetlinkMessage& list) { list.put(IFLA_VF_VLAN_INFO, &vlan, sizeof vlan); });
  });
}

std::string text_of(bool value) { return value ? "on" : "off"; }

// A trusted VF may overrule its PF, and does so when its driver resets: it tells the PF the MAC
// that it has (igbvf). So trust goes before anything else is set, and comes after everything is.
std::vector<Step> steps_of(const VfHandle& vf, const VfState& wanted) {
  const auto number = static_cast<uint32_t>(vf.number);
  std::vector<Step> steps;
  const auto add = [&steps](std::string what, NetlinkMessage message) {
    steps.push_back({std::move(what), std::move(message)});
  };
  const auto setting = [&](int attribute, uint32_t value) {
    return vf_message(vf.physical, attribute, Setting{number, value});
  };
  if (wanted.trust == false) add("trust off", setting(IFLA_VF_TRUST, 0));
  if (wanted.vlan) {
    add("VLAN " + std::to_string(*wanted.vlan), vlan_message(vf, wanted));
  }
  if (wanted.mac) {
    ifla_vf_mac mac{};
    mac.vf = number;
    memcpy(mac.mac, wanted.mac->data(), std::min(wanted.mac->size(), sizeof mac.mac));
    add("MAC " + to_string(*wanted.mac), vf_message(vf.physical, IFLA_VF_MAC, mac));
  }
  if (wanted.min_rate || wanted.max_rate) {
    const ifla_vf_rate rate{number, wanted.min_rate.value_or(0), wanted.max_rate.value_or(0)};
    add("rates " + std::to_string(rate.min_tx_rate) + " to " + std::to_string(rate.max_tx_rate) +
            " Mbit/s",
        vf_message(vf.physical, IFLA_VF_RATE, rate));
  }
  if (wanted.spoofchk) {
    add("spoofchk " + text_of(*wanted.spoofchk), setting(IFLA_VF_SPOOFCHK, *wanted.spoofchk));
  }
  if (wanted.link_state) {
    constexpr const char* kNames[] = {"auto", "enable", "disable"};
    const std::string name = *wanted.link_state < 3 ? kNames[*wanted.link_state] : "?";
    add("link state " + name, setting(IFLA_VF_LINK_STATE, *wanted.link_state));
  }
  const auto guid = [&](const char* what, int attribute, uint64_t value) {
    ifla_vf_guid content{};
    content.vf = number;
    content.guid = value;
    add(what, vf_message(vf.physical, attribute, content));
  };
  if (wanted.node_guid) guid("node GUID", IFLA_VF_IB_NODE_GUID, *wanted.node_guid);
  if (wanted.port_guid) guid("port GUID", IFLA_VF_IB_PORT_GUID, *wanted.port_guid);
  if (wanted.trust == true) add("trust on", setting(IFLA_VF_TRUST, 1));
  return steps;
}

template <typename Value>
std::optional<Value> unless_same(const std::optional<Value>& original,
                                 const std::optional<Value>& now) {
  return original == now ? std::nullopt : original;
}

}  // namespace

std::optional<VfState> read_vf(RouteSocket& host, int physical, int number) {
  ifinfomsg header{};
  header.ifi_index = physical;
  NetlinkMessage message(RTM_GETLINK, 0, &header, sizeof header);
  message.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS);
  std::optional<VfState> found;
  const int error = host.try_get(std::move(message), [&](const nlmsghdr* reply) {
    if (const auto state = parse_vf(reply, number)) found = state;
  });
  if (error == ENODEV) return std::nullopt;
  if (error != 0) throw_errno(Code::kKernel, "cannot read the VFs of a PF", error);
  return found;
}

void set_vf(RouteSocket& host, const VfHandle& vf, const VfState& wanted) {
  std::optional<Error> first;
  for (const Step& step : steps_of(vf, wanted)) {
    std::string explanation;
    const int error = host.send_while_busy(step.message, &explanation);
    if (error == 0 || first) continue;
    first = kernel_refusal(
        "set " + step.what + " of VF " + std::to_string(vf.number) + " on PF " + vf.physical_name,
        error, explanation);
  }
  if (first) throw *first;
}

void restore_vf(RouteSocket& host, const VfHandle& vf, const VfState& original) {
  const std::optional<VfState> now = read_vf(host, vf.physical, vf.number);
  if (!now) return;
  VfState wanted;
  if (original.mac) wanted.mac = unless_same(original.mac, now->mac);
  if (original.vlan != now->vlan || original.qos != now->qos ||
      original.vlan_protocol != now->vlan_protocol) {
    wanted.vlan = original.vlan;
    wanted.qos = original.qos;
    wanted.vlan_protocol = original.vlan_protocol;
  }
  if (original.min_rate != now->min_rate || original.max_rate != now->max_rate) {
    wanted.min_rate = original.min_rate;
    wanted.max_rate = original.max_rate;
  }
  wanted.spoofchk = unless_same(original.spoofchk, now->spoofchk);
  wanted.trust = unless_same(original.trust, now->trust);
  wanted.link_state = unless_same(original.link_state, now->link_state);
  wanted.node_guid = unless_same(original.node_guid, now->node_guid);
  wanted.port_guid = unless_same(original.port_guid, now->port_guid);
  set_vf(host, vf, wanted);
}

Json VfState::to_json() const {
  Json json = Json::object();
  if (mac) json["mac"] = to_string(*mac);
  if (vlan) json["vlan"] = static_cast<int64_t>(*vlan);
  if (qos != 0) json["qos"] = static_cast<int64_t>(qos);
  if (vlan_protocol != 0) json["vlanProtocol"] = static_cast<int64_t>(vlan_protocol);
  if (min_rate) json["minRate"] = *min_rate;
  if (max_rate) json["maxRate"] = *max_rate;
  if (spoofchk) json["spoofchk"] = *spoofchk;
  if (trust) json["trust"] = *trust;
  if (link_state) json["linkState"] = *link_state;
  if (node_guid) json["nodeGuid"] = *node_guid;
  if (port_guid) json["portGuid"] = *port_guid;
  return json;
}

VfState VfState::from_json(const Json& json) {
  VfState state;
  const auto number = [&json](std::string_view key) -> std::optional<uint64_t> {
    const Json* value = json.find(key);
    if (value == nullptr) return std::nullopt;
    return value->as_uint();
  };
  const auto number32 = [&number](std::string_view key) -> std::optional<uint32_t> {
    const auto value = number(key);
    if (!value) return std::nullopt;
    return static_cast<uint32_t>(*value);
  };
  const auto boolean = [&json](std::string_view key) -> std::optional<bool> {
    const Json* value = json.find(key);
    if (value == nullptr) return std::nullopt;
    return value->as_bool();
  };
  if (const Json* mac = json.find("mac")) state.mac = parse_hw_address(mac->as_string());
  if (const auto vlan = number("vlan")) state.vlan = static_cast<uint16_t>(*vlan);
  state.qos = static_cast<uint8_t>(number("qos").value_or(0));
  state.vlan_protocol = static_cast<uint16_t>(number("vlanProtocol").value_or(0));
  state.min_rate = number32("minRate");
  state.max_rate = number32("maxRate");
  state.spoofchk = boolean("spoofchk");
  state.trust = boolean("trust");
  state.link_state = number32("linkState");
  state.node_guid = number("nodeGuid");
  state.port_guid = number("portGuid");
  return state;
}

}  // namespace railcni
