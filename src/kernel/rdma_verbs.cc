#include "railcni/rdma_verbs.h"

#include <arpa/inet.h>
// The providers, by which libibverbs opens devices, are linked in: there is nothing to load at run
// time.
#include <infiniband/verbs.h>

#include <algorithm>
#include <memory>

namespace railcni {
namespace {

constexpr size_t kMostGids = 1024;

std::string gid_text(const ibv_gid& gid) {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(AF_INET6, gid.raw, text, sizeof text);
  return text;
}

const char* type_text(uint32_t type) {
  switch (type) {
    case IBV_GID_TYPE_ROCE_V1:
      return "RoCE v1";
    case IBV_GID_TYPE_ROCE_V2:
      return "RoCE v2";
    default:
      return "IB";
  }
}

const char* state_text(ibv_port_state state) {
  switch (state) {
    case IBV_PORT_DOWN:
      return "DOWN";
    case IBV_PORT_INIT:
      return "INIT";
    case IBV_PORT_ARMED:
      return "ARMED";
    case IBV_PORT_ACTIVE:
    case IBV_PORT_ACTIVE_DEFER:
      return "ACTIVE";
    default:
      return "NOP";
  }
}

const char* layer_text(uint8_t layer) {
  return layer == IBV_LINK_LAYER_ETHERNET ? "Ethernet" : "InfiniBand";
}

std::vector<RdmaVerbsPort> read_ports(ibv_context* context) {
  std::vector<RdmaVerbsPort> ports;
  ibv_device_attr device{};
  if (ibv_query_device(context, &device) != 0) return ports;
  for (uint8_t number = 1; number <= device.phys_port_cnt; ++number) {
    RdmaVerbsPort port;
    ibv_port_attr attributes{};
    if (ibv_query_port(context, number, &attributes) == 0) {
      port.state = state_text(attributes.state);
      port.link_layer = layer_text(attributes.link_layer);
      // An enumeration: 1 is 256 bytes, 5 is 4096.
      if (attributes.active_mtu >= IBV_MTU_256) port.active_mtu = 128U << attributes.active_mtu;
    }
    ports.push_back(std::move(port));
  }
  std::vector<ibv_gid_entry> entries(kMostGids);
  const ssize_t count = ibv_query_gid_table(context, entries.data(), entries.size(), 0);
  for (ssize_t i = 0; i < count; ++i) {
    const ibv_gid_entry& entry = entries[static_cast<size_t>(i)];
    if (entry.port_num == 0 || entry.port_num > ports.size()) continue;
    ports[entry.port_num - 1].gids.push_back(
        {entry.gid_index, gid_text(entry.gid), type_text(entry.gid_type)});
  }
  return ports;
}

}  // namespace

std::optional<std::vector<RdmaVerbsPort>> read_verbs_ports(const std::string& device) {
  const std::unique_ptr<ibv_device*, void (*)(ibv_device**)> list(ibv_get_device_list(nullptr),
                                                                  ibv_free_device_list);
  if (!list) return std::nullopt;
  for (ibv_device** candidate = list.get(); *candidate != nullptr; ++candidate) {
    if (device != ibv_get_device_name(*candidate)) continue;
    const std::unique_ptr<ibv_context, int (*)(ibv_context*)> context(ibv_open_device(*candidate),
                                                                      ibv_close_device);
    if (!context) return std::nullopt;
    return read_ports(context.get());
  }
  return std::nullopt;
}

}  // namespace railcni
