#include "src/kernel/route_parse.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "src/kernel/attributes.h"

namespace railcni {
namespace {

std::optional<Family> family_of(uint8_t value) {
  if (value == AF_INET) return Family::kV4;
  if (value == AF_INET6) return Family::kV6;
  return std::nullopt;
}

std::optional<IpAddress> address(Family family, const nlattr* attribute) {
  const size_t size = family == Family::kV4 ? 4 : 16;
  if (static_cast<size_t>(nla_len(attribute)) != size) return std::nullopt;
  return IpAddress::from_bytes(family, static_cast<const uint8_t*>(nla_data(attribute)));
}

// No such length can come from a kernel; an IpPrefix with it would shift beyond its address.
bool fits(Family family, uint8_t length) { return length <= address_bits(family); }

void parse_link_info(const nlattr* info, LinkInfo& link) {
  const nlattr* data = nullptr;
  each_nested(info, [&](int type, const nlattr* attribute) {
    if (type == IFLA_INFO_KIND) link.kind = text(attribute);
    if (type == IFLA_INFO_DATA) data = attribute;
  });
  if (data == nullptr) return;
  each_nested(data, [&](int type, const nlattr* attribute) {
    if (link.kind == "macvlan" && type == IFLA_MACVLAN_MODE) {
      link.macvlan_mode = number<uint32_t>(attribute);
    }
    if (link.kind == "ipvlan" && type == IFLA_IPVLAN_MODE) {
      link.ipvlan_mode = number<uint16_t>(attribute);
    }
    if (link.kind == "ipoib" && type == IFLA_IPOIB_PKEY)
      link.ipoib_pkey = number<uint16_t>(attribute);
    if (link.kind == "ipoib" && type == IFLA_IPOIB_MODE)
      link.ipoib_mode = number<uint16_t>(attribute);
    if (link.kind == "ipoib" && type == IFLA_IPOIB_UMCAST) {
      link.ipoib_umcast = number<uint16_t>(attribute);
    }
    if (link.kind == "bond" && type == IFLA_BOND_MODE) link.bond_mode = number<uint8_t>(attribute);
    if (link.kind == "vlan" && type == IFLA_VLAN_ID) link.vlan_id = number<uint16_t>(attribute);
  });
}

}  // namespace

LinkInfo parse_link(const nlmsghdr* header) {
  LinkInfo link;
  if (header->nlmsg_type != RTM_NEWLINK ||
      static_cast<size_t>(nlmsg_datalen(header)) < sizeof(ifinfomsg)) {
    return link;
  }
  const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(header));
  link.index = info->ifi_index;
  link.flags = info->ifi_flags;
  each_attribute(header, sizeof(ifinfomsg), [&link](int type, const nlattr* attribute) {
    switch (type) {
      case IFLA_IFNAME:
        link.name = text(attribute);
        break;
      case IFLA_ADDRESS: {
        const auto* bytes = static_cast<const uint8_t*>(nla_data(attribute));
        link.address.assign(bytes, bytes + nla_len(attribute));
        break;
      }
      case IFLA_BROADCAST: {
        const auto* bytes = static_cast<const uint8_t*>(nla_data(attribute));
        link.broadcast.assign(bytes, bytes + nla_len(attribute));
        break;
      }
      case IFLA_MTU:
        link.mtu = number<uint32_t>(attribute);
        break;
      case IFLA_LINK:
        link.parent = number<int>(attribute);
        break;
      case IFLA_LINK_NETNSID:
        link.parent_elsewhere = true;
        link.parent_netnsid = number<int>(attribute);
        break;
      case IFLA_XDP:
        each_nested(attribute, [&link](int part, const nlattr* value) {
          if (part == IFLA_XDP_PROG_ID) link.xdp_program = number<uint32_t>(value);
        });
        break;
      case IFLA_MASTER:
        link.master = number<int>(attribute);
        break;
      case IFLA_LINKINFO:
        parse_link_info(attribute, link);
        break;
      case IFLA_TXQLEN:
        link.tx_queue_length = number<uint32_t>(attribute);
        break;
      case IFLA_GROUP:
        link.group = number<uint32_t>(attribute);
        break;
      case IFLA_PARENT_DEV_NAME:
        link.parent_device = text(attribute);
        break;
      case IFLA_PROP_LIST:
        each_nested(attribute, [&link](int property, const nlattr* value) {
          if (property == IFLA_ALT_IFNAME) link.alt_names.push_back(text(value));
        });
        break;
      default:
        break;
    }
  });
  return link;
}

std::optional<AddressInfo> parse_address(const nlmsghdr* header) {
  if (header->nlmsg_type != RTM_NEWADDR ||
      static_cast<size_t>(nlmsg_datalen(header)) < sizeof(ifaddrmsg)) {
    return std::nullopt;
  }
  const auto* info = static_cast<const ifaddrmsg*>(nlmsg_data(header));
  const auto family = family_of(info->ifa_family);
  if (!family || !fits(*family, info->ifa_prefixlen)) return std::nullopt;
  AddressInfo result;
  result.link = static_cast<int>(info->ifa_index);
  result.flags = info->ifa_flags;
  // IFA_LOCAL is the link's own address; IFA_ADDRESS is the peer's on a point-to-point link, and
  // the only one that IPv6 sends without a peer.
  std::optional<IpAddress> local;
  std::optional<IpAddress> any;
  each_attribute(header, sizeof(ifaddrmsg), [&](int type, const nlattr* attribute) {
    if (type == IFA_LOCAL) local = address(*family, attribute);
    if (type == IFA_ADDRESS) any = address(*family, attribute);
    if (type == IFA_FLAGS) result.flags = number<uint32_t>(attribute);
  });
  if (!local) local = any;
  if (!local) return std::nullopt;
  result.address = {*local, info->ifa_prefixlen};
  return result;
}

std::optional<RouteInfo> parse_route(const nlmsghdr* header) {
  if (static_cast<size_t>(nlmsg_datalen(header)) < sizeof(rtmsg)) return std::nullopt;
  const auto* info = static_cast<const rtmsg*>(nlmsg_data(header));
  const bool forwards = info->rtm_type == RTN_UNICAST || info->rtm_type == RTN_BLACKHOLE ||
                        info->rtm_type == RTN_UNREACHABLE || info->rtm_type == RTN_PROHIBIT;
  if (!forwards || (info->rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
  return parse_route_lookup(header);
}

std::optional<RouteInfo> parse_route_lookup(const nlmsghdr* header) {
  if (header->nlmsg_type != RTM_NEWROUTE ||
      static_cast<size_t>(nlmsg_datalen(header)) < sizeof(rtmsg)) {
    return std::nullopt;
  }
  const auto* info = static_cast<const rtmsg*>(nlmsg_data(header));
  const auto family = family_of(info->rtm_family);
  if (!family || !fits(*family, info->rtm_dst_len)) return std::nullopt;
  RouteInfo route;
  route.destination = {{*family, 0}, info->rtm_dst_len};
  route.table = info->rtm_table;
  route.protocol = info->rtm_protocol;
  route.scope = info->rtm_scope;
  each_attribute(header, sizeof(rtmsg), [&](int type, const nlattr* attribute) {
    switch (type) {
      case RTA_DST:
        if (const auto destination = address(*family, attribute)) {
          route.destination.address = *destination;
        }
        break;
      case RTA_GATEWAY:
        route.gateway = address(*family, attribute);
        break;
      case RTA_PREFSRC:
        route.source = address(*family, attribute);
        break;
      case RTA_OIF:
        route.link = number<int>(attribute);
        break;
      case RTA_TABLE:
        route.table = number<uint32_t>(attribute);
        break;
      case RTA_PRIORITY:
        route.priority = number<uint32_t>(attribute);
        break;
      default:
        break;
    }
  });
  return route;
}

int parse_nsid(const nlmsghdr* header) {
  int id = NETNSA_NSID_NOT_ASSIGNED;
  each_attribute(header, NLMSG_ALIGN(sizeof(rtgenmsg)), [&id](int type, const nlattr* attribute) {
    if (type == NETNSA_NSID) id = number<int>(attribute);
  });
  return id;
}

namespace {

void add_gateway(Family family, int type, const nlattr* attribute,
                 std::vector<IpAddress>& gateways) {
  if (type == RTA_GATEWAY) {
    if (const auto gateway = address(family, attribute)) gateways.push_back(*gateway);
  }
  // An address of the other family behind its number.
  if (type != RTA_VIA || static_cast<size_t>(nla_len(attribute)) < sizeof(uint16_t) + 4) return;
  const auto other = family_of(static_cast<uint8_t>(number<uint16_t>(attribute)));
  const auto* bytes = static_cast<const uint8_t*>(nla_data(attribute)) + sizeof(uint16_t);
  const size_t size = static_cast<size_t>(nla_len(attribute)) - sizeof(uint16_t);
  if (other && size == (*other == Family::kV4 ? 4u : 16u)) {
    gateways.push_back(IpAddress::from_bytes(*other, bytes));
  }
}

// RTA_MULTIPATH: one rtnexthop after the other, each with attributes.
void add_next_hops(Family family, const nlattr* list, std::vector<IpAddress>& gateways) {
  const auto* at = static_cast<const uint8_t*>(nla_data(list));
  size_t left = static_cast<size_t>(nla_len(list));
  while (left >= sizeof(rtnexthop)) {
    rtnexthop hop{};
    memcpy(&hop, at, sizeof hop);
    if (hop.rtnh_len < sizeof hop || hop.rtnh_len > left) return;
    int rest = hop.rtnh_len - static_cast<int>(sizeof hop);
    for (auto* attribute = reinterpret_cast<const nlattr*>(at + sizeof hop);
         nla_ok(attribute, rest); attribute = nla_next(attribute, &rest)) {
      add_gateway(family, nla_type(attribute), attribute, gateways);
    }
    const size_t step = RTNH_ALIGN(hop.rtnh_len);
    if (step >= left) return;
    at += step;
    left -= step;
  }
}

}  // namespace

void parse_gateways(const nlmsghdr* header, std::vector<IpAddress>& gateways) {
  if (header->nlmsg_type != RTM_NEWROUTE ||
      static_cast<size_t>(nlmsg_datalen(header)) < sizeof(rtmsg)) {
    return;
  }
  const auto family = family_of(static_cast<const rtmsg*>(nlmsg_data(header))->rtm_family);
  if (!family) return;
  each_attribute(header, sizeof(rtmsg), [&](int type, const nlattr* attribute) {
    if (type == RTA_MULTIPATH) {
      add_next_hops(*family, attribute, gateways);
    } else {
      add_gateway(*family, type, attribute, gateways);
    }
  });
}

std::optional<RuleInfo> parse_rule(const nlmsghdr* header) {
  if (header->nlmsg_type != RTM_NEWRULE ||
      static_cast<size_t>(nlmsg_datalen(header)) < sizeof(fib_rule_hdr)) {
    return std::nullopt;
  }
  const auto* info = static_cast<const fib_rule_hdr*>(nlmsg_data(header));
  const auto family = family_of(info->family);
  if (!family || !fits(*family, info->src_len) || !fits(*family, info->dst_len)) {
    return std::nullopt;
  }
  RuleInfo rule;
  rule.family = *family;
  rule.table = info->table;
  rule.only_from = info->action == FR_ACT_TO_TBL && info->dst_len == 0 && info->tos == 0 &&
                   (info->flags & FIB_RULE_INVERT) == 0;
  each_attribute(header, sizeof(fib_rule_hdr), [&](int type, const nlattr* attribute) {
    switch (type) {
      case FRA_SRC:
        if (const auto source = address(*family, attribute)) {
          rule.from = IpPrefix{*source, info->src_len};
        }
        break;
      case FRA_DST:
        // Without a length it is a rule for all destinations.
        if (const auto destination = address(*family, attribute);
            destination && info->dst_len > 0) {
          rule.to = IpPrefix{*destination, info->dst_len};
        }
        break;
      case FRA_TABLE:
        rule.table = number<uint32_t>(attribute);
        break;
      case FRA_PRIORITY:
        rule.priority = number<uint32_t>(attribute);
        break;
      case FRA_IIFNAME:
      case FRA_OIFNAME:
      case FRA_FWMARK:
      case FRA_UID_RANGE:
      case FRA_IP_PROTO:
      case FRA_SPORT_RANGE:
      case FRA_DPORT_RANGE:
        rule.only_from = false;
        break;
      default:
        break;
    }
  });
  return rule;
}

}  // namespace railcni
