#include "railcni/pool.h"

#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "ipam/ranges.h"
#include "railcni/error.h"

namespace railcni {
namespace {

Pool parse(const std::string& spec, std::vector<std::string>* warnings = nullptr) {
  std::vector<std::string> own;
  Pool pool = parse_pool("p", Json::parse(spec), warnings != nullptr ? *warnings : own);
  return pool;
}

std::string ranges_of(const Pool& pool) {
  std::string text;
  for (const AddressRange& range : pool.ranges)
    text += (text.empty() ? "" : " ") + range.to_string();
  return text;
}

std::string error_of(const std::string& spec) {
  try {
    parse(spec);
  } catch (const Error& error) {
    CHECK(error.code() == Code::kInvalidConfig);
    CHECK(error.msg().substr(0, 8) == "pool p: ");
    return error.msg().substr(8);
  }
  return "no error";
}

// parse_pool() of the canonical form gives an equal pool, without warnings.
void check_round_trip(const Pool& pool) {
  std::vector<std::string> warnings;
  CHECK(parse_pool(pool.name, Json::parse(pool_spec(pool).dump()), warnings) == pool);
  CHECK(warnings.empty());
}

TEST_CASE("the seeds' pools are accepted as they are written", "[pool]") {
  std::vector<std::string> warnings;
  Pool net11 = parse(
      R"({"gateway":"172.16.11.254","subnet":"172.16.11.0/16","ips":["172.16.11.1-172.16.11.200"]})",
      &warnings);
  CHECK(net11.subnet.to_string() == "172.16.0.0/16");
  CHECK(net11.size() == 200);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0] == "pool p: subnet 172.16.11.0/16 has host bits set: 172.16.0.0/16 is used");
  check_round_trip(net11);

  warnings.clear();
  Pool rail1 = parse(
      R"({"ipVersion":"ipv4","subnet":"172.16.1.0/27","gateway":"172.16.1.1",)"
      R"("ips":["172.16.1.2-172.16.1.32"],"routes":[{"to":"172.16.0.0/16","via":"172.16.1.1"}]})",
      &warnings);
  CHECK(ranges_of(rail1) == "172.16.1.2-172.16.1.30");
  CHECK(warnings.size() == 1);
  CHECK(rail1.routes.size() == 1);
  check_round_trip(rail1);

  warnings.clear();
  Pool rail8 = parse(
      R"({"subnet":"172.16.1.224/27","gateway":"172.16.1.225","ips":["172.16.1.226-172.16.1.256"]})",
      &warnings);
  CHECK(ranges_of(rail8) == "172.16.1.226-172.16.1.254");
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("172.16.1.226-172.16.1.256") != std::string::npos);
}

TEST_CASE("the last octet 256 only means the end of the subnet", "[pool]") {
  CHECK(error_of(R"({"subnet":"172.16.0.0/16","ips":["172.16.1.2-172.16.1.256"]})") ==
        "ips[0]: \"172.16.1.2-172.16.1.256\" is neither an address nor a range (first-last)");
  CHECK(error_of(R"({"subnet":"172.16.1.0/24","ips":["172.16.1.256"]})").find("neither") !=
        std::string::npos);
  CHECK(ranges_of(
            parse(R"({"subnet":"255.255.255.0/24","ips":["255.255.255.250-255.255.255.256"]})")) ==
        "255.255.255.250-255.255.255.254");
}

TEST_CASE("without ips: every usable host but the gateway", "[pool]") {
  CHECK(ranges_of(parse(R"({"subnet":"10.0.0.0/29","gateway":"10.0.0.1"})")) ==
        "10.0.0.2-10.0.0.6");
  CHECK(ranges_of(parse(R"({"subnet":"10.0.0.0/31"})")) == "10.0.0.0-10.0.0.1");
  CHECK(ranges_of(parse(R"({"subnet":"10.0.0.7/32"})")) == "10.0.0.7");
  CHECK(ranges_of(parse(R"({"subnet":"10.0.0.0/30"})")) == "10.0.0.1-10.0.0.2");
  CHECK(ranges_of(parse(R"({"subnet":"fd00::/126"})")) == "fd00::1-fd00::3");
  CHECK(ranges_of(parse(R"({"subnet":"fd00::/127"})")) == "fd00::-fd00::1");
  CHECK(ranges_of(parse(R"({"subnet":"fd00::5/128"})")) == "fd00::5");
  CHECK(parse(R"({"subnet":"10.0.0.0/8"})").size() == (U128{1} << 24) - 2);
  CHECK(parse(R"({"subnet":"fd00::/64"})").size() == (U128{1} << 64) - 1);
  CHECK(parse(R"({"subnet":"::/0"})").size() == ~U128{0});
  for (const char* spec : {R"({"subnet":"::/0","gateway":"fd00::1"})", R"({"subnet":"0.0.0.0/0"})",
                           R"({"subnet":"fd00::/64","gateway":"fd00::"})"}) {
    check_round_trip(parse(spec));
  }
}

TEST_CASE("ranges are merged, and holes cut out", "[pool]") {
  Pool pool = parse(
      R"({"subnet":"10.0.0.0/24","ips":["10.0.0.20-10.0.0.30","10.0.0.5","10.0.0.25-10.0.0.40",)"
      R"("10.0.0.6-10.0.0.9"],"excludeIPs":["10.0.0.8","10.0.0.30-10.0.0.99","10.0.0.0"]})");
  CHECK(ranges_of(pool) == "10.0.0.5-10.0.0.7 10.0.0.9 10.0.0.20-10.0.0.29");
  CHECK(pool.size() == 14);
  CHECK(pool.contains(*IpAddress::parse("10.0.0.9")));
  CHECK_FALSE(pool.contains(*IpAddress::parse("10.0.0.8")));
  CHECK_FALSE(pool.contains(*IpAddress::parse("10.0.0.4")));
  CHECK_FALSE(pool.contains(*IpAddress::parse("10.0.0.30")));
  CHECK_FALSE(pool.contains(*IpAddress::parse("::a00:9")));
  check_round_trip(pool);
}

TEST_CASE("ranges agree with sets", "[pool]") {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    std::set<int> set;
    std::vector<AddressRange> ranges;
    std::vector<AddressRange> holes;
    for (int i = 0; i < 6; ++i) {
      int first = static_cast<int>(random() % 40);
      int last = first + static_cast<int>(random() % 8);
      ranges.push_back({{Family::kV4, U128(first)}, {Family::kV4, U128(last)}});
      for (int n = first; n <= last; ++n) set.insert(n);
    }
    for (int i = 0; i < 4; ++i) {
      int first = static_cast<int>(random() % 40);
      int last = first + static_cast<int>(random() % 5);
      holes.push_back({{Family::kV4, U128(first)}, {Family::kV4, U128(last)}});
      for (int n = first; n <= last; ++n) set.erase(n);
    }
    std::set<int> got;
    for (const AddressRange& range : subtract_ranges(merge_ranges(ranges), merge_ranges(holes))) {
      for (U128 n = range.first.value; n <= range.last.value; ++n) {
        REQUIRE(got.insert(static_cast<int>(n)).second);
      }
    }
    REQUIRE(got == set);
  }
}

TEST_CASE("a gateway among the ips is not handed out", "[pool]") {
  std::vector<std::string> warnings;
  Pool pool = parse(R"({"subnet":"10.0.0.0/24","ips":["10.0.0.1-10.0.0.3"],"gateway":"10.0.0.2"})",
                    &warnings);
  CHECK(ranges_of(pool) == "10.0.0.1 10.0.0.3");
  CHECK(warnings.size() == 1);
  check_round_trip(pool);
}

TEST_CASE("every key of a SpiderIPPool", "[pool]") {
  Pool pool =
      parse(R"({"ipVersion":4,"subnet":"10.0.0.0/24","nodeName":["n1","n2"],"namespaceName":"ns",)"
            R"("multusName":["kube-system/rail1"],"default":true,"disable":true,"podAffinity":{},)"
            R"("nodeAffinity":null,"routes":[{"dst":"10.1.0.7/16","gw":"10.0.0.9"}]})");
  CHECK(pool.node_names == std::vector<std::string>{"n1", "n2"});
  CHECK(pool.namespace_names == std::vector<std::string>{"ns"});
  CHECK(pool.multus_names == std::vector<std::string>{"kube-system/rail1"});
  CHECK(pool.is_default);
  CHECK(pool.disabled);
  CHECK(pool.routes[0].to.to_string() == "10.1.0.0/16");
  check_round_trip(pool);
  for (const char* version : {"4", "\"4\"", "\"ipv4\"", "\"IPv4\""}) {
    CHECK_NOTHROW(parse(std::string(R"({"subnet":"10.0.0.0/24","ipVersion":)") + version + "}"));
    CHECK(error_of(std::string(R"({"subnet":"fd00::/64","ipVersion":)") + version + "}")
              .find("does not agree") != std::string::npos);
  }
}

TEST_CASE("what is wrong with a pool is said with its key and value", "[pool]") {
  struct Case {
    const char* spec;
    const char* part;
  };
  for (const Case& c : std::initializer_list<Case>{
           {R"([])", "must be an object"},
           {R"({})", "subnet: is missing"},
           {R"({"subnet":7})", "subnet"},
           {R"({"subnet":"10.0.0.0"})", "\"10.0.0.0\""},
           {R"({"subnet":"10.0.0.0/24","ipVersion":5})", "ipVersion: must be 4 or 6, not 5"},
           {R"({"subnet":"10.0.0.0/24","ips":[]})", "ips: the list is empty"},
           {R"({"subnet":"10.0.0.0/24","ips":"10.0.0.1"})", "ips"},
           {R"({"subnet":"10.0.0.0/24","ips":["10.0.1.1-10.0.1.9"]})",
            "ips[0]: 10.0.1.1-10.0.1.9 is outside of the usable hosts 10.0.0.1-10.0.0.254 of the "
            "subnet 10.0.0.0/24"},
           {R"({"subnet":"10.0.0.0/24","ips":["10.0.0.9-10.0.0.1"]})", "ends before it begins"},
           {R"({"subnet":"10.0.0.0/24","ips":["10.0.0.0/25"]})", "neither an address nor a range"},
           {R"({"subnet":"10.0.0.0/24","ips":["10.0.0.1-"]})", "neither an address nor a range"},
           {R"({"subnet":"10.0.0.0/24","ips":["fd00::1"]})",
            "is not an address of the IPv4 subnet"},
           {R"({"subnet":"10.0.0.0/24","ips":["10.0.0.255"]})", "outside of the usable hosts"},
           {R"({"subnet":"10.0.0.0/24","excludeIPs":["10.0.1.0"]})", "excludeIPs[0]"},
           {R"({"subnet":"10.0.0.0/30","excludeIPs":["10.0.0.1-10.0.0.2"]})", "no address is left"},
           {R"({"subnet":"10.0.0.0/32","gateway":"10.0.0.0"})", "no address is left"},
           {R"({"subnet":"10.0.0.0/24","gateway":"10.0.1.1"})", "gateway: 10.0.1.1 is outside"},
           {R"({"subnet":"10.0.0.0/24","gateway":"10.0.0.255"})", "broadcast address"},
           {R"({"subnet":"10.0.0.0/24","gateway":"10.0.0.0"})", "network address"},
           {R"({"subnet":"10.0.0.0/24","routes":[{"to":"10.1.0.0/16"}]})", "must have either"},
           {R"({"subnet":"10.0.0.0/24","routes":[{"to":"10.1.0.0/16","gw":"10.0.0.1"}]})",
            "must have either"},
           {R"({"subnet":"10.0.0.0/24","routes":[{"to":"0.0.0.0/0","via":"10.0.0.1"}]})",
            "the gateway is the default route"},
           {R"({"subnet":"10.0.0.0/24","routes":[{"to":"10.1.0.0/16","via":"10.1.0.1"}]})",
            "next hop 10.1.0.1 is outside"},
           {R"({"subnet":"10.0.0.0/24","routes":[{"to":"fd00::/64","via":"10.0.0.1"}]})",
            "not a destination"},
           {R"({"subnet":"10.0.0.0/24","routes":[{"to":"10.1.0.0/16","via":"10.0.0.1"},)"
            R"({"dst":"10.1.2.0/16","gw":"10.0.0.2"}]})",
            "another route to 10.1.0.0/16"},
           {R"({"subnet":"10.0.0.0/24","routes":[{"to":"10.1.0.0/16","via":"10.0.0.1","mtu":1}]})",
            "mtu"},
           {R"({"subnet":"10.0.0.0/24","podAffinity":{"matchLabels":{"a":"b"}}})", "podAffinity"},
           {R"({"subnet":"10.0.0.0/24","nodeName":[""]})", "empty name"},
           {R"({"subnet":"10.0.0.0/24","gatewy":"10.0.0.1"})", "gatewy"},
           {R"({"subnet":"10.0.0.0/24","disable":"yes"})", "disable"}}) {
    CAPTURE(c.spec);
    CHECK_THAT(error_of(c.spec), Catch::Contains(c.part));
  }
}

TEST_CASE("a subnet that no interface can have addresses of is refused", "[pool]") {
  for (const char* subnet :
       {"0.0.0.0/8", "0.1.2.0/24", "127.0.0.0/8", "127.1.0.0/16", "224.0.0.0/4", "239.1.1.0/24",
        "255.255.255.255/32", "::/128", "::1/128", "::/127", "ff00::/8", "ff02::/64"}) {
    CAPTURE(subnet);
    CHECK_THAT(error_of(std::string(R"({"subnet":")") + subnet + "\"}"),
               Catch::Contains("lies inside of") && Catch::Contains("no interface can have"));
  }
  for (const char* subnet : {"0.0.0.0/0", "1.0.0.0/8", "128.0.0.0/8", "240.0.0.0/4",
                             "255.255.255.0/24", "::/0", "::/64", "fe80::/64"}) {
    CAPTURE(subnet);
    CHECK_NOTHROW(parse(std::string(R"({"subnet":")") + subnet + "\"}"));
  }
}

TEST_CASE("an IPv6 router may have a link-local address", "[pool]") {
  Pool p = parse(R"({"subnet":"fd00::/64","gateway":"fe80::1",)"
                 R"("routes":[{"to":"fd01::/64","via":"febf::2"}]})");
  CHECK(p.gateway->to_string() == "fe80::1");
  CHECK(p.routes[0].via.to_string() == "febf::2");
  std::vector<std::string> warnings;
  CHECK(parse_pool("p", pool_spec(p), warnings).routes == p.routes);
  CHECK_THAT(error_of(R"({"subnet":"fd00::/64","gateway":"fec0::1"})"),
             Catch::Contains("not link-local"));
  CHECK_THAT(error_of(R"({"subnet":"10.0.0.0/24","gateway":"169.254.1.1"})"),
             Catch::Contains("outside of the subnet"));
}

TEST_CASE("pool names", "[pool]") {
  for (const std::string& name : {std::string("a"), std::string("gpu1-net11"),
                                  std::string("A.b_c-9"), std::string(253, 'x')}) {
    CHECK_NOTHROW(check_pool_name(name));
  }
  for (const std::string& name :
       {std::string(), std::string("-a"), std::string("a/b"), std::string("a b"), std::string("a*"),
        std::string("a\0b", 3), std::string(254, 'x'), std::string("\xc3\xa4")}) {
    CHECK_THROWS_AS(check_pool_name(name), Error);
  }
}

}  // namespace
}  // namespace railcni
