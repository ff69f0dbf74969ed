#include "railcni/vf_config.h"

#include <linux/if_link.h>

#include <array>

#include "railcni/error.h"
#include "railcni/pci.h"

namespace railcni {
namespace {

[[noreturn]] void fail(const std::string& msg) { throw Error(Code::kInvalidConfig, msg); }

}  // namespace

std::optional<uint32_t> read_vf_link_state(ObjectReader& reader) {
  std::string state = reader.string("link_state").value_or("");
  const std::string other = reader.string("linkState").value_or("");
  if (!state.empty() && !other.empty()) {
    fail(reader.full_name("link_state") + " and " + reader.full_name("linkState") +
         " are two names of one thing: keep one");
  }
  if (state.empty()) state = other;
  if (state.empty()) return std::nullopt;
  constexpr std::array<std::string_view, 3> kStates = {"auto", "enable", "disable"};
  static_assert(IFLA_VF_LINK_STATE_AUTO == 0 && IFLA_VF_LINK_STATE_DISABLE == 2);
  for (uint32_t i = 0; i < kStates.size(); ++i) {
    if (kStates[i] == state) return i;
  }
  fail(reader.full_name("link_state") + " \"" + state + "\": must be auto, enable or disable");
}

std::string read_vf_device(const NetworkConfig& config) {
  if (config.device_id.empty()) return "";
  const auto address = parse_pci_address(config.device_id);
  if (!address) {
    fail("deviceID \"" + config.device_id + "\": must be a PCI address such as 0000:3b:00.2");
  }
  return *address;
}

void require_vf_device(const std::string& device, const std::string& resource) {
  if (!device.empty()) return;
  fail(
      "deviceID is missing: no VF was given to this Pod; the NetworkAttachmentDefinition needs "
      "the annotation k8s.v1.cni.cncf.io/resourceName: " +
      (resource.empty() ? "RESOURCE" : resource) + ", and the Pod a limit on that resource");
}

}  // namespace railcni
