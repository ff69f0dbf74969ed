// The message that makes a bond, with the options of the kernel's bonding document.
#include <linux/if_link.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <span>

#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/uplink.h"

namespace railcni {
namespace {

struct BondOption {
  std::string_view name;
  int attribute;  // IFLA_BOND_* of <linux/if_link.h>
  enum Kind { kU8, kU32, kLink } kind;
  // Words that the bonding document allows in place of numbers, from 0 on.
  std::span<const std::string_view> words;
};

constexpr std::array<std::string_view, 2> kLacpRate = {"slow", "fast"};
constexpr std::array<std::string_view, 3> kAdSelect = {"stable", "bandwidth", "count"};
constexpr std::array<std::string_view, 6> kXmitHash = {"layer2",   "layer3+4", "layer2+3",
                                                       "encap2+3", "encap3+4", "vlan+srcmac"};
constexpr std::array<std::string_view, 3> kFailOverMac = {"none", "active", "follow"};
constexpr std::array<std::string_view, 3> kReselect = {"always", "better", "failure"};

constexpr BondOption kOptions[] = {
    {"miimon", IFLA_BOND_MIIMON, BondOption::kU32, {}},
    {"updelay", IFLA_BOND_UPDELAY, BondOption::kU32, {}},
    {"downdelay", IFLA_BOND_DOWNDELAY, BondOption::kU32, {}},
    {"use_carrier", IFLA_BOND_USE_CARRIER, BondOption::kU8, {}},
    {"arp_interval", IFLA_BOND_ARP_INTERVAL, BondOption::kU32, {}},
    {"primary", IFLA_BOND_PRIMARY, BondOption::kLink, {}},
    {"primary_reselect", IFLA_BOND_PRIMARY_RESELECT, BondOption::kU8, kReselect},
    {"fail_over_mac", IFLA_BOND_FAIL_OVER_MAC, BondOption::kU8, kFailOverMac},
    {"xmit_hash_policy", IFLA_BOND_XMIT_HASH_POLICY, BondOption::kU8, kXmitHash},
    {"resend_igmp", IFLA_BOND_RESEND_IGMP, BondOption::kU32, {}},
    {"num_grat_arp", IFLA_BOND_NUM_PEER_NOTIF, BondOption::kU8, {}},
    {"all_slaves_active", IFLA_BOND_ALL_SLAVES_ACTIVE, BondOption::kU8, {}},
    {"min_links", IFLA_BOND_MIN_LINKS, BondOption::kU32, {}},
    {"lp_interval", IFLA_BOND_LP_INTERVAL, BondOption::kU32, {}},
    {"packets_per_slave", IFLA_BOND_PACKETS_PER_SLAVE, BondOption::kU32, {}},
    {"lacp_rate", IFLA_BOND_AD_LACP_RATE, BondOption::kU8, kLacpRate},
    {"ad_select", IFLA_BOND_AD_SELECT, BondOption::kU8, kAdSelect},
    {"tlb_dynamic_lb", IFLA_BOND_TLB_DYNAMIC_LB, BondOption::kU8, {}},
};

[[noreturn]] void fail(const std::string& bond, std::string_view pair, const std::string& why) {
  throw Error(Code::kInvalidConfig,
              "bond " + bond + ": option \"" + std::string(pair) + "\": " + why);
}

const BondOption& find_option(const std::string& bond, std::string_view pair,
                              std::string_view name) {
  std::vector<std::string> known;
  for (const BondOption& option : kOptions) {
    if (option.name == name) return option;
    known.emplace_back(option.name);
  }
  const std::string near = nearest_word(name, known);
  fail(bond, pair,
       "no such option" + (near.empty() ? std::string() : "; did you mean \"" + near + "\"?"));
}

BondSpec::Option parse_option(const std::string& bond, std::string_view pair) {
  const size_t equals = pair.find('=');
  if (equals == std::string_view::npos) fail(bond, pair, "must be NAME=VALUE");
  const BondOption& option = find_option(bond, pair, pair.substr(0, equals));
  const std::string_view value = pair.substr(equals + 1);
  BondSpec::Option parsed;
  parsed.attribute = option.attribute;
  parsed.wide = option.kind != BondOption::kU8;
  if (option.kind == BondOption::kLink) {
    if (value.empty() || value.size() > 15) fail(bond, pair, "not an interface's name");
    parsed.link = value;
    return parsed;
  }
  for (size_t i = 0; i < option.words.size(); ++i) {
    if (option.words[i] != value) continue;
    parsed.value = static_cast<uint32_t>(i);
    return parsed;
  }
  const auto end = std::from_chars(value.data(), value.data() + value.size(), parsed.value);
  const uint32_t max = parsed.wide ? UINT32_MAX : 255;
  if (end.ec != std::errc() || end.ptr != value.data() + value.size() || parsed.value > max) {
    fail(bond, pair, "not a value of this option");
  }
  return parsed;
}

}  // namespace

std::vector<BondSpec::Option> parse_bond_options(const std::string& bond, std::string_view text) {
  std::vector<BondSpec::Option> options;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of("; "), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const BondSpec::Option option = parse_option(bond, pair);
    for (const BondSpec::Option& other : options) {
      if (other.attribute == option.attribute) fail(bond, pair, "it stands twice");
    }
    options.push_back(option);
  }
  return options;
}

NetlinkMessage new_bond_message(const BondSpec& bond, RouteSocket* socket, uint32_t mtu) {
  NewLink link;
  link.mtu = mtu;
  link.kind = "bond";
  link.name = bond.name;
  link.info_data = [&bond, socket](NetlinkMessage& data) {
    data.put_u8(IFLA_BOND_MODE, bond.mode);
    for (const BondSpec::Option& option : bond.options) {
      uint32_t value = option.value;
      if (!option.link.empty()) {
        const auto found = socket != nullptr ? socket->find_link(option.link) : std::nullopt;
        if (!found) {
          throw Error(Code::kInvalidConfig,
                      "bond " + bond.name + ": no interface " + option.link + " on this node");
        }
        value = static_cast<uint32_t>(found->index);
      }
      if (option.wide) {
        data.put_u32(option.attribute, value);
      } else {
        data.put_u8(option.attribute, static_cast<uint8_t>(value));
      }
    }
  };
  return new_link_message(link);
}

void create_bond(RouteSocket& socket, const BondSpec& bond, uint32_t mtu) {
  const std::string what = "create bond " + bond.name;
  std::string explanation;
  const int error = socket.try_send(new_bond_message(bond, &socket, mtu), &explanation);
  if (error == 0) return;
  // Since Linux 6.18 a bond always goes by its ports' carrier, and may not be told not to. What the
  // option asked for was another way to the same knowledge, for drivers that are long gone.
  BondSpec rest = bond;
  const auto removed = std::erase_if(rest.options, [](const BondSpec::Option& option) {
    return option.attribute == IFLA_BOND_USE_CARRIER && option.value == 0;
  });
  if (removed == 0 || (error != EINVAL && error != EOPNOTSUPP)) {
    throw kernel_refusal(what, error, explanation);
  }
  socket.send(new_bond_message(rest, &socket, mtu), what);
  log_warning("bond " + bond.name +
              ": this kernel has no use_carrier=0: the ports' carrier is what it goes by");
}

}  // namespace railcni
