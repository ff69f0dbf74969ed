// What the backends share that make a child of a master directly in the Pod (macvlan, ipvlan).
#ifndef RAILCNI_CHILD_LINK_H_
#define RAILCNI_CHILD_LINK_H_

#include <functional>
#include <string>

#include "railcni/backend.h"
#include "railcni/object_reader.h"
#include "railcni/uplink.h"

namespace railcni {

struct ChildBlock {
  std::string path;  // the block's name: "macvlan"
  UplinkSpec uplink;
  bool link_in_container = false;  // the master is in the Pod's namespace, too
  uint32_t mtu = 0;                // 0: the master's
};

// Reads the keys that the blocks have in common; the backend reads its own and calls finish().
// Throws Error{kInvalidConfig}.
ChildBlock read_child_block(ObjectReader& reader);

// The namespace that the master is in.
RouteSocket& master_socket(const PlanContext& context, const ChildBlock& block);

// For STATUS: throws when the master is not there, is down, or has a smaller MTU than the block's.
void check_child_master(RouteSocket& host, ChildBlock& block);

// Plans the child: master, its addresses, the lock under which a missing VLAN or bond is made, and
// of the record "master", "mtu" and "linkInContainer". An empty list of masters becomes the device
// of the default route. Throws as check_child_master().
LinkPlan plan_child(const PlanContext& context, ChildBlock& block);

// The name that a link of the attachment has on its way into the Pod, where it cannot have its own
// yet: one that nobody else's link has. Made of the key, so that an undo knows it without a record.
std::string temporary_link_name(const AttachmentKey& key);

// Makes the link that `wanted` describes (kind, address, info_data), down, on the master, which is
// made first where it is missing; records its index in `link`. An interface of the host that has
// the Pod's name for it is not in its way.
LinkInfo make_child(const PlanContext& context, const Netns& pod_netns, const ChildBlock& block,
                    NewLink wanted, Json& link);

// Deletes the attachment's link in the Pod's namespace (nullptr: it is gone, and the link with it),
// or in another one that the Pod has moved it to (see each_other_namespace()), where it is known by
// master and MAC, or by an address. Once its index is recorded that is the link's identity in the
// Pod, whatever name or MAC it has been given since. Before that (the ADD died) it is the link of
// that kind with the temporary name, or that of the attachment's name for which `is_ours` holds.
// Throws Error{kIncomplete} when the link keeps going elsewhere.
void delete_child(const PodSide* pod, const Attachment& attachment, const std::string& kind,
                  const std::function<bool(const LinkInfo&)>& is_ours);

// For CHECK: kind and master. Throws Error{kCheckFailed}.
void check_child(RouteSocket& host, const LinkInfo& found, const Attachment& attachment,
                 const std::string& kind);

}  // namespace railcni

#endif  // RAILCNI_CHILD_LINK_H_
