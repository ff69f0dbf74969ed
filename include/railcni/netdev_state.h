// What a hardware interface was like in the host before it was lent to a Pod, and bringing it back
// to that.
#ifndef RAILCNI_NETDEV_STATE_H_
#define RAILCNI_NETDEV_STATE_H_

#include <optional>
#include <string>
#include <vector>

#include "railcni/address.h"
#include "railcni/json.h"
#include "railcni/netlink.h"

namespace railcni {

struct NetdevState {
  std::string name;
  std::vector<std::string> alt_names;
  HwAddress mac;
  uint32_t mtu = 0;
  uint32_t tx_queue_length = 0;
  uint32_t group = 0;
  std::optional<uint16_t> ipoib_mode;  // as LinkInfo has them; nothing on Ethernet
  std::optional<uint16_t> ipoib_umcast;
  uint32_t xdp_program = 0;  // its ID; 0: none
  uint32_t flags = 0;        // IFF_UP, IFF_PROMISC, IFF_ALLMULTI, IFF_NOARP and IFF_MULTICAST count

  static NetdevState of(const LinkInfo& link);
  Json to_json() const;
  // Throws Error{kDecodingFailure} when `json` is not what to_json() made.
  static NetdevState from_json(const Json& json);
};

// The size of an IPoIB link's hardware address (INFINIBAND_ALEN of <linux/if_infiniband.h>). The
// kernel makes it of flags, a queue pair's number (another one each time) and the port's GID.
inline constexpr size_t kIpoibAddressSize = 20;
inline bool is_ipoib(const HwAddress& address) { return address.size() == kIpoibAddressSize; }

// The link of the socket's namespace on that device (a PCI address), children of it left aside;
// nothing when there is none.
std::optional<LinkInfo> find_device_link(RouteSocket& socket, const std::string& device);

// One message that moves the link to another namespace and there gives it `name` and, unless 0,
// `mtu`. It is not atomic: where the move succeeds and a later part fails, the link is in the new
// namespace, maybe under its old name.
NetlinkMessage move_link_message(int index, int netns_fd, const std::string& name, uint32_t mtu);

NetlinkMessage rename_message(int index, const std::string& name);

// Sets the link's MAC and makes sure that it has it. Where the PF has given the VF that address,
// drivers refuse to set it but take it over when the link goes down: that is tried, too. The link
// is left up or down as it was. Throws Error{kKernel} that names both addresses.
void set_mac_verified(RouteSocket& socket, int index, const HwAddress& mac);

// Gives the link whatever it does not have of `original`, but for an IPoIB link's address, which is
// nobody's to choose; the link may be in any state. When the name is taken meanwhile it is parked
// (railcni/owed_names.h), which is logged. Throws Error{kKernel} for the
// first thing that could not be set, after having tried all of them.
void restore_netdev(RouteSocket& host, int index, const NetdevState& original);

// `names` but for those that are among `those`.
std::vector<std::string> without(std::vector<std::string> names,
                                 const std::vector<std::string>& those);

// Removes alternative names from the link (RTM_DELLINKPROP), or adds them.
NetlinkMessage alt_names_message(int index, const std::vector<std::string>& names, bool add);

}  // namespace railcni

#endif  // RAILCNI_NETDEV_STATE_H_
