#include "railcni/range_set.h"

#include <catch2/catch.hpp>

#include "railcni/error.h"

using namespace railcni;

namespace {

std::vector<RangeSet> read(const char* text) {
  return read_range_sets(Json::parse(text), "ipam.ranges");
}

std::string refusal(const char* text) {
  try {
    check_disjoint(read(text));
  } catch (const Error& error) {
    CHECK(error.code() == Code::kInvalidConfig);
    return error.msg();
  }
  return "";
}

}  // namespace

TEST_CASE("a range has the original's defaults") {
  const auto sets = read(R"([[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00::/120"}]])");
  REQUIRE(sets.size() == 2);
  CHECK(sets[0].to_string() == "10.1.0.1-10.1.0.254");
  CHECK(sets[1].to_string() == "fd00::1-fd00::ff");
  REQUIRE(sets[0].pools().size() == 1);
  const Pool pool = sets[0].pools().front();
  CHECK(pool.gateway == IpAddress::parse("10.1.0.1"));
  REQUIRE(pool.ranges.size() == 1);
  CHECK(pool.ranges.front().to_string() == "10.1.0.2-10.1.0.254");
  CHECK(sets[0].contains(*IpAddress::parse("10.1.0.1")));
  CHECK_FALSE(sets[0].contains(*IpAddress::parse("10.1.0.255")));
}

TEST_CASE("a range's ends and its gateway are taken as they are given") {
  const auto sets = read(
      R"([[{"subnet":"10.1.0.0/24","rangeStart":"10.1.0.0","rangeEnd":"10.1.0.255",
            "gateway":"10.1.0.9"},
           {"subnet":"10.2.0.0/24","rangeStart":"10.2.0.7","rangeEnd":"10.2.0.7",
            "gateway":"192.0.2.1"},
           {"subnet":"10.3.0.0/24","rangeStart":"10.3.0.1","rangeEnd":"10.3.0.1"}]])");
  const std::vector<Pool> pools = sets.at(0).pools();
  // The third one has no address but its gateway.
  REQUIRE(pools.size() == 2);
  REQUIRE(pools[0].ranges.size() == 2);
  CHECK(pools[0].ranges[0].to_string() == "10.1.0.0-10.1.0.8");
  CHECK(pools[0].ranges[1].to_string() == "10.1.0.10-10.1.0.255");
  CHECK(pools[1].name == "10.2.0.7");
  CHECK(pools[1].gateway == IpAddress::parse("192.0.2.1"));
  CHECK(pools[1].ranges.front().to_string() == "10.2.0.7");
}

TEST_CASE("what the original refuses is refused, by the key's name") {
  struct Case {
    const char* ranges;
    const char* part;
  };
  const std::vector<Case> cases = {
      {R"([[]])", "ipam.ranges[0]: an empty range set"},
      {R"([{}])", "list of lists"},
      {R"({})", "list of lists"},
      {R"([[{"rangeStart":"10.0.0.1"}]])", "ipam.ranges[0][0].subnet is missing"},
      {R"([[{"subnet":"10.1/16"}]])", "10.1/16"},
      {R"([[{"subnet":"10.1.0.1/24"}]])", "host bits set; the network is 10.1.0.0/24"},
      {R"([[{"subnet":"10.1.0.0/31"}]])", "too small"},
      {R"([[{"subnet":"fd00::/127"}]])", "too small"},
      {R"([[{"subnet":"10.1.0.0/24","rangeStart":"10.2.0.1"}]])", "rangeStart: 10.2.0.1 is not in"},
      {R"([[{"subnet":"10.1.0.0/24","rangeEnd":"10.2.0.1"}]])", "rangeEnd: 10.2.0.1 is not in"},
      {R"([[{"subnet":"10.1.0.0/24","rangeStart":"10.1.0.9","rangeEnd":"10.1.0.5"}]])",
       "10.1.0.9 is behind the rangeEnd 10.1.0.5"},
      {R"([[{"subnet":"10.1.0.0/24","gateway":"x"}]])", "gateway"},
      {R"([[{"subnet":"10.1.0.0/24"},{"subnet":"fd00::/64"}]])", "mixed address families"},
      {R"([[{"subnet":"10.1.0.0/24"},{"subnet":"10.1.0.0/25"}]])",
       "10.1.0.1-10.1.0.254 and 10.1.0.1-10.1.0.126 overlap"},
      {R"([[{"subnet":"10.1.0.0/24"}],[{"subnet":"10.1.0.0/25"}]])",
       "range set 0 (10.1.0.1-10.1.0.254) overlaps with range set 1"},
  };
  for (const Case& c : cases) {
    INFO(c.ranges);
    CHECK_THAT(refusal(c.ranges), Catch::Contains(c.part));
  }
  CHECK(refusal(R"([[{"subnet":"10.1.0.0/25"}],[{"subnet":"10.1.0.128/25"}]])").empty());
}
