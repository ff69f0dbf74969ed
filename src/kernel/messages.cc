#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <algorithm>
#include <cstddef>
#include <new>

#include "railcni/error.h"
#include "railcni/netlink.h"

namespace railcni {
namespace {

uint8_t af_of(Family family) { return family == Family::kV4 ? AF_INET : AF_INET6; }

// What most messages fit; a longer one grows (make_room()). libnl's own choice is a page, cleared
// for each message: that was a tenth of all instructions of an ADD.
constexpr size_t kMessageSize = 512;

nl_msg* alloc_message(uint16_t type, uint16_t flags) {
  nl_msg* const msg = nlmsg_alloc_size(kMessageSize);
  if (msg == nullptr) throw std::bad_alloc();
  nlmsg_hdr(msg)->nlmsg_type = type;
  nlmsg_hdr(msg)->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  return msg;
}

void must_fit(int error) {
  if (error < 0) throw Error(Code::kKernel, "a netlink message is too long");
}

}  // namespace

void NetlinkMessage::Free::operator()(nl_msg* msg) const { nlmsg_free(msg); }

NetlinkMessage::NetlinkMessage(uint16_t type, uint16_t flags, const void* header,
                               size_t header_size)
    : msg_(alloc_message(type, flags)) {
  must_fit(nlmsg_append(msg_.get(), const_cast<void*>(header), header_size, NLMSG_ALIGNTO));
}

// For an attribute with `size` bytes of data.
void NetlinkMessage::make_room(size_t size) {
  const size_t needed = NLMSG_ALIGN(header()->nlmsg_len) + NLA_HDRLEN + NLMSG_ALIGN(size);
  const size_t have = nlmsg_get_max_size(msg_.get());
  if (needed > have) must_fit(nlmsg_expand(msg_.get(), std::max(needed, 2 * have)));
}

NetlinkMessage& NetlinkMessage::append(const void* data, size_t size) {
  make_room(size);
  must_fit(nlmsg_append(msg_.get(), const_cast<void*>(data), size, NLMSG_ALIGNTO));
  return *this;
}

NetlinkMessage& NetlinkMessage::put(int attribute, const void* data, size_t size) {
  make_room(size);
  must_fit(nla_put(msg_.get(), attribute, static_cast<int>(size), data));
  return *this;
}

NetlinkMessage& NetlinkMessage::put_u8(int attribute, uint8_t value) {
  return put(attribute, &value, sizeof value);
}

NetlinkMessage& NetlinkMessage::put_u16(int attribute, uint16_t value) {
  return put(attribute, &value, sizeof value);
}

NetlinkMessage& NetlinkMessage::put_u32(int attribute, uint32_t value) {
  return put(attribute, &value, sizeof value);
}

NetlinkMessage& NetlinkMessage::put_string(int attribute, const std::string& value) {
  return put(attribute, value.c_str(), value.size() + 1);
}

NetlinkMessage& NetlinkMessage::put_address(int attribute, const IpAddress& address) {
  return put(attribute, address.bytes().data(), address.byte_size());
}

NetlinkMessage& NetlinkMessage::nest(int attribute,
                                     const std::function<void(NetlinkMessage&)>& fill) {
  make_room(0);
  const nlattr* const start = nla_nest_start(msg_.get(), attribute);
  if (start == nullptr) throw std::bad_alloc();
  // By its place: a message that grows may move.
  const ptrdiff_t place =
      reinterpret_cast<const char*>(start) - reinterpret_cast<const char*>(header());
  fill(*this);
  auto* const bytes = reinterpret_cast<char*>(nlmsg_hdr(msg_.get()));
  nla_nest_end(msg_.get(), reinterpret_cast<nlattr*>(bytes + place));
  return *this;
}

void NetlinkMessage::expect_no_acknowledgement() {
  nlmsg_hdr(msg_.get())->nlmsg_flags &= static_cast<uint16_t>(~NLM_F_ACK);
}

const nlmsghdr* NetlinkMessage::header() const { return nlmsg_hdr(msg_.get()); }

void NetlinkBatch::add(NetlinkMessage message, std::string what, bool may_exist) {
  steps_.push_back({std::move(message), std::move(what), may_exist});
}

NetlinkMessage new_link_message(const NewLink& link) {
  ifinfomsg header{};
  if (link.up) header.ifi_flags = header.ifi_change = IFF_UP;
  NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof header);
  message.put_string(IFLA_IFNAME, link.name);
  if (link.parent != 0) message.put_u32(IFLA_LINK, static_cast<uint32_t>(link.parent));
  if (link.netns_fd >= 0) message.put_u32(IFLA_NET_NS_FD, static_cast<uint32_t>(link.netns_fd));
  if (link.mtu != 0) message.put_u32(IFLA_MTU, link.mtu);
  if (!link.address.empty()) message.put(IFLA_ADDRESS, link.address.data(), link.address.size());
  message.nest(IFLA_LINKINFO, [&link](NetlinkMessage& info) {
    info.put_string(IFLA_INFO_KIND, link.kind);
    if (link.info_data) info.nest(IFLA_INFO_DATA, link.info_data);
  });
  return message;
}

NetlinkMessage delete_link_message(int index) {
  ifinfomsg header{};
  header.ifi_index = index;
  return NetlinkMessage(RTM_DELLINK, 0, &header, sizeof header);
}

NetlinkMessage link_up_message(int index, bool up) {
  ifinfomsg header{};
  header.ifi_index = index;
  header.ifi_change = IFF_UP;
  header.ifi_flags = up ? IFF_UP : 0;
  return NetlinkMessage(RTM_NEWLINK, 0, &header, sizeof header);
}

NetlinkMessage set_master_message(int index, int master) {
  ifinfomsg header{};
  header.ifi_index = index;
  NetlinkMessage message(RTM_NEWLINK, 0, &header, sizeof header);
  message.put_u32(IFLA_MASTER, static_cast<uint32_t>(master));
  return message;
}

NetlinkMessage arp_notify_message(int index) {
  ifinfomsg header{};
  header.ifi_index = index;
  // RTM_SETLINK: the kernel takes IFLA_AF_SPEC of an existing link only.
  NetlinkMessage message(RTM_SETLINK, 0, &header, sizeof header);
  message.nest(IFLA_AF_SPEC, [](NetlinkMessage& spec) {
    spec.nest(AF_INET, [](NetlinkMessage& inet) {
      inet.nest(IFLA_INET_CONF,
                [](NetlinkMessage& conf) { conf.put_u32(IPV4_DEVCONF_ARP_NOTIFY, 1); });
    });
  });
  return message;
}

NetlinkMessage new_address_message(int index, const IpPrefix& address) {
  ifaddrmsg header{};
  header.ifa_family = af_of(address.family());
  header.ifa_prefixlen = address.length;
  header.ifa_index = static_cast<uint32_t>(index);
  NetlinkMessage message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof header);
  message.put_address(IFA_LOCAL, address.address);
  message.put_address(IFA_ADDRESS, address.address);
  if (address.family() == Family::kV4) {
    if (address.length < 31) message.put_address(IFA_BROADCAST, address.last());
  } else {
    // Duplicate address detection would keep the address tentative (unusable) for one to two
    // seconds. It guards against an address that two hosts chose by themselves; this one was given
    // out by an IPAM that never gives it to two attachments at a time.
    message.put_u32(IFA_FLAGS, IFA_F_NODAD);
  }
  return message;
}

namespace {

NetlinkMessage route_message(uint16_t type, uint16_t flags, const RouteInfo& route) {
  rtmsg header{};
  header.rtm_family = af_of(route.destination.family());
  header.rtm_dst_len = route.destination.length;
  // The 8-bit field is only for old readers: RTA_TABLE has the number.
  header.rtm_table = static_cast<uint8_t>(route.table < 256 ? route.table : 0);
  header.rtm_protocol = route.protocol != 0 ? route.protocol : RTPROT_STATIC;
  header.rtm_scope = route.gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
  header.rtm_type = RTN_UNICAST;
  NetlinkMessage message(type, flags, &header, sizeof header);
  if (route.destination.length > 0) message.put_address(RTA_DST, route.destination.address);
  if (route.gateway) message.put_address(RTA_GATEWAY, *route.gateway);
  if (route.source) message.put_address(RTA_PREFSRC, *route.source);
  message.put_u32(RTA_OIF, static_cast<uint32_t>(route.link));
  message.put_u32(RTA_TABLE, route.table);
  if (route.priority != 0) message.put_u32(RTA_PRIORITY, route.priority);
  return message;
}

NetlinkMessage rule_message(uint16_t type, uint16_t flags, const RuleInfo& rule) {
  fib_rule_hdr header{};
  header.family = af_of(rule.family);
  header.action = FR_ACT_TO_TBL;
  header.table = static_cast<uint8_t>(rule.table < 256 ? rule.table : 0);
  if (rule.from) header.src_len = rule.from->length;
  if (rule.to) header.dst_len = rule.to->length;
  NetlinkMessage message(type, flags, &header, sizeof header);
  if (rule.from) message.put_address(FRA_SRC, rule.from->address);
  if (rule.to) message.put_address(FRA_DST, rule.to->address);
  message.put_u32(FRA_TABLE, rule.table);
  message.put_u32(FRA_PRIORITY, rule.priority);
  return message;
}

}  // namespace

NetlinkMessage new_route_message(const RouteInfo& route) {
  return route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route);
}

NetlinkMessage delete_route_message(const RouteInfo& route) {
  return route_message(RTM_DELROUTE, 0, route);
}

NetlinkMessage new_rule_message(const RuleInfo& rule) {
  return rule_message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
}

NetlinkMessage delete_rule_message(const RuleInfo& rule) {
  return rule_message(RTM_DELRULE, 0, rule);
}

NetlinkMessage new_veth_message(const NewVeth& veth) {
  NewLink link;
  link.kind = "veth";
  link.name = veth.name;
  link.address = veth.address;
  link.mtu = veth.mtu;
  link.info_data = [&veth](NetlinkMessage& data) {
    data.nest(VETH_INFO_PEER, [&veth](NetlinkMessage& peer) {
      const ifinfomsg header{};
      peer.append(&header, sizeof header);
      peer.put_string(IFLA_IFNAME, veth.peer_name);
      peer.put(IFLA_ADDRESS, veth.peer_address.data(), veth.peer_address.size());
      peer.put_u32(IFLA_NET_NS_FD, static_cast<uint32_t>(veth.peer_netns_fd));
      if (veth.mtu != 0) peer.put_u32(IFLA_MTU, veth.mtu);
    });
  };
  return new_link_message(link);
}

NetlinkMessage tx_queue_length_message(int index, uint32_t length) {
  ifinfomsg header{};
  header.ifi_index = index;
  NetlinkMessage message(RTM_SETLINK, 0, &header, sizeof header);
  message.put_u32(IFLA_TXQLEN, length);
  return message;
}

NetlinkMessage hw_address_message(int index, const HwAddress& address) {
  ifinfomsg header{};
  header.ifi_index = index;
  NetlinkMessage message(RTM_SETLINK, 0, &header, sizeof header);
  message.put(IFLA_ADDRESS, address.data(), address.size());
  return message;
}

}  // namespace railcni
