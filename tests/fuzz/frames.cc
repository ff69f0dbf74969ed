// ARP and neighbour discovery: whole Ethernet frames, as a packet socket gives them.
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <sys/socket.h>

#include <algorithm>
#include <vector>

#include "src/probe/arp.h"
#include "src/probe/filter.h"
#include "src/probe/ndp.h"
#include "tests/fuzz/fuzz.h"

namespace railcni::fuzz {
namespace {

const IpAddress kV4 = *IpAddress::parse("10.1.2.3");
const IpAddress kV6 = *IpAddress::parse("fd00::3");

// The kernel runs the filters, on whatever is sent through this pair of sockets.
class FilteredPair {
 public:
  explicit FilteredPair(const Filter& filter) {
    require(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends_) == 0, "a socket pair");
    sock_fprog program{};
    program.len = static_cast<unsigned short>(filter.size());
    program.filter = const_cast<sock_filter*>(filter.data());
    require(setsockopt(ends_[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0,
            "a filter that the kernel takes");
  }
  bool passes(FrameView frame) const {
    (void)::send(ends_[0], frame.data(), frame.size(), MSG_DONTWAIT);
    uint8_t buffer[2048];
    return recv(ends_[1], buffer, sizeof buffer, MSG_DONTWAIT) >= 0;
  }

 private:
  int ends_[2] = {-1, -1};
};

// What a prober would take for an answer must get past its filter.
void check_filters(FrameView frame, const std::optional<ArpPacket>& arp,
                   const std::optional<NeighbourMessage>& ndp) {
  static const FilteredPair conflicts(probe_filter({kV4, kV6}, true));
  static const FilteredPair answers(probe_filter({kV4, kV6}, false));
  bool answer = false;
  bool probe = false;
  if (arp) {
    answer = arp->sender_ip == kV4;
    probe = arp->sender_ip.value == 0 && arp->target_ip == kV4;
  }
  if (ndp && ndp->target == kV6) {
    answer = ndp->type == kNeighbourAdvertisement;
    probe = ndp->type == kNeighbourSolicitation && ndp->source == kUnspecifiedV6;
  }
  if (answer) require(answers.passes(frame), "an answer passes the filter");
  if (answer || probe) require(conflicts.passes(frame), "a conflict passes the filter");
}

void check_arp(const ArpPacket& packet) {
  const Frame frame = arp_frame(kBroadcastMac, packet);
  const auto again = parse_arp(frame);
  require(again && arp_frame(kBroadcastMac, *again) == frame, "an ARP packet");
}

void check_ndp(const NeighbourMessage& message) {
  require(message.target.value >> 120 != 0xff, "a target is no multicast address");
  const MacAddress mac = message.link_layer.value_or(message.sender_mac);
  const auto probe = parse_neighbour_message(
      duplicate_solicitation(mac, message.target, message.nonce.value_or(Nonce{})));
  require(probe && probe->target == message.target &&
              probe->nonce == message.nonce.value_or(Nonce{}) && !probe->link_layer,
          "a probe for the same target");
  const auto told = parse_neighbour_message(unsolicited_advertisement(mac, message.target));
  require(told && told->target == message.target && told->link_layer == mac,
          "an advertisement of the same target");
}

// No mutation finds a checksum: half of the inputs, by their first byte, get a right one.
void repair_checksum(Frame& frame) {
  constexpr size_t kIp = kEthernetHeader;
  constexpr size_t kIcmp = kIp + 40;
  if (frame.size() < kIcmp + 4) return;
  const size_t length = std::min<size_t>(read_u16(frame, kIp + 4), frame.size() - kIcmp);
  if (length < 4) return;
  frame[kIcmp + 2] = frame[kIcmp + 3] = 0;
  uint32_t sum = 58 + static_cast<uint32_t>(length);
  for (size_t i = 0; i < 32; i += 2) sum += read_u16(frame, kIp + 8 + i);
  for (size_t i = 0; i + 1 < length; i += 2) sum += read_u16(frame, kIcmp + i);
  if (length % 2 != 0) sum += static_cast<uint32_t>(frame[kIcmp + length - 1] << 8);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  frame[kIcmp + 2] = static_cast<uint8_t>(~sum >> 8 & 0xff);
  frame[kIcmp + 3] = static_cast<uint8_t>(~sum & 0xff);
}

}  // namespace
}  // namespace railcni::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railcni;
  if (size == 0 || size > ETH_FRAME_LEN) return 0;
  Frame frame(data + 1, data + size);
  if (data[0] % 2 == 1) fuzz::repair_checksum(frame);
  const auto arp = parse_arp(frame);
  const auto ndp = parse_neighbour_message(frame);
  fuzz::require(!arp || !ndp, "a frame is of one protocol");
  if (arp) fuzz::check_arp(*arp);
  if (ndp) fuzz::check_ndp(*ndp);
  fuzz::check_filters(frame, arp, ndp);
  return 0;
}
