// A VF as its PF administers it (IFLA_VFINFO_LIST of <linux/if_link.h>).
#ifndef RAILCNI_VF_H_
#define RAILCNI_VF_H_

#include <cstdint>
#include <optional>
#include <string>

#include "railcni/address.h"
#include "railcni/json.h"
#include "railcni/netlink.h"

namespace railcni {

// What is absent is what the driver does not report, and cannot be set.
struct VfState {
  std::optional<HwAddress> mac;  // the administrative one; all zero: none
  std::optional<uint16_t> vlan;  // 0: none
  uint8_t qos = 0;
  uint16_t vlan_protocol = 0;  // ETH_P_8021Q or ETH_P_8021AD of <linux/if_ether.h>; 0 with vlan 0
  std::optional<uint32_t> min_rate;  // Mbit/s; 0: no limit
  std::optional<uint32_t> max_rate;
  std::optional<bool> spoofchk;
  std::optional<bool> trust;
  std::optional<uint32_t> link_state;  // IFLA_VF_LINK_STATE_AUTO, _ENABLE, _DISABLE
  std::optional<uint64_t> node_guid;   // of InfiniBand, in host byte order
  std::optional<uint64_t> port_guid;

  bool operator==(const VfState&) const = default;
  Json to_json() const;
  // Throws Error{kDecodingFailure} when `json` is not what to_json() made.
  static VfState from_json(const Json& json);
};

// The state of VF `number` of the PF with that interface index; nothing when the PF lists no such
// VF. Throws Error{kKernel}.
std::optional<VfState> read_vf(RouteSocket& host, int physical, int number);

// Where a VF is administered, for messages.
struct VfHandle {
  int physical = 0;  // the PF's interface index
  std::string physical_name;
  int number = 0;
};

// Sets what is there in `wanted`. A driver that is busy (EBUSY: it resets, or another VF is being
// set up) is asked again for up to two seconds. `vlan`, `qos` and `vlan_protocol` go together, and
// so do the rates. Throws Error{kKernel} for the first attribute that was refused, after having
// tried all of them.
void set_vf(RouteSocket& host, const VfHandle& vf, const VfState& wanted);

// Sets what of `original` the VF does not have now. A VF that is not there any more is a success.
// Throws as set_vf().
void restore_vf(RouteSocket& host, const VfHandle& vf, const VfState& original);

}  // namespace railcni

#endif  // RAILCNI_VF_H_
