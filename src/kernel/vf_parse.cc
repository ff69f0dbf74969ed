#include "src/kernel/vf_parse.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>

#include "railcni/netdev_state.h"
#include "src/kernel/attributes.h"
#include "src/kernel/route_parse.h"

namespace railcni {
namespace {

// The struct of an IFLA_VF_* attribute; zero where the attribute is too short for it.
template <typename Struct>
Struct structure(const nlattr* attribute) {
  Struct value{};
  memcpy(&value, nla_data(attribute),
         std::min(sizeof value, static_cast<size_t>(nla_len(attribute))));
  return value;
}

// A driver without the switch leaves the kernel's -1 in it. Trust has the same layout.
std::optional<bool> on_off(const nlattr* attribute) {
  if (static_cast<size_t>(nla_len(attribute)) < sizeof(ifla_vf_spoofchk)) return std::nullopt;
  const uint32_t value = structure<ifla_vf_spoofchk>(attribute).setting;
  if (value > 1) return std::nullopt;
  return value == 1;
}

void parse_attribute(int type, const nlattr* attribute, size_t mac_size, VfState& state) {
  switch (type) {
    case IFLA_VF_MAC: {
      if (mac_size == 0) break;
      const auto mac = structure<ifla_vf_mac>(attribute);
      state.mac = HwAddress(mac.mac, mac.mac + mac_size);
      break;
    }
    case IFLA_VF_VLAN: {
      const auto vlan = structure<ifla_vf_vlan>(attribute);
      state.vlan = static_cast<uint16_t>(vlan.vlan);
      state.qos = static_cast<uint8_t>(vlan.qos);
      break;
    }
    case IFLA_VF_VLAN_LIST:
      each_nested(attribute, [&state](int inner, const nlattr* entry) {
        if (inner != IFLA_VF_VLAN_INFO) return;
        const auto vlan = structure<ifla_vf_vlan_info>(entry);
        state.vlan_protocol = vlan.vlan == 0 ? 0 : ntohs(vlan.vlan_proto);
      });
      break;
    case IFLA_VF_RATE: {
      const auto rate = structure<ifla_vf_rate>(attribute);
      state.min_rate = rate.min_tx_rate;
      state.max_rate = rate.max_tx_rate;
      break;
    }
    case IFLA_VF_SPOOFCHK:
      state.spoofchk = on_off(attribute);
      break;
    case IFLA_VF_TRUST:
      state.trust = on_off(attribute);
      break;
    case IFLA_VF_LINK_STATE:
      state.link_state = structure<ifla_vf_link_state>(attribute).link_state;
      break;
    case IFLA_VF_IB_NODE_GUID:
      state.node_guid = structure<ifla_vf_guid>(attribute).guid;
      break;
    case IFLA_VF_IB_PORT_GUID:
      state.port_guid = structure<ifla_vf_guid>(attribute).guid;
      break;
    default:
      break;
  }
}

}  // namespace

std::optional<VfState> parse_vf(const nlmsghdr* header, int number) {
  std::optional<VfState> found;
  // The field has room for any address; how much of it counts is as with the PF's own.
  const HwAddress address = parse_link(header).address;
  const bool is_known = address.size() == ETH_ALEN || is_ipoib(address);
  const size_t mac_size = is_known ? address.size() : 0;
  each_attribute(header, sizeof(ifinfomsg), [&](int type, const nlattr* list) {
    if (type != IFLA_VFINFO_LIST) return;
    each_nested(list, [&](int, const nlattr* info) {
      // Which VF it is stands in each of its attributes; its place in the list says nothing.
      VfState state;
      bool is_ours = false;
      each_nested(info, [&](int attribute_type, const nlattr* attribute) {
        if (attribute_type == IFLA_VF_MAC) {
          is_ours = structure<ifla_vf_mac>(attribute).vf == static_cast<uint32_t>(number);
        }
        parse_attribute(attribute_type, attribute, mac_size, state);
      });
      if (is_ours) found = state;
    });
  });
  return found;
}

}  // namespace railcni
