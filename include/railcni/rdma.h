// RDMA devices as the kernel's RDMA netlink shows them (<rdma/rdma_netlink.h>, RDMA_NL_NLDEV).
#ifndef RAILCNI_RDMA_H_
#define RAILCNI_RDMA_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "railcni/netlink.h"

namespace railcni {

struct RdmaDevice {
  // No other device gets it while the system runs; a device keeps it when it is moved or renamed,
  // and gets a new one when its driver is bound anew.
  uint32_t index = 0;
  std::string name;        // "mlx5_0"
  uint64_t node_guid = 0;  // in host byte order
  uint32_t ports = 0;
  std::string firmware;  // its version; empty: the driver tells none
};

struct RdmaPort {
  uint32_t number = 0;  // from 1
  uint8_t state = 0;    // IB_PORT_DOWN (1) to IB_PORT_ACTIVE (4) of <rdma/ib_user_verbs.h>
  // The network interface that belongs to it; 0 when there is none in the socket's namespace.
  int interface_index = 0;
  std::string interface;
};

// A GUID in host byte order as "02:00:...", in the order of the wire.
std::string guid_text(uint64_t guid);

// A NETLINK_RDMA socket. In exclusive mode it shows the devices of its namespace, else all of them.
class RdmaSocket : public NetlinkSocket {
 public:
  // In the calling thread's namespace. Throws Error{kKernel}, also where the kernel has no RDMA.
  RdmaSocket();

  // True when an RDMA device belongs to one network namespace (`rdma system`: netns exclusive).
  // Throws Error{kKernel}.
  bool is_exclusive();
  // Throws Error{kKernel}, or Error{kTryAgainLater} as NetlinkSocket::dump().
  std::vector<RdmaDevice> devices();
  std::optional<RdmaDevice> find_device(uint32_t index);
  std::vector<RdmaPort> ports(const RdmaDevice& device);

  // Its character device for user programs ("uverbs3"); empty when ib_uverbs is not loaded.
  std::string uverbs(uint32_t index);

  // Whether the device has a queue pair of that number, whatever namespace its user is in.
  bool has_queue_pair(uint32_t index, uint32_t number);

  // Both return the errno, 0 for success, and ask again for a while when it is EBUSY.
  // EOPNOTSUPP: the driver cannot do it, or devices are shared. EEXIST: the name is taken, there.
  int try_move(uint32_t index, int netns_fd);
  int try_rename(uint32_t index, const std::string& name);
};

}  // namespace railcni

#endif  // RAILCNI_RDMA_H_
