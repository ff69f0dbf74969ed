#include "railcni/neighbour.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <cerrno>

#include "railcni/error.h"

namespace railcni {
namespace {

NetlinkMessage neighbour_message(uint16_t type, uint16_t flags, uint8_t entry_flags, uint16_t state,
                                 int link, const IpAddress& address) {
  ndmsg header{};
  header.ndm_family = address.family == Family::kV4 ? AF_INET : AF_INET6;
  header.ndm_ifindex = link;
  header.ndm_flags = entry_flags;
  header.ndm_state = state;
  NetlinkMessage message(type, flags, &header, sizeof header);
  message.put_address(NDA_DST, address);
  return message;
}

}  // namespace

NetlinkMessage use_neighbour_message(int link, const IpAddress& address) {
  return neighbour_message(RTM_NEWNEIGH, NLM_F_CREATE, NTF_USE, 0, link, address);
}

NetlinkMessage permanent_neighbour_message(int link, const IpAddress& address,
                                           const HwAddress& hw_address) {
  NetlinkMessage message = neighbour_message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, 0,
                                             NUD_PERMANENT, link, address);
  message.put(NDA_LLADDR, hw_address.data(), hw_address.size());
  return message;
}

NetlinkMessage delete_neighbour_message(int link, const IpAddress& address) {
  return neighbour_message(RTM_DELNEIGH, 0, 0, 0, link, address);
}

std::optional<NeighbourInfo> parse_neighbour(const nlmsghdr* header) {
  if (header->nlmsg_type != RTM_NEWNEIGH ||
      static_cast<size_t>(nlmsg_datalen(header)) < sizeof(ndmsg)) {
    return std::nullopt;
  }
  const auto* entry = static_cast<const ndmsg*>(nlmsg_data(header));
  NeighbourInfo info;
  info.state = entry->ndm_state;
  int left = nlmsg_attrlen(header, sizeof(ndmsg));
  for (const nlattr* attribute = nlmsg_attrdata(header, sizeof(ndmsg)); nla_ok(attribute, left);
       attribute = nla_next(attribute, &left)) {
    if (nla_type(attribute) != NDA_LLADDR) continue;
    const auto* bytes = static_cast<const uint8_t*>(nla_data(attribute));
    info.hw_address.assign(bytes, bytes + nla_len(attribute));
  }
  return info;
}

std::optional<NeighbourInfo> find_neighbour(RouteSocket& socket, int link,
                                            const IpAddress& address) {
  std::optional<NeighbourInfo> info;
  const int error =
      socket.try_get(neighbour_message(RTM_GETNEIGH, 0, 0, 0, link, address),
                     [&info](const nlmsghdr* reply) { info = parse_neighbour(reply); });
  if (error != 0 && error != ENOENT) {
    throw_errno(Code::kKernel, "cannot look up neighbour " + address.to_string(), error);
  }
  return info;
}

}  // namespace railcni
