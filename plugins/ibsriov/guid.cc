#include "plugins/ibsriov/guid.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string_view>

#include "railcni/error.h"
#include "railcni/netdev_state.h"
#include "railcni/rdma.h"
#include "railcni/vf_device.h"

namespace railcni {

uint64_t parse_guid(const std::string& text, const std::string& path) {
  constexpr std::string_view kShape = "xx:xx:xx:xx:xx:xx:xx:xx";
  bool fits = text.size() == kShape.size();
  std::string digits;
  for (size_t i = 0; fits && i < text.size(); ++i) {
    fits = kShape[i] == ':' ? text[i] == ':' : isxdigit(static_cast<unsigned char>(text[i])) != 0;
    if (text[i] != ':') digits += text[i];
  }
  if (!fits) {
    throw Error(Code::kInvalidConfig,
                path + " \"" + text + "\": must be a GUID such as 02:00:00:00:00:00:00:2a");
  }
  const uint64_t guid = strtoull(digits.c_str(), nullptr, 16);
  if (guid == 0 || guid == ~uint64_t{0}) {
    throw Error(Code::kInvalidConfig, path + " \"" + text + "\": zeros and ones are no GUID");
  }
  if ((guid >> 56 & 1) != 0) {
    throw Error(Code::kInvalidConfig,
                path + " \"" + text +
                    "\": is that of a group, not of one port (its first byte must be "
                    "even)");
  }
  return guid;
}

void require_foreign_to_host(const std::vector<LinkInfo>& links, const Sysfs& sysfs,
                             const std::string& device, uint64_t guid) {
  const auto refuse = [guid](const std::string& whose) {
    throw Error(Code::kInvalidConfig, "GUID " + guid_text(guid) + " is that of " + whose +
                                          " in the host: a fabric has each but once");
  };
  for (const LinkInfo& link : links) {
    if (!is_ipoib(link.address) || link.parent_device == device) continue;
    if (port_guid(link.address) == guid) refuse("interface " + link.name);
  }
  const std::vector<std::string> own = sysfs.rdma_devices(device);
  RdmaSocket socket;
  for (const RdmaDevice& other : socket.devices()) {
    if (other.node_guid != guid) continue;
    if (std::find(own.begin(), own.end(), other.name) != own.end()) continue;
    refuse("RDMA device " + other.name);
  }
}

}  // namespace railcni
