#include "railcni/address.h"

#include <catch2/catch.hpp>

#include "railcni/error.h"

namespace railcni {
namespace {

std::string round_trip(std::string_view text) {
  auto address = IpAddress::parse(text);
  return address ? address->to_string() : "none";
}

TEST_CASE("addresses are parsed and written", "[address]") {
  CHECK(round_trip("0.0.0.0") == "0.0.0.0");
  CHECK(round_trip("255.255.255.255") == "255.255.255.255");
  CHECK(round_trip("172.16.11.1") == "172.16.11.1");
  CHECK(round_trip("::") == "::");
  CHECK(round_trip("FD00:0:0:0:0:0:0:1") == "fd00::1");
  CHECK(round_trip("::ffff:10.0.0.1") == "::ffff:10.0.0.1");
  CHECK(IpAddress::parse("::ffff:10.0.0.1")->family == Family::kV6);
  CHECK(IpAddress::parse("10.0.0.1")->value == 0x0a000001);
}

TEST_CASE("what is no address is refused", "[address]") {
  for (std::string_view text :
       {"", "10", "10.0.0", "10.0.0.256", "10.0.0.1.2", "010.0.0.1", " 10.0.0.1", "10.0.0.1 ",
        "10.0.0.1/8", ":", ":::", "1::2::3", "fd00::g", "fe80::1%eth0", "0x0a.0.0.1", "-1.0.0.0",
        "1:2:3:4:5:6:7:8:9"}) {
    CAPTURE(text);
    CHECK_FALSE(IpAddress::parse(text));
  }
  CHECK_FALSE(IpAddress::parse(std::string_view("10.0.0.1\0", 9)));
  CHECK_FALSE(IpAddress::parse(std::string(10000, '1')));
  try {
    IpAddress::parse_or_throw("10.0.0.256", "gateway");
    FAIL();
  } catch (const Error& error) {
    CHECK(error.code() == Code::kInvalidConfig);
    CHECK(error.msg().find("gateway") != std::string::npos);
    CHECK(error.msg().find("10.0.0.256") != std::string::npos);
  }
}

TEST_CASE("bytes are in network order", "[address]") {
  auto v4 = *IpAddress::parse("1.2.3.4");
  CHECK(v4.bytes()[0] == 1);
  CHECK(v4.bytes()[3] == 4);
  CHECK(v4.byte_size() == 4);
  CHECK(IpAddress::from_bytes(Family::kV4, v4.bytes().data()) == v4);
  auto v6 = *IpAddress::parse("fd00::4:1");
  CHECK(v6.bytes()[0] == 0xfd);
  CHECK(v6.bytes()[15] == 1);
  CHECK(IpAddress::from_bytes(Family::kV6, v6.bytes().data()) == v6);
}

TEST_CASE("prefixes keep their host bits and know their subnet", "[address]") {
  auto prefix = *IpPrefix::parse("172.16.11.7/16");
  CHECK(prefix.to_string() == "172.16.11.7/16");
  CHECK(prefix.network().to_string() == "172.16.0.0/16");
  CHECK(prefix.last().to_string() == "172.16.255.255");
  CHECK(prefix.contains(*IpAddress::parse("172.16.255.255")));
  CHECK_FALSE(prefix.contains(*IpAddress::parse("172.17.0.0")));
  // The same number in the other family is another address.
  CHECK_FALSE(IpPrefix::parse("0.0.0.0/0")->contains(*IpAddress::parse("::1")));
  CHECK(IpPrefix::parse("::/0")->last().to_string() == "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
  CHECK(IpPrefix::parse("0.0.0.0/0")->last().to_string() == "255.255.255.255");
  CHECK(IpPrefix::parse("10.0.0.1/32")->first() == IpPrefix::parse("10.0.0.1/32")->last());
  for (std::string_view text :
       {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "fd00::/129", "10.0.0.0/-1", "10.0.0.0/08",
        "10.0.0.0/8 ", "10.0.0.0/+8", "/8", "10.0.0.0/8/8", "10.0.0.0/99999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(IpPrefix::parse(text));
  }
}

TEST_CASE("big numbers in decimal", "[address]") {
  CHECK(to_string(U128{0}) == "0");
  CHECK(to_string(~U128{0}) == "340282366920938463463374607431768211455");
  CHECK(to_string(U128{1} << 64) == "18446744073709551616");
}

TEST_CASE("hardware addresses of Ethernet and IPoIB", "[address]") {
  CHECK(to_string(*parse_hw_address("AA:bb:0c:DD:ee:0f")) == "aa:bb:0c:dd:ee:0f");
  std::string ipoib = "80:00:00:48:fe:80:00:00:00:00:00:00:00:02:c9:03:00:0e:a9:c1";
  CHECK(to_string(*parse_hw_address(ipoib)) == ipoib);
  for (std::string_view text : {"", "aa:bb:cc:dd:ee", "aa:bb:cc:dd:ee:ff:00", "aa-bb-cc-dd-ee-ff",
                                "aa:bb:cc:dd:ee:fg", "aabb:cc:dd:ee:ff:", "aa:bb:cc:dd:ee:f:"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_hw_address(text));
  }
}

TEST_CASE("ranges", "[address]") {
  AddressRange range{*IpAddress::parse("10.0.0.1"), *IpAddress::parse("10.0.0.9")};
  CHECK(range.to_string() == "10.0.0.1-10.0.0.9");
  CHECK(range.contains(range.first));
  CHECK(range.contains(range.last));
  CHECK_FALSE(range.contains(*IpAddress::parse("10.0.0.10")));
  CHECK(AddressRange{range.first, range.first}.to_string() == "10.0.0.1");
}

}  // namespace

TEST_CASE("link-local addresses are known at their edges") {
  for (const char* text : {"169.254.0.0", "169.254.255.255", "fe80::1", "febf:ffff::1"}) {
    INFO(text);
    CHECK(IpAddress::parse(text)->is_link_local());
  }
  for (const char* text : {"169.253.255.255", "169.255.0.0", "fec0::1", "fe7f::1", "::"}) {
    INFO(text);
    CHECK_FALSE(IpAddress::parse(text)->is_link_local());
  }
}

TEST_CASE("a random MAC is unicast and locally administered") {
  for (int i = 0; i < 100; ++i) CHECK((random_mac()[0] & 3) == 2);
  CHECK(random_mac() != random_mac());
}

}  // namespace railcni
