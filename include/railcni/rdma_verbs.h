// What libibverbs tells of RDMA devices, beyond RDMA netlink.
#ifndef RAILCNI_RDMA_VERBS_H_
#define RAILCNI_RDMA_VERBS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace railcni {

struct RdmaGid {
  uint32_t index = 0;
  std::string gid;   // as an IPv6 address, as the InfiniBand specification writes them
  std::string type;  // "IB", "RoCE v1" or "RoCE v2"
};

struct RdmaVerbsPort {
  std::string state;       // "PORT_ACTIVE" without "PORT_": ACTIVE, DOWN, INIT, ARMED
  std::string link_layer;  // "InfiniBand", "Ethernet"
  uint32_t active_mtu = 0;
  std::vector<RdmaGid> gids;  // those that are set
};

// The ports, from 1 on, of the device of that name in the calling thread's network namespace.
// Nothing when it cannot be opened: no /dev/infiniband, or a device that none of the providers is
// for that are linked in. Throws nothing.
std::optional<std::vector<RdmaVerbsPort>> read_verbs_ports(const std::string& device);

}  // namespace railcni

#endif  // RAILCNI_RDMA_VERBS_H_
