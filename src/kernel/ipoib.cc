#include "railcni/ipoib.h"

#include <linux/if_link.h>

#include <cstdio>
#include <cstdlib>

#include "railcni/error.h"

namespace railcni {

uint16_t parse_pkey(const Json& value, const std::string& path) {
  uint64_t number = 0;
  bool is_number = false;
  if (value.is_string()) {
    const std::string& text = value.as_string();
    char* end = nullptr;
    number = strtoul(text.c_str(), &end, 0);
    const bool is_digit = !text.empty() && text[0] >= '0' && text[0] <= '9';
    is_number = is_digit && *end == '\0';
  } else if (value.is_integer()) {
    is_number = value.as_int() >= 0;
    if (is_number) number = value.as_uint();
  }
  // The kernel takes neither partition 0 nor a full membership of it.
  const auto partition = static_cast<uint16_t>(number & 0x7fff);
  if (!is_number || number > 0xffff || partition == 0) {
    throw Error(Code::kInvalidConfig,
                path + " " + value.dump() +
                    ": must be a partition key such as \"0x8001\", 1 to 0x7fff with or without "
                    "the bit 0x8000 of full membership");
  }
  return partition;
}

std::string pkey_text(uint16_t pkey) {
  char text[8];
  snprintf(text, sizeof text, "0x%04x", static_cast<unsigned>(pkey));
  return text;
}

void require_pkey(const Sysfs& sysfs, const std::string& device, const std::string& interface,
                  uint16_t pkey) {
  std::string list;
  size_t taken = 0;
  const std::vector<uint16_t> table = sysfs.pkeys(device, interface);
  if (table.empty()) return;  // not to be seen from here
  for (const uint16_t entry : table) {
    if ((entry & ~kFullMember) == 0) continue;
    if ((entry & ~kFullMember) == (pkey & ~kFullMember)) return;
    ++taken;
    if (taken <= 8) list += (list.empty() ? "" : ", ") + pkey_text(entry);
  }
  throw Error(
      Code::kTryAgainLater,
      "pkey " + pkey_text(pkey | kFullMember) + ": the port of " + interface +
          " is not in that partition but in " + list + (taken > 8 ? ", ..." : "") +
          (taken == table.size() ? "; its table is full with " + std::to_string(taken) + " pkeys"
                                 : "; the subnet manager has to put it there"));
}

std::function<void(NetlinkMessage&)> ipoib_info(const IpoibChild& child) {
  return [child](NetlinkMessage& data) {
    data.put_u16(IFLA_IPOIB_PKEY, child.pkey);
    if (child.mode) data.put_u16(IFLA_IPOIB_MODE, *child.mode);
    if (child.umcast) data.put_u16(IFLA_IPOIB_UMCAST, *child.umcast);
  };
}

uint32_t queue_pair(const HwAddress& ipoib_address) {
  if (ipoib_address.size() < 4) return 0;
  return static_cast<uint32_t>(ipoib_address[1] << 16 | ipoib_address[2] << 8 | ipoib_address[3]);
}

}  // namespace railcni
