// Datagrams of the kernel, and such as no kernel sends: truncated, contradictory, out of range.
#include "src/kernel/netlink_reply.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <climits>

#include "railcni/netlink.h"
#include "src/kernel/route_parse.h"
#include "src/kernel/vf_parse.h"

using namespace railcni;

namespace {

template <typename Value>
std::string bytes_of(const Value& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string message(uint16_t type, const std::string& body, uint32_t sequence, uint16_t flags = 0) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<uint32_t>(NLMSG_LENGTH(body.size()));
  header.nlmsg_type = type;
  header.nlmsg_flags = flags;
  header.nlmsg_seq = sequence;
  std::string bytes = bytes_of(header) + body;
  bytes.resize(NLMSG_ALIGN(bytes.size()));
  return bytes;
}

std::string acknowledgement(int status, uint32_t sequence) {
  nlmsgerr error{};
  error.error = status;
  error.msg.nlmsg_len = sizeof error.msg;
  return message(NLMSG_ERROR, bytes_of(error), sequence, NLM_F_CAPPED);
}

std::string attribute(uint16_t type, const std::string& data) {
  nlattr header{};
  header.nla_len = static_cast<uint16_t>(NLA_HDRLEN + data.size());
  header.nla_type = type;
  std::string bytes = bytes_of(header) + data;
  bytes.resize(NLA_ALIGN(bytes.size()));
  return bytes;
}

struct Read {
  std::vector<NetlinkOutcome> outcomes;
  size_t done = 0;
  int others = 0;
};

// Of requests 1 to `count`. The bytes lie in a heap block of just their size, for the sanitizers.
Read read(const std::string& bytes, size_t count = 1) {
  Read result;
  result.outcomes.resize(count);
  const std::vector<char> datagram(bytes.begin(), bytes.end());
  result.done = read_replies(datagram.data(), datagram.size(), 1, result.outcomes,
                             [&result](const nlmsghdr*) { ++result.others; });
  return result;
}

const nlmsghdr* header_of(const std::string& bytes) {
  return reinterpret_cast<const nlmsghdr*>(bytes.data());
}

}  // namespace

TEST_CASE("netlink replies: acknowledgements, explanations, the end of a dump") {
  nlmsgerr error{};
  error.error = -EEXIST;
  error.msg.nlmsg_len = sizeof error.msg;
  const std::string text = attribute(NLMSGERR_ATTR_MSG, std::string("it exists", 10));
  const Read refused =
      read(message(NLMSG_ERROR, bytes_of(error) + text, 1, NLM_F_CAPPED | NLM_F_ACK_TLVS));
  CHECK(refused.done == 1);
  CHECK(refused.outcomes[0].error == EEXIST);
  CHECK(refused.outcomes[0].explanation == "it exists");
  const Read dump = read(message(RTM_NEWLINK, bytes_of(ifinfomsg{}), 1) +
                         message(NLMSG_DONE, bytes_of(-EINTR), 1));
  CHECK(dump.others == 1);
  CHECK(dump.done == 1);
  CHECK(dump.outcomes[0].error == EINTR);
}

TEST_CASE("netlink replies: an object is the end of a request without acknowledgement") {
  std::vector<NetlinkOutcome> outcomes(2);
  for (NetlinkOutcome& outcome : outcomes) outcome.is_acknowledged = false;
  int objects = 0;
  const auto read_one = [&](const std::string& bytes) {
    return read_replies(bytes.data(), bytes.size(), 1, outcomes,
                        [&objects](const nlmsghdr*) { ++objects; });
  };
  const std::string object = message(RTM_NEWLINK, bytes_of(ifinfomsg{}), 1);
  CHECK(read_one(object + object) == 1);
  CHECK(objects == 1);
  CHECK(outcomes[0].is_done);
  CHECK(read_one(acknowledgement(-ENODEV, 2)) == 1);
  CHECK(outcomes[1].error == ENODEV);
}

TEST_CASE("netlink replies: a request is done once, however often it is acknowledged") {
  const Read twice = read(acknowledgement(0, 1) + acknowledgement(-EPERM, 1), 2);
  CHECK(twice.done == 1);
  CHECK(twice.outcomes[0].error == 0);
  CHECK_FALSE(twice.outcomes[1].is_done);
  CHECK(read(acknowledgement(0, 0) + acknowledgement(0, 7)).done == 0);
}

TEST_CASE("netlink replies: a status that is none, or is not there, is an error") {
  CHECK(read(message(NLMSG_ERROR, "", 1)).outcomes[0].error == EBADMSG);
  CHECK(read(message(NLMSG_ERROR, bytes_of(0), 1)).outcomes[0].error == EBADMSG);
  CHECK(read(acknowledgement(INT_MIN, 1)).outcomes[0].error == EBADMSG);
  CHECK(read(acknowledgement(17, 1)).outcomes[0].error == EBADMSG);
  CHECK(read(message(NLMSG_DONE, bytes_of(INT_MIN), 1)).outcomes[0].error == EBADMSG);
}

TEST_CASE("netlink replies: an explanation is looked for inside of the message only") {
  const uint32_t length = GENERATE(0u, 15u, 16u, 17u, 64u, 0x7fffffffu, 0xfffffffdu, 0xffffffffu);
  nlmsgerr error{};
  error.error = -EINVAL;
  error.msg.nlmsg_len = length;
  const std::string text = attribute(NLMSGERR_ATTR_MSG, "x");
  const Read result = read(message(NLMSG_ERROR, bytes_of(error) + text, 1, NLM_F_ACK_TLVS));
  CHECK(result.outcomes[0].error == EINVAL);
  CHECK(result.outcomes[0].explanation == (length == 16 ? "x" : ""));
}

TEST_CASE("netlink replies: a prefix that is longer than its address is nobody's") {
  ifaddrmsg address{};
  address.ifa_family = AF_INET;
  address.ifa_prefixlen = 33;
  const std::string ip = attribute(IFA_LOCAL, {10, 0, 0, 1});
  CHECK_FALSE(parse_address(header_of(message(RTM_NEWADDR, bytes_of(address) + ip, 1))));
  rtmsg route{};
  route.rtm_family = AF_INET6;
  route.rtm_dst_len = 129;
  CHECK_FALSE(parse_route_lookup(header_of(message(RTM_NEWROUTE, bytes_of(route), 1))));
  fib_rule_hdr rule{};
  rule.family = AF_INET;
  rule.src_len = 200;
  CHECK_FALSE(parse_rule(header_of(message(RTM_NEWRULE, bytes_of(rule), 1))));
  // A destination of no length is none.
  rule.src_len = 0;
  rule.action = FR_ACT_TO_TBL;
  const std::string all(4, '\0');
  const auto to_all =
      parse_rule(header_of(message(RTM_NEWRULE, bytes_of(rule) + attribute(FRA_DST, all), 1)));
  REQUIRE(to_all);
  CHECK_FALSE(to_all->to);
  CHECK(to_all->only_from);
}

TEST_CASE("a VF of a PF without an address that counts has no MAC") {
  ifla_vf_mac mac{};
  mac.vf = 3;
  mac.mac[0] = 2;
  const std::string list =
      attribute(IFLA_VFINFO_LIST, attribute(IFLA_VF_INFO, attribute(IFLA_VF_MAC, bytes_of(mac))));
  const auto read_mac = [&list](const std::string& physical) {
    const std::string bytes =
        message(RTM_NEWLINK, bytes_of(ifinfomsg{}) + attribute(IFLA_ADDRESS, physical) + list, 1);
    CHECK_FALSE(parse_vf(header_of(bytes), 2));
    const auto state = parse_vf(header_of(bytes), 3);
    REQUIRE(state);
    CHECK(VfState::from_json(state->to_json()) == *state);
    return state->mac;
  };
  CHECK_FALSE(read_mac(""));
  CHECK_FALSE(read_mac("1234567"));
  CHECK(read_mac("123456")->size() == 6);
  CHECK(read_mac(std::string(20, 'x'))->size() == 20);
}
