// Messages are built and read back without a kernel: bonds, VLANs, and replies cut short.
#include "railcni/netlink.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "railcni/error.h"
#include "railcni/uplink.h"
#include "src/kernel/route_parse.h"

using namespace railcni;

namespace {

std::vector<uint8_t> bytes_of(const NetlinkMessage& message) {
  const auto* start = reinterpret_cast<const uint8_t*>(message.header());
  return std::vector<uint8_t>(start, start + message.header()->nlmsg_len);
}

// The payload of the attribute at the end of `path` (nested types), or nothing.
std::optional<std::vector<uint8_t>> attribute(const NetlinkMessage& message,
                                              std::vector<int> path) {
  const std::vector<uint8_t> bytes = bytes_of(message);
  size_t start = NLMSG_LENGTH(sizeof(ifinfomsg));
  size_t end = bytes.size();
  for (size_t depth = 0; depth < path.size(); ++depth) {
    bool found = false;
    for (size_t at = start; at + sizeof(nlattr) <= end;) {
      nlattr header;
      memcpy(&header, &bytes[at], sizeof header);
      if (header.nla_len < sizeof header) return std::nullopt;
      if ((header.nla_type & NLA_TYPE_MASK) == path[depth]) {
        start = at + sizeof header;
        end = at + header.nla_len;
        found = true;
        break;
      }
      at += NLA_ALIGN(header.nla_len);
    }
    if (!found) return std::nullopt;
  }
  return std::vector<uint8_t>(bytes.begin() + start, bytes.begin() + end);
}

using Bytes = std::vector<uint8_t>;

UplinkSpec read_spec(const char* text) {
  static Json json;
  json = Json::parse(text);
  ObjectReader reader(json, "macvlan");
  return read_uplink(reader);
}

}  // namespace

TEST_CASE("a VLAN message has kind, parent and id") {
  const NetlinkMessage message = new_vlan_message("eth0.100", 7, 100);
  CHECK(message.header()->nlmsg_type == RTM_NEWLINK);
  CHECK((message.header()->nlmsg_flags & NLM_F_EXCL) != 0);
  CHECK(attribute(message, {IFLA_LINK}) == Bytes{7, 0, 0, 0});
  CHECK(attribute(message, {IFLA_LINKINFO, IFLA_INFO_KIND}) == Bytes{'v', 'l', 'a', 'n', 0});
  CHECK(attribute(message, {IFLA_LINKINFO, IFLA_INFO_DATA, IFLA_VLAN_ID}) == Bytes{100, 0});
}

TEST_CASE("a bond message has mode and options, by number and by word") {
  const BondSpec bond{
      "bond0", 4,
      parse_bond_options("bond0",
                         "miimon=100;lacp_rate=fast xmit_hash_policy=layer3+4;;min_links=1")};
  const NetlinkMessage message = new_bond_message(bond, nullptr);
  const auto option = [&message](int type) {
    return attribute(message, {IFLA_LINKINFO, IFLA_INFO_DATA, type});
  };
  CHECK(option(IFLA_BOND_MODE) == Bytes{4});
  CHECK(option(IFLA_BOND_MIIMON) == Bytes{100, 0, 0, 0});
  CHECK(option(IFLA_BOND_AD_LACP_RATE) == Bytes{1});
  CHECK(option(IFLA_BOND_XMIT_HASH_POLICY) == Bytes{1});
  CHECK(option(IFLA_BOND_MIN_LINKS) == Bytes{1, 0, 0, 0});
}

TEST_CASE("an unknown or malformed bond option is refused by name") {
  const char* options = GENERATE("mimon=100", "miimon", "miimon=x", "lacp_rate=faster",
                                 "use_carrier=256", "primary=", "primary=a-name-of-16-byte");
  CHECK_THROWS_WITH(parse_bond_options("bond0", options), Catch::Contains(options));
  CHECK_THROWS_WITH(parse_bond_options("bond0", "miimon=1;miimon=1"), Catch::Contains("twice"));
  const BondSpec primary{"bond0", 1, parse_bond_options("bond0", "primary=eth0")};
  CHECK_THROWS_WITH(new_bond_message(primary, nullptr), Catch::Contains("eth0"));
}

TEST_CASE("an uplink's name follows from masters, bond and VLAN") {
  CHECK(read_spec(R"({"master":["eth0"]})").name() == "eth0");
  CHECK(read_spec(R"({"master":"eth0","vlanID":100})").name() == "eth0.100");
  CHECK(read_spec(R"({"master":["a","b"],"bond":{"name":"bond0","mode":1},"vlanID":7})").name() ==
        "bond0.7");
}

TEST_CASE("a wrong uplink is refused") {
  const char* text =
      GENERATE(R"({"master":["a","b"]})", R"({"master":["a"],"bond":{"name":"b"}})",
               R"({"master":["a","b"],"bond":{"name":"b","mode":7}})",
               R"({"master":["a","b"],"bond":{"mode":1}})", R"({"master":["a"],"vlanID":4095})",
               R"({"master":[""]})", R"({"master":["a-name-of-16-byte"]})",
               R"({"master":["thirteen-byte"],"vlanID":100})",
               R"({"master":["a","b"],"bond":{"name":"b","moda":1}})");
  INFO(text);
  CHECK_THROWS_AS(read_spec(text), Error);
}

TEST_CASE("a link message cut short at any byte is read without harm") {
  NewLink link;
  link.kind = "macvlan";
  link.name = "net1";
  link.parent = 3;
  link.mtu = 1400;
  link.address = {2, 0, 0, 0, 0, 1};
  link.info_data = [](NetlinkMessage& data) { data.put_u32(IFLA_MACVLAN_MODE, 4); };
  const NetlinkMessage message = new_link_message(link);
  const std::vector<uint8_t> whole = bytes_of(message);
  const LinkInfo parsed = parse_link(message.header());
  CHECK(parsed.name == "net1");
  CHECK(parsed.kind == "macvlan");
  CHECK(parsed.parent == 3);
  CHECK(parsed.mtu == 1400);
  CHECK(parsed.macvlan_mode == 4u);
  for (size_t size = sizeof(nlmsghdr); size < whole.size(); ++size) {
    // A heap block of just this size, so that a sanitizer sees a byte read too many.
    std::vector<uint8_t> cut(whole.begin(), whole.begin() + size);
    auto* header = reinterpret_cast<nlmsghdr*>(cut.data());
    header->nlmsg_len = static_cast<uint32_t>(size);
    parse_link(header);
    header->nlmsg_type = RTM_NEWADDR;
    parse_address(header);
    header->nlmsg_type = RTM_NEWROUTE;
    parse_route(header);
  }
}

TEST_CASE("an IPv6 address is added without duplicate address detection") {
  const NetlinkMessage message = new_address_message(5, *IpPrefix::parse("fd00::2/64"));
  const auto address = parse_address(message.header());
  REQUIRE(address);
  CHECK(address->address.to_string() == "fd00::2/64");
  CHECK((address->flags & IFA_F_NODAD) != 0);
}

TEST_CASE("a message grows, also inside of a nested attribute") {
  const ifinfomsg header{};
  NetlinkMessage message(RTM_NEWLINK, 0, &header, sizeof header);
  const std::string name(1000, 'x');
  message.nest(IFLA_PROP_LIST, [&name](NetlinkMessage& list) {
    for (int i = 0; i < 20; ++i) list.put_string(IFLA_ALT_IFNAME, name);
  });
  const auto list = attribute(message, {IFLA_PROP_LIST});
  REQUIRE(list);
  CHECK(list->size() == 20 * NLA_ALIGN(NLA_HDRLEN + name.size() + 1));
  const auto first = attribute(message, {IFLA_PROP_LIST, IFLA_ALT_IFNAME});
  REQUIRE(first);
  CHECK(std::string(first->begin(), first->end() - 1) == name);
}
