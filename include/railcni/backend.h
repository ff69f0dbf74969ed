// The contract of a backend: what makes, checks and removes the interface of one cniType.
#ifndef RAILCNI_BACKEND_H_
#define RAILCNI_BACKEND_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "railcni/attachment.h"
#include "railcni/config.h"
#include "railcni/netlink.h"
#include "railcni/netns.h"
#include "railcni/pod_side.h"
#include "railcni/request.h"

namespace railcni {

// What a backend plans and attaches with.
struct PlanContext {
  const Request& request;
  const NetworkConfig& config;
  RouteSocket& host;
  RouteSocket& pod;
  // While attaching: records `link` as it is now, for what a later step's undo needs to know.
  std::function<void()> save;
};

// What a backend found out and decided before anything has changed.
struct LinkPlan {
  // Recorded before the link is made; all that detach() and check() need later.
  Json link;
  // False: what the Pod gets has no interface that the kernel knows (a VF for DPDK).
  bool has_netdev = true;
  // True when the link may be without carrier for a while after it came up.
  bool carrier_comes_late = false;
  // True when the interface's MAC cannot be chosen; otherwise the caller may put another one into
  // link["mac"] before it is recorded.
  bool mac_is_fixed = false;
  // A lock to hold while attaching and detaching, one of a node; empty for none.
  std::string lock;
  // For matchMasterSubnet: the master and its addresses.
  std::string master;
  std::vector<IpPrefix> master_addresses;
};

// An RDMA device that is moved behind another plugin, "rdma:DEVICE", and a port's GUID.
inline constexpr std::string_view kRdmaClaim = "rdma:";
inline constexpr std::string_view kGuidClaim = "guid:";

// A backend lives for one verb. configure() comes before plan() and status(), and plan() before
// attach(), on the same object; detach() and check() work from the record alone, which another
// version of the program may have written.
class Backend {
 public:
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  // Reads the type's block. Throws Error{kInvalidConfig} for all that is wrong in itself.
  virtual void configure(const NetworkConfig& config) = 0;

  // What an attachment with this configuration claims for itself, before anything is read of it:
  // PCI addresses, and what else there is but once, behind one of the prefixes above. Throws
  // Error{kInvalidConfig} when the configuration names none and must.
  virtual std::vector<std::string> devices() const { return {}; }

  // Reads the kernel, changes nothing. Throws every other Error that can be known now.
  virtual LinkPlan plan(const PlanContext& context) = 0;

  // Makes the interface in the Pod with its final name, MTU and MAC, as `link` of the plan says, up
  // if its carrier comes late and else down; returns what the Pod's namespace shows of it (without
  // an interface: a LinkInfo of index 0 with name, MTU and MAC). It may add to `link` what is known
  // only now.
  virtual LinkInfo attach(const PlanContext& context, const Netns& pod_netns, Json& link) = 0;

  // Undoes whatever attach() has done of `attachment.link`, completely or up to any point. `pod` is
  // nullptr when the Pod's namespace is gone. Undoing what is not there is a success; what does not
  // belong to the attachment is left alone. Throws when something is left that could not be undone.
  virtual void detach(RouteSocket& host, const PodSide* pod, const Attachment& attachment) = 0;

  // For STATUS: throws when an ADD with this configuration could not work on this node now.
  virtual void status(RouteSocket& host) = 0;

  // Throws Error{kCheckFailed} when the link in the Pod, found as `found` (of index 0 when what the
  // Pod got has none), or what came with it, is not as recorded.
  virtual void check(RouteSocket& host, const PodSide& pod, const LinkInfo& found,
                     const Attachment& attachment) = 0;
};

// The backends there are.
const std::vector<TypeName>& backend_types();
// A new backend of that cniType (empty: the chained form); nullptr when there is none.
std::unique_ptr<Backend> make_backend(std::string_view cni_type);

}  // namespace railcni

#endif  // RAILCNI_BACKEND_H_
