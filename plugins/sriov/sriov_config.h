// The sriov block of the configuration: SpiderMultusConfig's keys and sriov-cni's.
#ifndef RAILCNI_PLUGINS_SRIOV_SRIOV_CONFIG_H_
#define RAILCNI_PLUGINS_SRIOV_SRIOV_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>

#include "railcni/address.h"
#include "railcni/config.h"
#include "railcni/rdma_device.h"
#include "railcni/vf.h"

namespace railcni {

struct SriovConfig {
  std::string device;  // the VF's PCI address; empty only where nothing asks for it (STATUS)
  // What is to be set on the PF. Without `vlan` the VF's VLAN stays; 0 clears it.
  VfState wanted;
  uint32_t mtu = 0;  // 0: the VF's own stays
  std::string mac;   // empty: not asked for here
  RdmaConfig rdma;
  std::string resource;  // the device plugin's name for such VFs, for messages
};

// Throws Error{kInvalidConfig} that names the key.
SriovConfig read_sriov_config(const NetworkConfig& config);

}  // namespace railcni

#endif  // RAILCNI_PLUGINS_SRIOV_SRIOV_CONFIG_H_
