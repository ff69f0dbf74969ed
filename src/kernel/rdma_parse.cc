#include "src/kernel/rdma_parse.h"

#include <rdma/rdma_netlink.h>

#include "src/kernel/attributes.h"

namespace railcni {

RdmaDevice parse_rdma_device(const nlmsghdr* reply) {
  RdmaDevice device;
  each_attribute(reply, 0, [&device](int type, const nlattr* attribute) {
    switch (type) {
      case RDMA_NLDEV_ATTR_DEV_INDEX:
        device.index = number<uint32_t>(attribute);
        break;
      case RDMA_NLDEV_ATTR_DEV_NAME:
        device.name = text(attribute);
        break;
      case RDMA_NLDEV_ATTR_NODE_GUID:
        device.node_guid = number<uint64_t>(attribute);
        break;
      case RDMA_NLDEV_ATTR_PORT_INDEX:  // of a device: how many ports it has
        device.ports = number<uint32_t>(attribute);
        break;
      case RDMA_NLDEV_ATTR_FW_VERSION:
        device.firmware = text(attribute);
        break;
      default:
        break;
    }
  });
  return device;
}

RdmaPort parse_rdma_port(const nlmsghdr* reply) {
  RdmaPort port;
  each_attribute(reply, 0, [&port](int type, const nlattr* attribute) {
    switch (type) {
      case RDMA_NLDEV_ATTR_PORT_INDEX:
        port.number = number<uint32_t>(attribute);
        break;
      case RDMA_NLDEV_ATTR_PORT_STATE:
        port.state = number<uint8_t>(attribute);
        break;
      case RDMA_NLDEV_ATTR_NDEV_INDEX:
        port.interface_index = static_cast<int>(number<uint32_t>(attribute));
        break;
      case RDMA_NLDEV_ATTR_NDEV_NAME:
        port.interface = text(attribute);
        break;
      default:
        break;
    }
  });
  return port;
}

std::string parse_rdma_chardev(const nlmsghdr* reply) {
  std::string name;
  each_attribute(reply, 0, [&name](int type, const nlattr* attribute) {
    if (type == RDMA_NLDEV_ATTR_CHARDEV_NAME) name = text(attribute);
  });
  return name;
}

std::optional<uint8_t> parse_rdma_netns_mode(const nlmsghdr* reply) {
  std::optional<uint8_t> mode;
  each_attribute(reply, 0, [&mode](int type, const nlattr* attribute) {
    if (type == RDMA_NLDEV_SYS_ATTR_NETNS_MODE) mode = number<uint8_t>(attribute);
  });
  return mode;
}

}  // namespace railcni
