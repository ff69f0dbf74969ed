// IPoIB interfaces and the partitions (pkeys) that they are in.
#ifndef RAILCNI_IPOIB_H_
#define RAILCNI_IPOIB_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "railcni/json.h"
#include "railcni/netlink.h"
#include "railcni/pci.h"

namespace railcni {

// The bit of a pkey that says full membership; the partition is the rest (InfiniBand Architecture
// Specification, volume 1, 10.9).
inline constexpr uint16_t kFullMember = 0x8000;

// The partition of a number, or of a string as iproute2 and the kernel's create_child take it:
// "0x8001", or decimal. Membership is left aside. Throws Error{kInvalidConfig}, naming `path`.
uint16_t parse_pkey(const Json& value, const std::string& path);

// "0x8001"
std::string pkey_text(uint16_t pkey);

// Throws Error{kTryAgainLater} when the port of `interface`, an IPoIB interface on the function
// `device`, is not in that partition: its children would have no carrier. The subnet manager fills
// the port's table, whose size (128 for ConnectX) limits the partitions of a node.
void require_pkey(const Sysfs& sysfs, const std::string& device, const std::string& interface,
                  uint16_t pkey);

// What IFLA_INFO_DATA of an IPoIB child says.
struct IpoibChild {
  uint16_t pkey = 0;  // with the bit of full membership
  std::optional<uint16_t> mode;
  std::optional<uint16_t> umcast;
};
std::function<void(NetlinkMessage&)> ipoib_info(const IpoibChild& child);

// The number of the queue pair in an IPoIB link's address.
uint32_t queue_pair(const HwAddress& ipoib_address);

}  // namespace railcni

#endif  // RAILCNI_IPOIB_H_
