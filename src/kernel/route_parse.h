// Reads rtnetlink replies. Each function takes a whole message, trusts none of its lengths and
// ignores attributes that it does not know.
#ifndef RAILCNI_SRC_KERNEL_ROUTE_PARSE_H_
#define RAILCNI_SRC_KERNEL_ROUTE_PARSE_H_

#include <optional>

#include "railcni/netlink.h"

namespace railcni {

// RTM_NEWLINK; a message too short to be one gives an empty link (index 0).
LinkInfo parse_link(const nlmsghdr* header);
// RTM_NEWADDR; nothing for other families than IPv4 and IPv6.
std::optional<AddressInfo> parse_address(const nlmsghdr* header);
// RTM_NEWROUTE; nothing for other types than unicast, blackhole, unreachable and prohibit.
std::optional<RouteInfo> parse_route(const nlmsghdr* header);
// RTM_NEWROUTE as the answer to a look-up: of any type, clones included.
std::optional<RouteInfo> parse_route_lookup(const nlmsghdr* header);
// RTM_NEWNSID; NETNSA_NSID_NOT_ASSIGNED (-1) for a message without a number.
int parse_nsid(const nlmsghdr* header);
// RTM_NEWROUTE: adds the next hops of the route to `gateways`.
void parse_gateways(const nlmsghdr* header, std::vector<IpAddress>& gateways);
// RTM_NEWRULE; nothing for other families than IPv4 and IPv6.
std::optional<RuleInfo> parse_rule(const nlmsghdr* header);

}  // namespace railcni

#endif  // RAILCNI_SRC_KERNEL_ROUTE_PARSE_H_
