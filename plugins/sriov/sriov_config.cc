#include "plugins/sriov/sriov_config.h"

#include <linux/if_ether.h>

#include "railcni/error.h"
#include "railcni/object_reader.h"
#include "railcni/vf_config.h"

namespace railcni {
namespace {

[[noreturn]] void fail(const std::string& msg) { throw Error(Code::kInvalidConfig, msg); }

// An integer that has two spellings.
std::optional<int64_t> integer(ObjectReader& reader, std::string_view one, std::string_view other,
                               int64_t max) {
  const auto first = reader.integer(one, 0, max);
  const auto second = reader.integer(other, 0, max);
  if (first && second) {
    fail(reader.full_name(one) + " and " + reader.full_name(other) +
         " are two names of one thing: keep one");
  }
  return first ? first : second;
}

// "on", "off" and, as sriov-cni has it, "" for leaving the VF as it is; a boolean does as well.
std::optional<bool> on_off(ObjectReader& reader, std::string_view key) {
  const Json* value = reader.any(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->as_bool();
  if (value->is_string()) {
    if (value->as_string() == "on") return true;
    if (value->as_string() == "off") return false;
    if (value->as_string().empty()) return std::nullopt;
  }
  fail(reader.full_name(key) + " " + value->dump() + ": must be \"on\" or \"off\"");
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return text;
}

void read_vlan(ObjectReader& reader, VfState& wanted) {
  const auto vlan = integer(reader, "vlanID", "vlan", 4094);
  const auto qos = integer(reader, "vlanQoS", "vlanQos", 7);
  const std::string protocol = lower(reader.string("vlanProto").value_or(""));
  if (!protocol.empty() && protocol != "802.1q" && protocol != "802.1ad") {
    fail(reader.full_name("vlanProto") + " \"" + protocol + "\": must be 802.1q or 802.1ad");
  }
  if (vlan) wanted.vlan = static_cast<uint16_t>(*vlan);
  wanted.qos = static_cast<uint8_t>(qos.value_or(0));
  if (vlan.value_or(0) != 0) {
    wanted.vlan_protocol = protocol == "802.1ad" ? ETH_P_8021AD : ETH_P_8021Q;
    return;
  }
  if (qos.value_or(0) != 0) fail(reader.full_name("vlanQoS") + " needs a VLAN other than 0");
  if (!vlan && qos) fail(reader.full_name("vlanQoS") + " needs a VLAN");
  if (!vlan && !protocol.empty()) fail(reader.full_name("vlanProto") + " needs a VLAN");
  if (protocol == "802.1ad") {
    fail(reader.full_name("vlanProto") + " 802.1ad needs a VLAN other than 0");
  }
}

void read_rates(ObjectReader& reader, VfState& wanted) {
  const auto min = integer(reader, "minTxRateMbps", "min_tx_rate", UINT32_MAX);
  const auto max = integer(reader, "maxTxRateMbps", "max_tx_rate", UINT32_MAX);
  if (!min && !max) return;
  // The two are one attribute of the kernel's; the one that is not given becomes 0, no limit.
  wanted.min_rate = static_cast<uint32_t>(min.value_or(0));
  wanted.max_rate = static_cast<uint32_t>(max.value_or(0));
  if (*wanted.max_rate != 0 && *wanted.min_rate > *wanted.max_rate) {
    fail(reader.full_name("minTxRateMbps") + " " + std::to_string(*wanted.min_rate) +
         ": must be at most the maximum, " + std::to_string(*wanted.max_rate));
  }
}

}  // namespace

SriovConfig read_sriov_config(const NetworkConfig& config) {
  ObjectReader reader(config.block, config.block_name);
  reader.allow({"ippools", "matchMasterSubnet"});  // the configuration's reader has read them
  SriovConfig sriov;
  read_vlan(reader, sriov.wanted);
  read_rates(reader, sriov.wanted);
  sriov.wanted.spoofchk = on_off(reader, "spoofchk");
  sriov.wanted.trust = on_off(reader, "trust");
  sriov.wanted.link_state = read_vf_link_state(reader);
  // 68 is the least MTU of IPv4 (RFC 791).
  const int64_t mtu = reader.integer("mtu", 0, 65535).value_or(0);
  if (mtu > 0 && mtu < 68) {
    fail(reader.full_name("mtu") + ": must be 0 or at least 68, not " + std::to_string(mtu));
  }
  sriov.mtu = static_cast<uint32_t>(mtu);
  sriov.mac = reader.string("mac").value_or("");
  sriov.rdma = read_rdma_config(reader, false);
  // The device plugin's resource: Multus takes the VF from it and says which one in deviceID.
  sriov.resource = reader.string("resourceName").value_or("");
  reader.finish();
  sriov.device = read_vf_device(config);
  return sriov;
}

}  // namespace railcni
