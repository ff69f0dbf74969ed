#include "railcni/json.h"

#include <catch2/catch.hpp>

#include "railcni/error.h"
#include "railcni/object_reader.h"

using namespace railcni;

TEST_CASE("a document survives parse and dump") {
  const std::string text =
      R"({"b":[1,-2,18446744073709551615,2.5,true,null],"a":{"text":"\"\\\n\u0001é"}})";
  const Json json = Json::parse(text);
  CHECK(json.dump() ==
        R"({"b":[1,-2,18446744073709551615,2.5,true,null],"a":{"text":"\"\\\n\u0001é"}})");
  CHECK(Json::parse(json.dump(2)) == json);
  CHECK(json.at("b").as_array()[2].as_uint() == 18446744073709551615u);
}

TEST_CASE("indented output has one member a line") {
  const Json json = Json::object({{"a", 1}, {"b", Json::array({1, 2})}, {"c", Json::object()}});
  CHECK(json.dump(2) == "{\n  \"a\": 1,\n  \"b\": [\n    1,\n    2\n  ],\n  \"c\": {}\n}");
}

TEST_CASE("what is not one JSON document is refused") {
  const char* text = GENERATE("", "   ", "{", "{}{}", "{} x", "{'a':1}", "{\"a\":}", "\xff\xfe",
                              "{\"a\":\"\xc3\"}", "[1,2", "nul", "{\"a\":1e999}");
  INFO(text);
  try {
    Json::parse(text);
    FAIL("it was taken");
  } catch (const Error& error) {
    CHECK(error.code() == Code::kDecodingFailure);
  }
}

TEST_CASE("nesting has a limit") {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK_NOTHROW(Json::parse(nested(Json::kMaxDepth)));
  CHECK_THROWS_AS(Json::parse(nested(Json::kMaxDepth + 1)), Error);
  CHECK(Json::parse(nested(Json::kMaxDepth)).depth() == Json::kMaxDepth);
  CHECK(Json::parse(R"({"a": [1, {}], "b": 2})").depth() == 3);
  CHECK(Json(5).depth() == 0);
  CHECK_THROWS_AS(Json::parse(nested(1000000)), Error);
  // Whoever of the two finds it, the parser or what reads its result.
  const std::string items =
      std::string(Json::kMaxDepth, '[') + "1" + std::string(Json::kMaxDepth, ']');
  for (const std::string& text : {nested(Json::kMaxDepth + 1), nested(1000), items}) {
    CHECK_THROWS_WITH(Json::parse(text), "JSON is nested deeper than 100 levels");
  }
}

TEST_CASE("of members with one name the last counts, in small and in huge objects") {
  CHECK(Json::parse(R"({"a":1,"a":2})").at("a").as_int() == 2);
  std::string text = "{\"a\":1";
  for (int i = 0; i < 1000; ++i) text += ",\"k" + std::to_string(i) + "\":0";
  CHECK(Json::parse(text + ",\"a\":2}").at("a").as_int() == 2);
}

TEST_CASE("numbers keep to their types") {
  CHECK(Json::parse("9223372036854775807").as_int() == INT64_MAX);
  CHECK_THROWS_AS(Json::parse("9223372036854775808").as_int(), Error);
  CHECK_THROWS_AS(Json::parse("-1").as_uint(), Error);
  CHECK_FALSE(Json::parse("1.0").is_integer());
}

TEST_CASE("a reader refuses unknown keys, and knows the nearest") {
  const Json json = Json::parse(R"({"mtuu":1400,"cni.dev/x":1})");
  ObjectReader reader(json, "macvlan");
  reader.integer("mtu", 0, 9000);
  reader.allow_prefix("cni.dev/");
  CHECK_THROWS_WITH(reader.finish(), "unknown key \"macvlan.mtuu\": did you mean \"macvlan.mtu\"?");
}

TEST_CASE("a reader names key, value and what would be right") {
  const Json json = Json::parse(R"({"a":"x","b":70000,"c":[1],"d":{},"e":18446744073709551615})");
  ObjectReader reader(json, "");
  CHECK_THROWS_WITH(reader.integer("a", 0, 9), "a: must be an integer from 0 to 9, not \"x\"");
  CHECK_THROWS_WITH(reader.integer("b", 0, 9), "b: must be an integer from 0 to 9, not 70000");
  CHECK_THROWS_WITH(reader.integer("e", 0, 9), Catch::Contains("18446744073709551615"));
  CHECK_THROWS_WITH(reader.strings("c"), "c: must be a list of strings, not [1]");
  CHECK_THROWS_WITH(reader.boolean("d"), "d: must be true or false, not {}");
  CHECK_THROWS_WITH(ObjectReader(Json(1), "ipam"), "ipam must be an object, not number");
}

TEST_CASE("what is taken out of a temporary outlives it") {
  const auto parse = [] { return Json::parse(R"({"a":{"list":["a long enough string", 2]}})"); };
  std::string text;
  for (const Json& item : parse().at("a").at("list").as_array()) text += item.dump();
  CHECK(text == "\"a long enough string\"2");
}

TEST_CASE("a far-off word is no suggestion") {
  CHECK(nearest_word("masters", {"master", "mtu"}) == "master");
  CHECK(nearest_word("MASTER", {"master"}) == "master");
  CHECK(nearest_word("somethingelse", {"master", "mtu"}).empty());
}

TEST_CASE("a negative zero is read back as it was written") {
  CHECK(Json(-0.0).dump() == "-0.0");
  CHECK(Json::parse(Json(-0.0).dump()).dump() == "-0.0");
  CHECK(Json(0.0).dump() == "0");
}

TEST_CASE("what is not UTF-8 does not come out as it went in") {
  const std::string text = Json(std::string("a\xff"
                                            "b\xc3\xa9\xc3"))
                               .dump();
  CHECK(text ==
        "\"a\xef\xbf\xbd"
        "b\xc3\xa9\xef\xbf\xbd\"");
  CHECK_NOTHROW(Json::parse(text));
}
