#include "src/probe/ipoib.h"

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>

#include "railcni/error.h"
#include "railcni/fd.h"
#include "src/probe/ethernet.h"
#include "src/probe/ndp.h"

namespace railcni {
namespace {

constexpr uint8_t kIpSize = 4;
constexpr uint8_t kOverrideFlag = 0x20;  // RFC 4861, 4.4
constexpr uint8_t kTargetLinkLayer = 2;  // RFC 4861, 4.6.1
constexpr uint8_t kOptionUnits = 3;      // of 8 bytes: RFC 4391, 9.3
constexpr int kHopLimit = 255;           // RFC 4861, 7.1

// Room for an address that is longer than sockaddr_ll's own.
union LinkAddress {
  sockaddr_ll header;
  std::array<uint8_t, sizeof(sockaddr_ll) + 32> bytes;
};

void send_arp(const LinkInfo& link, const IpAddress& address) {
  const Fd fd(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) throw_errno(Code::kKernel, link.name + ": cannot open a packet socket", errno);
  LinkAddress to{};
  constexpr size_t kAddressAt = offsetof(sockaddr_ll, sll_addr);
  if (link.broadcast.size() > to.bytes.size() - kAddressAt) return;
  to.header.sll_family = AF_PACKET;
  to.header.sll_protocol = htons(ETH_P_ARP);
  to.header.sll_ifindex = link.index;
  to.header.sll_halen = static_cast<uint8_t>(link.broadcast.size());
  std::ranges::copy(link.broadcast, to.bytes.begin() + kAddressAt);
  const auto packet = ipoib_arp_announcement(link.address, address);
  if (TEMP_FAILURE_RETRY(sendto(fd.get(), packet.data(), packet.size(), 0,
                                reinterpret_cast<const sockaddr*>(&to),
                                static_cast<socklen_t>(kAddressAt + link.broadcast.size()))) < 0) {
    throw_errno(Code::kKernel, link.name + ": cannot announce " + address.to_string(), errno);
  }
}

sockaddr_in6 socket_address(const IpAddress& address, int scope) {
  sockaddr_in6 result{};
  result.sin6_family = AF_INET6;
  result.sin6_scope_id = static_cast<uint32_t>(scope);
  const auto bytes = address.bytes();
  std::copy_n(bytes.begin(), sizeof result.sin6_addr.s6_addr, result.sin6_addr.s6_addr);
  return result;
}

// The kernel fills in the checksum and finds the multicast group's hardware address.
void send_advertisement(const LinkInfo& link, const IpAddress& address) {
  const Fd fd(socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
  const auto from = socket_address(address, 0);
  const auto to = socket_address(kAllNodes, link.index);
  const auto message = ipoib_advertisement(link.address, address);
  if (!fd ||
      setsockopt(fd.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &kHopLimit, sizeof kHopLimit) != 0 ||
      setsockopt(fd.get(), IPPROTO_IPV6, IPV6_MULTICAST_IF, &link.index, sizeof link.index) != 0 ||
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0 ||
      TEMP_FAILURE_RETRY(sendto(fd.get(), message.data(), message.size(), 0,
                                reinterpret_cast<const sockaddr*>(&to), sizeof to)) < 0) {
    throw_errno(Code::kKernel, link.name + ": cannot announce " + address.to_string(), errno);
  }
}

}  // namespace

std::vector<uint8_t> ipoib_arp_announcement(const HwAddress& hardware, const IpAddress& address) {
  Frame packet;
  append_u16(packet, ARPHRD_INFINIBAND);
  append_u16(packet, ETH_P_IP);
  packet.push_back(static_cast<uint8_t>(hardware.size()));
  packet.push_back(kIpSize);
  append_u16(packet, ARPOP_REQUEST);
  append(packet, hardware);
  append_ip(packet, address);
  packet.resize(packet.size() + hardware.size());  // what is asked for: zeros (RFC 5227, 2.3)
  append_ip(packet, address);
  return packet;
}

std::vector<uint8_t> ipoib_advertisement(const HwAddress& hardware, const IpAddress& address) {
  Frame message = {kNeighbourAdvertisement, 0, 0, 0, kOverrideFlag, 0, 0, 0};
  append_ip(message, address);
  append(message, std::array<uint8_t, 4>{kTargetLinkLayer, kOptionUnits, 0, 0});
  append(message, hardware);
  return message;
}

void announce_on_ipoib(const LinkInfo& link, const std::vector<IpAddress>& addresses) {
  for (const IpAddress& address : addresses) {
    if (address.family == Family::kV4) {
      send_arp(link, address);
    } else {
      send_advertisement(link, address);
    }
  }
}

}  // namespace railcni
