// Addresses and sysctls of a link in the Pod.
#ifndef RAILCNI_ADDRESSING_H_
#define RAILCNI_ADDRESSING_H_

#include <string>
#include <vector>

#include "railcni/netlink.h"
#include "railcni/result.h"

namespace railcni {

// A sysctl of a link in the current namespace: net/FAMILY/conf/LINK/KEY.
struct LinkSysctl {
  const char* family;  // "ipv4" or "ipv6"
  std::string link;    // or "all", "default"
  const char* key;
  std::string value;
};

// Writes each, in the current namespace. A file that cannot be opened is logged and no reason to
// fail: without /proc, or without IPv6 in the kernel, it is not there, and what really depends on
// it fails at its own step, by name. Throws Error{kKernel} when the kernel does not take the value.
void write_sysctls(const std::vector<LinkSysctl>& sysctls);

// The sysctls of an interface that gets `ips`: ndisc_notify, and with an IPv6 address also
// disable_ipv6=0 (runtimes switch it off) and keep_addr_on_down=1.
std::vector<LinkSysctl> address_sysctls(const std::string& link, const std::vector<ResultIp>& ips);

// Adds to `batch`: arp_notify, the addresses, and up. Up comes after the addresses because coming
// up is what makes the kernel announce them.
void add_addresses(const LinkInfo& link, const std::vector<ResultIp>& ips, NetlinkBatch& batch);

// Throws Error{kCheckFailed} that names the first address that is not there.
void check_addresses(RouteSocket& pod, const LinkInfo& link, const std::vector<ResultIp>& ips);

}  // namespace railcni

#endif  // RAILCNI_ADDRESSING_H_
