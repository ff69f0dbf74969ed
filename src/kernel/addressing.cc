#include "railcni/addressing.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "railcni/error.h"
#include "railcni/fd.h"
#include "railcni/log.h"

namespace railcni {

void write_sysctls(const std::vector<LinkSysctl>& sysctls) {
  for (const LinkSysctl& sysctl : sysctls) {
    const std::string path =
        std::string("/proc/sys/net/") + sysctl.family + "/conf/" + sysctl.link + "/" + sysctl.key;
    const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) {
      log_info("cannot open " + path + ": " + errno_text(errno));
    } else if (TEMP_FAILURE_RETRY(::write(fd.get(), sysctl.value.data(), sysctl.value.size())) <
               0) {
      throw_errno(Code::kKernel, "cannot write " + sysctl.value + " to " + path, errno);
    }
  }
}

std::vector<LinkSysctl> address_sysctls(const std::string& link, const std::vector<ResultIp>& ips) {
  const bool has_v6 = std::any_of(ips.begin(), ips.end(), [](const ResultIp& ip) {
    return ip.address.family() == Family::kV6;
  });
  std::vector<LinkSysctl> sysctls;
  if (has_v6) {
    sysctls.push_back({"ipv6", link, "disable_ipv6", "0"});
    sysctls.push_back({"ipv6", link, "keep_addr_on_down", "1"});
  }
  sysctls.push_back({"ipv6", link, "ndisc_notify", "1"});
  return sysctls;
}

void add_addresses(const LinkInfo& link, const std::vector<ResultIp>& ips, NetlinkBatch& batch) {
  batch.add(arp_notify_message(link.index), "set arp_notify of " + link.name);
  for (const ResultIp& ip : ips) {
    batch.add(new_address_message(link.index, ip.address),
              "add address " + ip.address.to_string() + " to " + link.name);
  }
  batch.add(link_up_message(link.index, true), "set " + link.name + " up");
}

void check_addresses(RouteSocket& pod, const LinkInfo& link, const std::vector<ResultIp>& ips) {
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
}

}  // namespace railcni
