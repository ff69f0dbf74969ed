// CHECK: is the Pod's networking as ADD left it? What later plugins of the chain have changed (MAC,
// MTU, further addresses and routes) is theirs.
#include <net/if.h>

#include <algorithm>

#include "railcni/addressing.h"
#include "railcni/error.h"
#include "railcni/routing.h"
#include "src/verbs/delegated_ipam.h"
#include "src/verbs/session.h"

namespace railcni {
namespace {

[[noreturn]] void fail(const std::string& why) { throw Error(Code::kCheckFailed, why); }

Attachment recorded(Session& session, const Request& request, const Netns& netns) {
  const AttachmentKey key = attachment_key(request);
  std::optional<Attachment> attachment;
  if (session.state) attachment = find_attachment(*session.state, key);
  if (!attachment) fail("nothing is recorded of attachment " + key.to_string());
  if (!attachment->settled) fail("the ADD of attachment " + key.to_string() + " never finished");
  if (attachment->netns != netns.id()) {
    fail("CNI_NETNS is not the network namespace that attachment " + key.to_string() +
         " was made in");
  }
  return *attachment;
}

// The MAC is compared with the chain's final result, since a later plugin may have set another.
void check_mac(const LinkInfo& link, const Result& previous) {
  for (const ResultInterface& interface : previous.interfaces) {
    if (interface.name != link.name || interface.sandbox.empty() || interface.mac.empty()) continue;
    const auto mac = parse_hw_address(interface.mac);
    if (mac && *mac != link.address) {
      fail("interface " + link.name + " has MAC " + to_string(link.address) + ", prevResult says " +
           interface.mac);
    }
  }
}

}  // namespace

void check(const Request& request) {
  const NetworkConfig config = read_config(request, backend_types());
  if (config.prev_result.is_null()) {
    throw Error(Code::kInvalidConfig, "CHECK needs prevResult, and the configuration has none");
  }
  const Result previous = Result::from_json(config.prev_result, "prevResult");
  const Netns netns = Netns::open(request.netns);
  Session session{store_paths(request.config), nullptr, {}, {}};
  session.state = Store::open(Store::File::kState, session.paths, Store::Mode::kExisting);
  const Attachment attachment = recorded(session, request, netns);
  check_leases(*session.state, attachment);
  if (!attachment.ipam.is_null()) {
    delegate_forward(request, attachment.ipam.at("type").as_string());
  }

  const std::unique_ptr<Backend> backend = make_backend(attachment.cni_type);
  if (!backend) fail("it was made by a backend that this railcni does not have");
  std::optional<RouteSocket> pod;
  netns.run([&pod] { pod.emplace(); });
  pod->accept_torn_dumps();
  const PodSide side{netns, *pod};
  // Index 0: what the Pod got has no interface.
  if (const Json* index = attachment.link.find("index"); index != nullptr && index->as_int() == 0) {
    backend->check(session.host, side, LinkInfo(), attachment);
    return;
  }
  const auto link = pod->find_link(request.ifname);
  if (!link) fail("interface " + request.ifname + " is missing in the container");
  if ((link->flags & IFF_UP) == 0) fail("interface " + request.ifname + " is down");
  backend->check(session.host, side, *link, attachment);
  check_mac(*link, previous);
  const Result result = Result::from_json(attachment.result, "the recorded result");
  if (!attachment.cni_type.empty()) check_addresses(*pod, *link, result.ips);
  check_routing(*pod, RoutingPlan::from_json(attachment.routing));
}

}  // namespace railcni
