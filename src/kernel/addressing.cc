#include "railcni/addressing.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "railcni/error.h"
#include "railcni/log.h"

namespace railcni {
namespace {

// Writes /proc/sys/net/FAMILY/conf/LINK/KEY of the current namespace. Not being able to is no
// reason to fail: without /proc, or without IPv6 in the kernel, the file is not there, and what
// really depends on it fails at its own step, by name.
void write_sysctl(const char* family, const std::string& link, const char* key, const char* value) {
  const std::string path = std::string("/proc/sys/net/") + family + "/conf/" + link + "/" + key;
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd || ::write(fd.get(), value, 1) != 1) {
    log_info("cannot write " + path + ": " + errno_text(errno));
  }
}

RouteInfo route_of(const ResultRoute& route, int link) {
  RouteInfo info;
  info.destination = route.dst;
  info.gateway = route.gw;
  info.link = link;
  info.table = static_cast<uint32_t>(route.table.value_or(RT_TABLE_MAIN));
  info.priority = static_cast<uint32_t>(route.priority.value_or(0));
  return info;
}

std::string describe(const ResultRoute& route, const std::string& link) {
  std::string text = route.dst.to_string();
  if (route.gw) text += " via " + route.gw->to_string();
  text += " dev " + link;
  if (route.table) text += " table " + std::to_string(*route.table);
  return text;
}

}  // namespace

void configure_link(RouteSocket& pod, const Netns& pod_netns, const LinkInfo& link,
                    const std::vector<ResultIp>& ips, const std::vector<ResultRoute>& routes) {
  const bool has_v6 = std::any_of(ips.begin(), ips.end(), [](const ResultIp& ip) {
    return ip.address.family() == Family::kV6;
  });
  pod_netns.run([&] {
    // Runtimes switch IPv6 off in a new namespace; an address of this network switches it on.
    if (has_v6) {
      write_sysctl("ipv6", link.name, "disable_ipv6", "0");
      write_sysctl("ipv6", link.name, "keep_addr_on_down", "1");
    }
    write_sysctl("ipv6", link.name, "ndisc_notify", "1");
  });
  NetlinkBatch batch;
  batch.add(arp_notify_message(link.index), "set arp_notify of " + link.name);
  for (const ResultIp& ip : ips) {
    batch.add(new_address_message(link.index, ip.address),
              "add address " + ip.address.to_string() + " to " + link.name);
  }
  // Up after the addresses: coming up is what makes the kernel announce them.
  batch.add(link_up_message(link.index, true), "set " + link.name + " up");
  for (const ResultRoute& route : routes) {
    batch.add(new_route_message(route_of(route, link.index)),
              "add route " + describe(route, link.name));
  }
  pod.send(batch);
}

void check_addressing(RouteSocket& pod, const LinkInfo& link, const std::vector<ResultIp>& ips,
                      const std::vector<ResultRoute>& routes) {
  const std::vector<AddressInfo> addresses = pod.addresses();
  for (const ResultIp& ip : ips) {
    const bool found = std::any_of(addresses.begin(), addresses.end(), [&](const AddressInfo& a) {
      return a.link == link.index && a.address == ip.address;
    });
    if (!found) {
      throw Error(Code::kCheckFailed,
                  "address " + ip.address.to_string() + " is missing on " + link.name);
    }
  }
  for (const Family family : {Family::kV4, Family::kV6}) {
    const bool wanted = std::any_of(routes.begin(), routes.end(), [&](const ResultRoute& route) {
      return route.dst.family() == family;
    });
    if (!wanted) continue;
    const std::vector<RouteInfo> present = pod.routes(family);
    for (const ResultRoute& route : routes) {
      if (route.dst.family() != family) continue;
      const RouteInfo expected = route_of(route, link.index);
      const bool found = std::any_of(present.begin(), present.end(), [&](const RouteInfo& r) {
        return r.destination == expected.destination && r.gateway == expected.gateway &&
               r.link == expected.link && r.table == expected.table;
      });
      if (!found) {
        throw Error(Code::kCheckFailed, "route " + describe(route, link.name) + " is missing");
      }
    }
  }
}

bool has_default_route(RouteSocket& pod, Family family) {
  const std::vector<RouteInfo> routes = pod.routes(family);
  return std::any_of(routes.begin(), routes.end(), [](const RouteInfo& route) {
    return route.destination.length == 0 && route.table == RT_TABLE_MAIN;
  });
}

}  // namespace railcni
