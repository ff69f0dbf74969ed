#include <linux/fib_rules.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <cerrno>

#include "railcni/error.h"
#include "railcni/netlink.h"
#include "src/kernel/route_parse.h"

namespace railcni {

RouteSocket::RouteSocket() : NetlinkSocket(NETLINK_ROUTE) {}

std::optional<LinkInfo> RouteSocket::get_link(NetlinkMessage message) {
  // The counters are the largest part of a reply, and nobody reads them.
  message.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  std::optional<LinkInfo> link;
  const int error =
      try_get(std::move(message), [&link](const nlmsghdr* header) { link = parse_link(header); });
  if (error == ENODEV) return std::nullopt;
  if (error != 0) throw_errno(Code::kKernel, "cannot look up a link", error);
  return link;
}

std::optional<LinkInfo> RouteSocket::find_link(const std::string& name) {
  const ifinfomsg header{};
  NetlinkMessage message(RTM_GETLINK, 0, &header, sizeof header);
  message.put_string(name.size() < IFNAMSIZ ? IFLA_IFNAME : IFLA_ALT_IFNAME, name);
  return get_link(std::move(message));
}

std::optional<LinkInfo> RouteSocket::find_link(int index) {
  ifinfomsg header{};
  header.ifi_index = index;
  return get_link(NetlinkMessage(RTM_GETLINK, 0, &header, sizeof header));
}

namespace {

// All objects of a dump that `parse` makes something of.
template <typename Object, typename Parse>
std::vector<Object> dump_all(RouteSocket& socket, const NetlinkMessage& message, Parse parse) {
  std::vector<Object> objects;
  socket.dump(
      message, [&objects] { objects.clear(); },
      [&](const nlmsghdr* reply) {
        if (std::optional<Object> object = parse(reply)) objects.push_back(std::move(*object));
      });
  return objects;
}

uint8_t af_of(Family family) { return family == Family::kV4 ? AF_INET : AF_INET6; }

}  // namespace

std::vector<LinkInfo> RouteSocket::links() {
  const ifinfomsg header{};
  NetlinkMessage message(RTM_GETLINK, NLM_F_DUMP, &header, sizeof header);
  message.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return dump_all<LinkInfo>(*this, message,
                            [](const nlmsghdr* reply) { return std::optional(parse_link(reply)); });
}

std::vector<AddressInfo> RouteSocket::addresses() {
  const ifaddrmsg header{};
  return dump_all<AddressInfo>(
      *this, NetlinkMessage(RTM_GETADDR, NLM_F_DUMP, &header, sizeof header), parse_address);
}

std::vector<RouteInfo> RouteSocket::routes(Family family) {
  rtmsg header{};
  header.rtm_family = af_of(family);
  return dump_all<RouteInfo>(
      *this, NetlinkMessage(RTM_GETROUTE, NLM_F_DUMP, &header, sizeof header), parse_route);
}

std::vector<IpAddress> RouteSocket::gateways(Family family) {
  rtmsg header{};
  header.rtm_family = af_of(family);
  std::vector<IpAddress> gateways;
  dump(
      NetlinkMessage(RTM_GETROUTE, NLM_F_DUMP, &header, sizeof header),
      [&gateways] { gateways.clear(); },
      [&gateways](const nlmsghdr* reply) { parse_gateways(reply, gateways); });
  return gateways;
}

std::vector<RuleInfo> RouteSocket::rules(Family family) {
  fib_rule_hdr header{};
  header.family = af_of(family);
  return dump_all<RuleInfo>(*this, NetlinkMessage(RTM_GETRULE, NLM_F_DUMP, &header, sizeof header),
                            parse_rule);
}

std::optional<RouteInfo> RouteSocket::lookup(const IpAddress& destination) {
  rtmsg header{};
  header.rtm_family = af_of(destination.family);
  header.rtm_dst_len = static_cast<uint8_t>(address_bits(destination.family));
  NetlinkMessage message(RTM_GETROUTE, 0, &header, sizeof header);
  message.put_address(RTA_DST, destination);
  std::optional<RouteInfo> route;
  // The answer to a look-up is a clone, which a dump leaves out.
  const int error = try_get(std::move(message),
                            [&route](const nlmsghdr* reply) { route = parse_route_lookup(reply); });
  return error == 0 ? route : std::nullopt;
}

std::optional<int> RouteSocket::nsid_of(int netns_fd) {
  const rtgenmsg header{};
  NetlinkMessage message(RTM_GETNSID, 0, &header, sizeof header);
  message.put_u32(NETNSA_FD, static_cast<uint32_t>(netns_fd));
  int id = NETNSA_NSID_NOT_ASSIGNED;
  const int error = try_get(std::move(message), [&id](const nlmsghdr* reply) {
    if (reply->nlmsg_type == RTM_NEWNSID) id = parse_nsid(reply);
  });
  if (error != 0 || id == NETNSA_NSID_NOT_ASSIGNED) return std::nullopt;
  return id;
}

}  // namespace railcni
