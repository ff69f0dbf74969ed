#include "src/kernel/vf_fetch.h"

#include <unistd.h>

#include <cerrno>

#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/namespaces.h"
#include "railcni/netns.h"
#include "railcni/owed_names.h"
#include "railcni/way_home.h"
#include "src/kernel/vf_links.h"

namespace railcni {
namespace {

// How often the move is tried against a Pod that gives the interface names in the meantime.
constexpr int kMoveTries = 20;
// More of them are not deleted one by one: each takes the kernel some milliseconds.
constexpr size_t kMostStacked = 64;

// Deletes what of one namespace stands on the link of that index, which is in the same one, or in
// that of the open file `elsewhere`. `kind` is the only one that counts; empty: all do. Returns how
// many there were; more than kMostStacked stay.
size_t remove_stacked_in(RouteSocket& socket, int index, std::optional<int> elsewhere = {},
                         std::string_view kind = {}) {
  std::vector<LinkInfo> stacked = socket.links();
  std::erase_if(stacked, [&](const LinkInfo& link) {
    return link.parent != index || link.parent_elsewhere != elsewhere.has_value() ||
           (!elsewhere && link.index == index) || (!kind.empty() && link.kind != kind);
  });
  if (elsewhere && !stacked.empty()) {
    // The number that it is known by may be given to it by the look at the links.
    const auto nsid = socket.nsid_of(*elsewhere);
    std::erase_if(stacked, [nsid](const LinkInfo& link) { return link.parent_netnsid != nsid; });
  }
  if (stacked.size() > kMostStacked) return stacked.size();
  for (const LinkInfo& link : stacked) socket.try_send(delete_link_message(link.index));
  return stacked.size();
}

// Where the interface is in one namespace. By index first: a dump of a namespace that changes
// without end may leave it out.
std::optional<LinkInfo> find_in(RouteSocket& socket, const std::string& device,
                                std::optional<int> index) {
  if (index) {
    auto link = socket.find_link(*index);
    const bool is_hardware = link && (link->kind.empty() || link->kind == "ipoib");
    if (is_hardware && link->parent_device == device) return link;
  }
  return find_device_link(socket, device);
}

// Names that the host may have by now come off before the move, which they would make fail; of the
// interface's own alternative names too, once that has happened. restore_netdev() puts those back.
int try_move(RouteSocket& pod, const LinkInfo& link, int host_fd, const NetdevState& original,
             bool first, std::string& explanation) {
  const std::vector<std::string> names =
      first ? without(link.alt_names, original.alt_names) : link.alt_names;
  if (!names.empty()) pod.try_send(alt_names_message(link.index, names, false));
  // Its old name may be somebody else's by now.
  const std::string& name = first ? original.name : std::string(kParkedInterface);
  return pod.try_send(move_link_message(link.index, host_fd, name, 0), &explanation);
}

// Out of the namespace of `socket`, without what stands on it there; a half-done move is what
// restore_netdev() is for.
void bring_home(RouteSocket& socket, const std::string& device, std::optional<int> index,
                const NetdevState& original) {
  const Netns host = Netns::current();
  std::string explanation;
  int error = 0;
  for (int tries = 0; tries < kMoveTries; ++tries) {
    const auto link = find_in(socket, device, index);
    if (!link) return;
    if (tries == 0) remove_stacked_in(socket, link->index);
    error = try_move(socket, *link, host.fd(), original, tries == 0, explanation);
    if (error == 0) return;
  }
  log_warning(kernel_refusal("move VF " + device + " back to the host", error, explanation).msg());
}

}  // namespace

std::optional<LinkInfo> find_vf_link(RouteSocket& host, const PodSide* pod, const Sysfs& sysfs,
                                     const std::string& device, std::optional<int> index) {
  if (pod != nullptr) {
    if (auto link = find_in(pod->route, device, index)) return link;
  }
  return host_link(host, sysfs, device);
}

std::optional<LinkInfo> fetch_vf_link(RouteSocket& host, const PodSide* pod, const Sysfs& sysfs,
                                      const std::string& device, std::optional<int> index,
                                      const NetdevState& original) {
  if (pod != nullptr) bring_home(pod->route, device, index, original);
  std::optional<LinkInfo> link = host_link(host, sysfs, device);
  if (!link) {
    each_other_namespace(pod, [&](RouteSocket& socket) {
      bring_home(socket, device, index, original);
      link = host_link(host, sysfs, device);
      return link.has_value();
    });
  }
  for (int tries = 0; !link && tries < kHomeTries; ++tries) {
    usleep(kHomePause);
    link = host_link(host, sysfs, device);
  }
  return link;
}

namespace {

// Removes what stands on the host's link of that index, in all namespaces that can be found;
// returns how many there were.
size_t remove_stacked_once(RouteSocket& host, const PodSide* pod, int index) {
  const Netns home = Netns::current();
  // The host had none, or the plan would have refused the VF, and may have made some since it came
  // home. Only IPoIB children of a Pod come along when its namespace dies.
  size_t count = remove_stacked_in(host, index, std::nullopt, "ipoib");
  if (pod != nullptr) count += remove_stacked_in(pod->route, index, home.fd());
  each_other_namespace(pod, [&](RouteSocket& socket) {
    count += remove_stacked_in(socket, index, home.fd());
    return count > kMostStacked;
  });
  return count;
}

}  // namespace

bool remove_stacked(RouteSocket& host, const PodSide* pod, const LinkInfo& vf) {
  const size_t count = remove_stacked_once(host, pod, vf.index);
  return count == 0 || (count <= kMostStacked && remove_stacked_once(host, pod, vf.index) == 0);
}

}  // namespace railcni
