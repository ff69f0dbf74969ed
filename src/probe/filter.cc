#include "src/probe/filter.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

#include "src/probe/ndp.h"

namespace railcni {
namespace {

// Offsets of arp.cc and ndp.cc.
constexpr uint32_t kEtherType = 12;
constexpr uint32_t kArpSender = 28;
constexpr uint32_t kArpTarget = 38;
constexpr uint32_t kNextHeader = 20;
constexpr uint32_t kIpv6Source = 22;
constexpr uint32_t kIcmpType = 54;
constexpr uint32_t kNdpTarget = 62;

constexpr uint32_t kVlanIdMask = 0xfff;  // VLAN_VID_MASK of <linux/if_vlan.h>

// With more addresses than that the program would grow towards the kernel's limits (BPF_MAXINSNS
// is 4096, net.core.optmem_max may be 20 KiB); the prober then looks at each frame itself.
constexpr size_t kMaxAddresses = 64;

// Loads beyond the end of a frame end the program with "drop" (Documentation/networking/filter.rst
// of the kernel), so no length needs to be checked.
constexpr sock_filter load_word(uint32_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset);
}
constexpr sock_filter load_byte(uint32_t offset) {
  return BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offset);
}
constexpr sock_filter if_equal(uint32_t value, uint8_t then, uint8_t otherwise) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise);
}
constexpr sock_filter kDrop = BPF_STMT(BPF_RET | BPF_K, 0);
constexpr sock_filter kPass = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);

// A conditional jump reaches 255 instructions, this one any number.
sock_filter jump_over(const Filter& part) {
  return BPF_STMT(BPF_JMP | BPF_JA, static_cast<uint32_t>(part.size()));
}

// Drops what carries a tag of a VLAN: the kernel shows it to sockets of the untagged link too, with
// the tag beside the frame. VLAN 0 is only a priority (IEEE 802.1Q).
Filter own_vlan_only() {
  return {
      load_word(static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_VLAN_TAG)),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kVlanIdMask),
      if_equal(0, 1, 0),
      kDrop,
  };
}

// Drops the frame unless `load` gives `value`.
void require(Filter& filter, const sock_filter& load, uint32_t value) {
  filter.insert(filter.end(), {load, if_equal(value, 1, 0), kDrop});
}

// Passes the frame when the bytes at `offset` are one of the addresses, else drops it.
void pass_one_of(Filter& filter, uint32_t offset, const std::vector<IpAddress>& addresses) {
  if (addresses.size() > kMaxAddresses) {
    filter.push_back(kPass);
    return;
  }
  for (const IpAddress& address : addresses) {
    const auto words = static_cast<uint32_t>(address.byte_size() / 4);
    for (uint32_t i = 0; i < words; ++i) {
      filter.push_back(load_word(offset + 4 * i));
      // Past the rest of this address' words (two instructions each) and its kPass.
      const auto next_address = static_cast<uint8_t>(2 * (words - 1 - i) + 1);
      const int shift = static_cast<int>(32 * (words - 1 - i));
      filter.push_back(if_equal(static_cast<uint32_t>(address.value >> shift), 0, next_address));
    }
    filter.push_back(kPass);
  }
  filter.push_back(kDrop);
}

Filter arp_filter(const std::vector<IpAddress>& addresses, bool probes) {
  Filter filter;
  if (probes) {
    Filter for_probes;
    pass_one_of(for_probes, kArpTarget, addresses);
    filter.push_back(load_word(kArpSender));
    filter.push_back(if_equal(0, 1, 0));
    filter.push_back(jump_over(for_probes));
    filter.insert(filter.end(), for_probes.begin(), for_probes.end());
  }
  pass_one_of(filter, kArpSender, addresses);
  return filter;
}

Filter neighbour_filter(const std::vector<IpAddress>& addresses, bool probes) {
  Filter filter;
  require(filter, load_byte(kNextHeader), IPPROTO_ICMPV6);
  filter.push_back(load_byte(kIcmpType));
  if (probes) {
    Filter from_nobody;
    for (uint32_t i = 0; i < 4; ++i) require(from_nobody, load_word(kIpv6Source + 4 * i), 0);
    // An advertisement goes on behind that, a solicitation must come from ::.
    filter.push_back(
        if_equal(kNeighbourAdvertisement, static_cast<uint8_t>(2 + from_nobody.size()), 0));
    filter.push_back(if_equal(kNeighbourSolicitation, 1, 0));
    filter.push_back(kDrop);
    filter.insert(filter.end(), from_nobody.begin(), from_nobody.end());
  } else {
    filter.push_back(if_equal(kNeighbourAdvertisement, 1, 0));
    filter.push_back(kDrop);
  }
  pass_one_of(filter, kNdpTarget, addresses);
  return filter;
}

}  // namespace

Filter probe_filter(const std::vector<IpAddress>& addresses, bool probes) {
  std::vector<IpAddress> v4;
  std::vector<IpAddress> v6;
  for (const IpAddress& address : addresses) {
    (address.family == Family::kV4 ? v4 : v6).push_back(address);
  }
  const Filter arp = arp_filter(v4, probes);
  const Filter neighbour = neighbour_filter(v6, probes);
  Filter filter = own_vlan_only();
  filter.push_back(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kEtherType));
  filter.push_back(if_equal(ETH_P_ARP, 1, 0));
  filter.push_back(jump_over(arp));
  filter.insert(filter.end(), arp.begin(), arp.end());
  filter.push_back(if_equal(ETH_P_IPV6, 1, 0));
  filter.push_back(kDrop);
  filter.insert(filter.end(), neighbour.begin(), neighbour.end());
  return filter;
}

}  // namespace railcni
