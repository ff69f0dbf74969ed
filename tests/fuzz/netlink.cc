// A datagram of a netlink socket: the messages' frame, and each rtnetlink and RDMA message in it.
#include <netlink/msg.h>

#include <vector>

#include "railcni/neighbour.h"
#include "railcni/netdev_state.h"
#include "src/kernel/netlink_reply.h"
#include "src/kernel/rdma_parse.h"
#include "src/kernel/route_parse.h"
#include "src/kernel/vf_parse.h"
#include "src/probe/ipoib.h"
#include "tests/fuzz/fuzz.h"

namespace railcni::fuzz {
namespace {

// What was read of a route, rule or address, written as a message and read again, is the same.
void check_address(const AddressInfo& info) {
  const NetlinkMessage message = new_address_message(info.link, info.address);
  const auto again = parse_address(message.header());
  require(again && again->address == info.address && again->link == info.link, "an address");
}

void check_route(const RouteInfo& route) {
  RouteInfo wanted = route;
  wanted.destination = route.destination.network();
  const NetlinkMessage message = new_route_message(wanted);
  const auto again = parse_route(message.header());
  require(again && again->destination == wanted.destination && again->gateway == route.gateway &&
              again->source == route.source && again->link == route.link &&
              again->table == route.table && again->priority == route.priority,
          "a route");
}

void check_rule(const RuleInfo& rule) {
  const NetlinkMessage message = new_rule_message(rule);
  const auto again = parse_rule(message.header());
  require(again && again->family == rule.family && again->from == rule.from &&
              again->to == rule.to && again->table == rule.table &&
              again->priority == rule.priority && again->only_from == !rule.to,
          "a rule");
}

void check_link(const LinkInfo& link) {
  const NetdevState state = NetdevState::of(link);
  (void)state.to_json().dump();
  if (!is_ipoib(link.address)) return;
  const IpAddress v4{Family::kV4, 0x0a000001};
  require(ipoib_arp_announcement(link.address, v4).size() == 8 + 2 * (20 + 4), "an IPoIB ARP");
  (void)ipoib_advertisement(link.address, {Family::kV6, 1});
}

void read_message(const nlmsghdr* header) {
  check_link(parse_link(header));
  if (const auto address = parse_address(header)) check_address(*address);
  (void)parse_route(header);
  (void)parse_nsid(header);
  if (const auto route = parse_route_lookup(header)) check_route(*route);
  if (const auto rule = parse_rule(header)) check_rule(*rule);
  (void)parse_neighbour(header);
  for (const int number : {0, 1}) {
    const auto vf = parse_vf(header, number);
    if (vf) require(VfState::from_json(vf->to_json()).to_json() == vf->to_json(), "a VF's record");
  }
  (void)parse_rdma_device(header);
  (void)parse_rdma_port(header);
  (void)parse_rdma_netns_mode(header);
}

}  // namespace
}  // namespace railcni::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railcni;
  // Aligned as a receive buffer is, and not a byte longer.
  const std::vector<char> datagram(data, data + size);
  std::vector<NetlinkOutcome> outcomes(3);
  outcomes[1].is_acknowledged = false;
  const size_t done =
      read_replies(datagram.data(), datagram.size(), 0, outcomes, fuzz::read_message);
  size_t marked = 0;
  for (const NetlinkOutcome& outcome : outcomes) {
    marked += outcome.is_done ? 1 : 0;
    fuzz::require(outcome.error >= 0 && outcome.error < 4096, "an errno");
  }
  fuzz::require(done == marked, "each request is done once");
  return 0;
}
