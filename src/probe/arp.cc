#include "src/probe/arp.h"

#include <linux/if_arp.h>
#include <linux/if_ether.h>

namespace railcni {
namespace {

constexpr uint8_t kMacSize = 6;
constexpr uint8_t kIpSize = 4;
// RFC 826, "Packet format", with 6-byte and 4-byte addresses.
constexpr size_t kHardwareType = kEthernetHeader;
constexpr size_t kProtocolType = kEthernetHeader + 2;
constexpr size_t kHardwareLength = kEthernetHeader + 4;
constexpr size_t kProtocolLength = kEthernetHeader + 5;
constexpr size_t kOperation = kEthernetHeader + 6;
constexpr size_t kSenderMac = kEthernetHeader + 8;
constexpr size_t kSenderIp = kEthernetHeader + 14;
constexpr size_t kTargetMac = kEthernetHeader + 18;
constexpr size_t kTargetIp = kEthernetHeader + 24;
constexpr size_t kFrameSize = kEthernetHeader + 28;

constexpr IpAddress kNoAddress = {Family::kV4, 0};

}  // namespace

Frame arp_frame(const MacAddress& destination, const ArpPacket& packet) {
  Frame frame = ethernet_header(destination, packet.sender_mac, ETH_P_ARP);
  append_u16(frame, ARPHRD_ETHER);
  append_u16(frame, ETH_P_IP);
  frame.push_back(kMacSize);
  frame.push_back(kIpSize);
  append_u16(frame, packet.operation);
  append(frame, packet.sender_mac);
  append_ip(frame, packet.sender_ip);
  append(frame, packet.target_mac);
  append_ip(frame, packet.target_ip);
  return frame;
}

Frame arp_probe(const MacAddress& mac, const IpAddress& address) {
  return arp_request(mac, kNoAddress, address);
}

Frame arp_request(const MacAddress& mac, const IpAddress& source, const IpAddress& target) {
  // The target's hardware address is what is asked for: zeros (RFC 5227, 2.1.1).
  return arp_frame(kBroadcastMac, {ARPOP_REQUEST, mac, source, {}, target});
}

Frame arp_announcement(const MacAddress& mac, const IpAddress& address) {
  return arp_request(mac, address, address);
}

std::optional<ArpPacket> parse_arp(FrameView frame) {
  if (frame.size() < kFrameSize || read_u16(frame, kEthernetHeader - 2) != ETH_P_ARP) {
    return std::nullopt;
  }
  // As the kernel (arp_process() in net/ipv4/arp.c): Ethernet hosts may also say "IEEE 802".
  const uint16_t hardware = read_u16(frame, kHardwareType);
  if ((hardware != ARPHRD_ETHER && hardware != ARPHRD_IEEE802) ||
      read_u16(frame, kProtocolType) != ETH_P_IP || frame[kHardwareLength] != kMacSize ||
      frame[kProtocolLength] != kIpSize) {
    return std::nullopt;
  }
  ArpPacket packet;
  packet.operation = read_u16(frame, kOperation);
  if (packet.operation != ARPOP_REQUEST && packet.operation != ARPOP_REPLY) return std::nullopt;
  packet.sender_mac = read_mac(frame, kSenderMac);
  packet.sender_ip = IpAddress::from_bytes(Family::kV4, &frame[kSenderIp]);
  packet.target_mac = read_mac(frame, kTargetMac);
  packet.target_ip = IpAddress::from_bytes(Family::kV4, &frame[kTargetIp]);
  return packet;
}

}  // namespace railcni
