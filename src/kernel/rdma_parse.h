// Reads RDMA netlink replies (RDMA_NL_NLDEV). Each function takes a whole message, trusts none of
// its lengths and ignores attributes that it does not know.
#ifndef RAILCNI_SRC_KERNEL_RDMA_PARSE_H_
#define RAILCNI_SRC_KERNEL_RDMA_PARSE_H_

#include <optional>

#include "railcni/rdma.h"

namespace railcni {

RdmaDevice parse_rdma_device(const nlmsghdr* reply);
RdmaPort parse_rdma_port(const nlmsghdr* reply);
// 1: devices are shared by all namespaces, 0: each belongs to one; nothing when it is not told.
std::optional<uint8_t> parse_rdma_netns_mode(const nlmsghdr* reply);
// The name of a character device (RDMA_NLDEV_CMD_GET_CHARDEV); empty when it is not there.
std::string parse_rdma_chardev(const nlmsghdr* reply);

}  // namespace railcni

#endif  // RAILCNI_SRC_KERNEL_RDMA_PARSE_H_
