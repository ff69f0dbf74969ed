// The ibsriov block of the configuration: SpiderMultusConfig's keys and ib-sriov-cni's.
#ifndef RAILCNI_PLUGINS_IBSRIOV_IBSRIOV_CONFIG_H_
#define RAILCNI_PLUGINS_IBSRIOV_IBSRIOV_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>

#include "railcni/config.h"
#include "railcni/rdma_device.h"

namespace railcni {

struct IbSriovConfig {
  std::string device;  // the VF's PCI address; empty only where nothing asks for it (STATUS)
  std::optional<uint64_t> guid;        // that the VF is to have, in host byte order
  std::optional<uint32_t> link_state;  // IFLA_VF_LINK_STATE_*; nothing: it stays
  std::optional<uint16_t> pkey;        // the partition, without membership
  // ib-kubernetes gives out GUIDs, and tells the subnet manager (UFM) of them and of the pkey.
  bool ib_kubernetes = false;
  bool userspace = false;  // vfioPciMode: the VF must have a driver for user space
  RdmaConfig rdma;
  std::string resource;  // the device plugin's name for such VFs, for messages
};

// Throws Error{kInvalidConfig} that names the key.
IbSriovConfig read_ib_sriov_config(const NetworkConfig& config);

}  // namespace railcni

#endif  // RAILCNI_PLUGINS_IBSRIOV_IBSRIOV_CONFIG_H_
