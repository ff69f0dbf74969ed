#include "railcni/pod_mac.h"

#include "railcni/error.h"

namespace railcni {

HwAddress parse_pod_mac(const std::string& text, const std::string& where) {
  const auto mac = parse_hw_address(text);
  if (!mac || mac->size() != 6) {
    throw Error(Code::kInvalidConfig,
                where + " \"" + text + "\": must be a MAC address such as 02:00:00:00:00:01");
  }
  // The kernel's is_valid_ether_addr(): not a group address, not all zero.
  if (((*mac)[0] & 1) != 0 || *mac == HwAddress(6, 0)) {
    throw Error(Code::kInvalidConfig,
                where + " \"" + text + "\": an interface's MAC is neither multicast nor zero");
  }
  return *mac;
}

std::optional<HwAddress> requested_mac(const NetworkConfig& config, const Request& request,
                                       const std::string& block_mac, const std::string& block_key) {
  if (!config.runtime_mac.empty()) {
    return parse_pod_mac(config.runtime_mac, "runtimeConfig.mac");
  }
  if (const std::string mac = request.arg("MAC"); !mac.empty()) {
    return parse_pod_mac(mac, "CNI_ARGS MAC");
  }
  if (!block_mac.empty()) return parse_pod_mac(block_mac, block_key);
  return std::nullopt;
}

}  // namespace railcni
