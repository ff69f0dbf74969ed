// The master under a macvlan or ipvlan: an interface, a bond of several, a VLAN on either. Bonds
// and VLANs are made when missing; Pods share them, and the last one takes away what was made.
#ifndef RAILCNI_UPLINK_H_
#define RAILCNI_UPLINK_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "railcni/address.h"
#include "railcni/json.h"
#include "railcni/netlink.h"
#include "railcni/object_reader.h"

namespace railcni {

struct BondSpec {
  std::string name;
  uint8_t mode = 0;  // 0-6, as the kernel numbers them (Documentation/networking/bonding)
  struct Option {
    int attribute = 0;  // IFLA_BOND_* of <linux/if_link.h>
    bool wide = false;  // a u32, not a u8
    uint32_t value = 0;
    std::string link;  // the value is this link's index
  };
  std::vector<Option> options;
};

// Parses "miimon=100;xmit_hash_policy=layer3+4": names and values as the kernel's bonding document
// has them, separated by ';' or ' '. Throws Error{kInvalidConfig} for an option that it does not
// know, a value that is none of the option's, and an option that stands twice.
std::vector<BondSpec::Option> parse_bond_options(const std::string& bond, std::string_view text);

struct UplinkSpec {
  std::vector<std::string> masters;
  std::optional<BondSpec> bond;
  uint16_t vlan_id = 0;  // 0: none

  // The bond, or the only master.
  const std::string& base() const;
  // base(), with ".ID" when there is a VLAN: the name of the link that Pods get children of.
  std::string name() const;
};

// Reads `master` (a list, or one string), `vlanID` and `bond` of a type's block. Without `master`
// the list is empty: the device of the default route is meant. Throws Error{kInvalidConfig}.
UplinkSpec read_uplink(ObjectReader& block);

// The device of `socket`'s namespace that carries the IPv4 (or else the IPv6) default route of
// table main. Throws Error{kInvalidConfig} when there is none.
std::string default_route_device(RouteSocket& socket);

// Looks for the uplink. Nothing when it has to be made, or completed (a railcni that was killed
// left a bond without its ports or a VLAN that is down), and can be; throws Error{kInvalidConfig}
// when an interface it needs is missing, is not what the spec says (another VLAN id, not a bond, a
// bond of another mode), has a name that is too long, or is to become a port and in use by the
// host, which would lose its addresses, routes and whatever stands on it.
std::optional<LinkInfo> find_uplink(RouteSocket& socket, const UplinkSpec& spec);

// The MTU of the uplink, or the one that it will have once it is made: the least of its ports'.
uint32_t uplink_mtu(RouteSocket& socket, const UplinkSpec& spec);

// The lock that whoever makes, uses or removes the uplink holds; empty for an interface that nobody
// makes. `link` is the uplink, where it is there.
std::string uplink_lock(RouteSocket& socket, const UplinkSpec& spec,
                        const std::optional<LinkInfo>& link);

// Makes or completes the uplink, up; what it made is taken back when a later step fails. Before a
// link is made, `will_make` is given what remove_uplink() needs of all of them: a list, the link
// that stands on the others first.
LinkInfo ensure_uplink(RouteSocket& socket, const UplinkSpec& spec,
                       const std::function<void(Json made)>& will_make);

// Removes a link that was made, an entry of that list; the ports of a bond are up or down then as
// they were. One that somebody uses (it has addresses, or something stands on it in any namespace
// that can be found, or it is a port itself) is left standing, which is logged. Throws
// Error{kKernel}.
void remove_uplink(RouteSocket& socket, const Json& made);

// The addresses of the link, of the bond or bridge that it is a port of, and of the VLANs on
// either.
std::vector<IpPrefix> addresses_around(RouteSocket& socket, const LinkInfo& link);

// The message that makes a bond. `socket` looks links up that options name; it may be nullptr when
// there are none. `mtu` 0 is the kernel's default.
NetlinkMessage new_bond_message(const BondSpec& bond, RouteSocket* socket, uint32_t mtu = 0);
// Makes the bond, down and without ports. A `use_carrier=0` that the kernel no longer has is left
// out, with a warning. Throws Error{kKernel}.
void create_bond(RouteSocket& socket, const BondSpec& bond, uint32_t mtu);
// The message that makes a VLAN (802.1Q) on `parent`, up.
NetlinkMessage new_vlan_message(const std::string& name, int parent, uint16_t vlan_id);

}  // namespace railcni

#endif  // RAILCNI_UPLINK_H_
