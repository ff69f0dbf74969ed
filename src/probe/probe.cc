#include "railcni/probe.h"

#include <linux/if_arp.h>
#include <sys/random.h>

#include <algorithm>
#include <map>

#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/netdev_state.h"
#include "src/probe/arp.h"
#include "src/probe/exchange.h"
#include "src/probe/ipoib.h"
#include "src/probe/ndp.h"
#include "src/probe/neighbour.h"

namespace railcni {
namespace {

// Each address once, in the order given.
std::vector<IpAddress> unique(const std::vector<IpAddress>& addresses) {
  std::vector<IpAddress> result;
  for (const IpAddress& address : addresses) {
    if (std::find(result.begin(), result.end(), address) == result.end()) result.push_back(address);
  }
  return result;
}

std::vector<IpAddress> of_family(const std::vector<IpAddress>& addresses, Family family) {
  std::vector<IpAddress> result;
  std::copy_if(addresses.begin(), addresses.end(), std::back_inserter(result),
               [family](const IpAddress& address) { return address.family == family; });
  return result;
}

Nonce random_nonce() {
  Nonce nonce{};
  // Right after boot there may be no random numbers yet. Then the sender's MAC alone tells our own
  // probes from others'.
  if (getrandom(nonce.data(), nonce.size(), GRND_NONBLOCK) < 0) return {};
  return nonce;
}

class ConflictProbe : public Asker {
 public:
  ConflictProbe(const MacAddress& mac, const std::vector<IpAddress>& addresses)
      : mac_(mac), addresses_(addresses) {
    for (const IpAddress& address : addresses) {
      probes_.push_back(address.family == Family::kV4
                            ? arp_probe(mac, address)
                            : duplicate_solicitation(mac, address, nonce_));
    }
  }

  std::vector<Frame> questions() const override { return probes_; }
  bool done() const override { return !owners_.empty(); }
  void hear(FrameView frame) override {
    if (const auto packet = parse_arp(frame)) on_arp(*packet);
    if (const auto message = parse_neighbour_message(frame)) on_neighbour_message(*message);
  }

  std::vector<Conflict> conflicts() const {
    std::vector<Conflict> result;
    for (const auto& [address, mac] : owners_) result.push_back({address, to_hw_address(mac)});
    return result;
  }

 private:
  void on_arp(const ArpPacket& packet) {
    // RFC 5227, 2.1.1: whoever sends from the address has it; who probes for it is about to take
    // it.
    note(packet.sender_ip.value == 0 ? packet.target_ip : packet.sender_ip, packet.sender_mac);
  }

  void on_neighbour_message(const NeighbourMessage& message) {
    if (message.type == kNeighbourAdvertisement) {
      note(message.target, message.link_layer.value_or(message.sender_mac));
      return;
    }
    // RFC 4862, 5.4.3: from another source it is somebody who looks for the owner. RFC 7527, 4.2:
    // with our nonce it is our own, looped back.
    if (message.source != kUnspecifiedV6) return;
    if (message.nonce && *message.nonce == nonce_ && nonce_ != Nonce{}) return;
    note(message.target, message.sender_mac);
  }

  void note(const IpAddress& address, const MacAddress& mac) {
    if (mac == mac_) return;
    if (std::find(addresses_.begin(), addresses_.end(), address) == addresses_.end()) return;
    owners_.emplace(address, mac);
  }

  MacAddress mac_;
  Nonce nonce_ = random_nonce();
  std::vector<IpAddress> addresses_;
  std::vector<Frame> probes_;
  std::map<IpAddress, MacAddress> owners_;
};

// Of the sources, the one that shares the most leading bits with the gateway. Without one of the
// family the unspecified address: the question is then that of a duplicate probe, and is answered.
IpAddress source_for(const std::vector<IpAddress>& sources, const IpAddress& gateway) {
  const std::vector<IpAddress> candidates = of_family(sources, gateway.family);
  const auto best = std::min_element(candidates.begin(), candidates.end(),
                                     [&](const IpAddress& a, const IpAddress& b) {
                                       return (a.value ^ gateway.value) < (b.value ^ gateway.value);
                                     });
  return best == candidates.end() ? IpAddress{gateway.family, 0} : *best;
}

class GatewayProbe : public Asker {
 public:
  GatewayProbe(const MacAddress& mac, const std::vector<IpAddress>& sources,
               const std::vector<IpAddress>& gateways)
      : mac_(mac), sources_(sources), silent_(gateways) {}

  std::vector<Frame> questions() const override {
    std::vector<Frame> frames;
    for (const IpAddress& gateway : silent_) {
      const IpAddress source = source_for(sources_, gateway);
      if (gateway.family == Family::kV4) {
        frames.push_back(arp_request(mac_, source, gateway));
      } else if (source == kUnspecifiedV6) {
        frames.push_back(duplicate_solicitation(mac_, gateway, nonce_));
      } else {
        frames.push_back(solicitation(mac_, source, gateway));
      }
    }
    return frames;
  }

  bool done() const override { return silent_.empty(); }

  void hear(FrameView frame) override {
    const auto packet = parse_arp(frame);
    if (packet && packet->operation == ARPOP_REPLY && packet->sender_mac != mac_) {
      std::erase(silent_, packet->sender_ip);
    }
    const auto message = parse_neighbour_message(frame);
    if (message && message->type == kNeighbourAdvertisement && message->sender_mac != mac_) {
      std::erase(silent_, message->target);
    }
  }

  const std::vector<IpAddress>& silent() const { return silent_; }

 private:
  MacAddress mac_;
  Nonce nonce_ = random_nonce();
  std::vector<IpAddress> sources_;
  std::vector<IpAddress> silent_;
};

}  // namespace

Prober::Prober(RouteSocket& netlink, LinkInfo link, const ProbeTiming& timing)
    : netlink_(netlink), link_(std::move(link)), timing_(timing) {}

Prober::~Prober() = default;

PacketSocket& Prober::socket() {
  if (!socket_) socket_ = std::make_unique<PacketSocket>(link_);
  return *socket_;
}

std::vector<Conflict> Prober::find_conflicts(const std::vector<IpAddress>& addresses) {
  if (addresses.empty()) return {};
  const std::vector<IpAddress> asked = unique(addresses);
  const Rounds rounds = conflict_rounds(timing_);
  if (!is_mac(link_.address)) return ask_kernel(netlink_, link_, asked, rounds, true);
  // The kernel joins these groups itself when IPv6 is on and, for the second, when the address is
  // configured: both may not be so yet.
  for (const IpAddress& address : of_family(asked, Family::kV6)) {
    socket().join(multicast_mac(kAllNodes));
    socket().join(multicast_mac(solicited_node(address)));
  }
  socket().listen(probe_filter(asked, true));
  ConflictProbe probe(to_mac(link_.address), asked);
  exchange(socket(), rounds, probe);
  return probe.conflicts();
}

std::vector<IpAddress> Prober::find_silent_gateways(const std::vector<IpAddress>& sources,
                                                    const std::vector<IpAddress>& gateways) {
  if (gateways.empty()) return {};
  std::vector<IpAddress> asked = unique(gateways);
  const Rounds rounds = gateway_rounds(timing_);
  if (!is_mac(link_.address)) {
    for (const Conflict& answer : ask_kernel(netlink_, link_, asked, rounds, false)) {
      std::erase(asked, answer.address);
    }
    return asked;
  }
  // All nodes: there goes the answer to a question from ::.
  socket().join(multicast_mac(kAllNodes));
  socket().listen(probe_filter(asked, false));
  GatewayProbe probe(to_mac(link_.address), sources, asked);
  exchange(socket(), rounds, probe);
  return probe.silent();
}

void Prober::announce(const std::vector<IpAddress>& addresses) {
  if (addresses.empty()) return;
  try {
    if (is_ipoib(link_.address)) announce_on_ipoib(link_, unique(addresses));
    if (!is_mac(link_.address)) return;
    const MacAddress mac = to_mac(link_.address);
    for (const IpAddress& address : unique(addresses)) {
      if (!socket().send(address.family == Family::kV4 ? arp_announcement(mac, address)
                                                       : unsolicited_advertisement(mac, address))) {
        log_warning(link_.name + ": cannot announce " + address.to_string() + ": queue is full");
      }
    }
  } catch (const Error& error) {
    log_warning("cannot announce addresses: " + error.msg());
  }
}

}  // namespace railcni
