#include "railcni/rdma.h"

#include <linux/netlink.h>
#include <rdma/rdma_netlink.h>

#include <cerrno>

#include "railcni/error.h"
#include "src/kernel/rdma_parse.h"

namespace railcni {
namespace {

// No family header comes before the attributes.
NetlinkMessage rdma_message(int command, uint16_t flags = 0) {
  const char none = 0;
  return NetlinkMessage(static_cast<uint16_t>(RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command)), flags,
                        &none, 0);
}

NetlinkMessage device_message(int command, uint32_t index, uint16_t flags = 0) {
  NetlinkMessage message = rdma_message(command, flags);
  message.put_u32(RDMA_NLDEV_ATTR_DEV_INDEX, index);
  return message;
}

}  // namespace

std::string guid_text(uint64_t guid) {
  HwAddress bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(guid >> shift));
  return to_string(bytes);
}

RdmaSocket::RdmaSocket() try : NetlinkSocket(NETLINK_RDMA) {
} catch (const Error& error) {
  throw error.with_context("RDMA (is the module ib_core loaded?)");
}

bool RdmaSocket::is_exclusive() {
  // A kernel that does not tell the mode has but the shared one (before Linux 5.2).
  uint8_t shared = 1;
  const int error = try_get(rdma_message(RDMA_NLDEV_CMD_SYS_GET), [&](const nlmsghdr* reply) {
    if (const auto mode = parse_rdma_netns_mode(reply)) shared = *mode;
  });
  if (error != 0) throw_errno(Code::kKernel, "cannot read the RDMA subsystem's mode", error);
  return shared == 0;
}

std::vector<RdmaDevice> RdmaSocket::devices() {
  std::vector<RdmaDevice> devices;
  dump(
      rdma_message(RDMA_NLDEV_CMD_GET, NLM_F_DUMP), [&] { devices.clear(); },
      [&](const nlmsghdr* reply) { devices.push_back(parse_rdma_device(reply)); });
  return devices;
}

std::optional<RdmaDevice> RdmaSocket::find_device(uint32_t index) {
  std::optional<RdmaDevice> device;
  const int error = try_get(device_message(RDMA_NLDEV_CMD_GET, index),
                            [&](const nlmsghdr* reply) { device = parse_rdma_device(reply); });
  // EINVAL is the kernel's word for an index that this namespace does not have.
  if (error == EINVAL || error == ENODEV) return std::nullopt;
  if (error != 0) throw_errno(Code::kKernel, "cannot look up an RDMA device", error);
  return device;
}

std::vector<RdmaPort> RdmaSocket::ports(const RdmaDevice& device) {
  std::vector<RdmaPort> ports;
  dump(
      device_message(RDMA_NLDEV_CMD_PORT_GET, device.index, NLM_F_DUMP), [&] { ports.clear(); },
      [&](const nlmsghdr* reply) { ports.push_back(parse_rdma_port(reply)); });
  return ports;
}

std::string RdmaSocket::uverbs(uint32_t index) {
  NetlinkMessage message = device_message(RDMA_NLDEV_CMD_GET_CHARDEV, index);
  message.put_string(RDMA_NLDEV_ATTR_CHARDEV_TYPE, "uverbs");
  std::string name;
  (void)try_get(std::move(message),
                [&name](const nlmsghdr* reply) { name = parse_rdma_chardev(reply); });
  return name;
}

bool RdmaSocket::has_queue_pair(uint32_t index, uint32_t number) {
  NetlinkMessage message = device_message(RDMA_NLDEV_CMD_RES_QP_GET, index);
  message.put_u32(RDMA_NLDEV_ATTR_RES_LQPN, number);
  return try_get(std::move(message), {}) == 0;
}

int RdmaSocket::try_move(uint32_t index, int netns_fd) {
  NetlinkMessage message = device_message(RDMA_NLDEV_CMD_SET, index);
  message.put_u32(RDMA_NLDEV_NET_NS_FD, static_cast<uint32_t>(netns_fd));
  return send_while_busy(message);
}

int RdmaSocket::try_rename(uint32_t index, const std::string& name) {
  NetlinkMessage message = device_message(RDMA_NLDEV_CMD_SET, index);
  message.put_string(RDMA_NLDEV_ATTR_DEV_NAME, name);
  return send_while_busy(message);
}

}  // namespace railcni
