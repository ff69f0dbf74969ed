// Addresses, routes and sysctls of a link in the Pod.
#ifndef RAILCNI_ADDRESSING_H_
#define RAILCNI_ADDRESSING_H_

#include <string>
#include <vector>

#include "railcni/netlink.h"
#include "railcni/netns.h"
#include "railcni/result.h"

namespace railcni {

// Brings `link` (in `pod_netns`, down) into service: sysctls (arp_notify, ndisc_notify; with an
// IPv6 address also disable_ipv6=0 and keep_addr_on_down=1), addresses, up, routes, so that every
// address can be used when it returns. Routes without a gateway are on-link; the table is main
// unless the route says otherwise. Throws Error{kKernel} that names the step.
void configure_link(RouteSocket& pod, const Netns& pod_netns, const LinkInfo& link,
                    const std::vector<ResultIp>& ips, const std::vector<ResultRoute>& routes);

// Throws Error{kCheckFailed} that names the first address or route that is not there.
void check_addressing(RouteSocket& pod, const LinkInfo& link, const std::vector<ResultIp>& ips,
                      const std::vector<ResultRoute>& routes);

// True when another link of the namespace has the family's default route in table main.
bool has_default_route(RouteSocket& pod, Family family);

}  // namespace railcni

#endif  // RAILCNI_ADDRESSING_H_
