#include "railcni/utf8.h"

#include <catch2/catch.hpp>

using namespace railcni;

TEST_CASE("printable: what moves the cursor or breaks the line is escaped") {
  CHECK(printable("plain \\n text") == "plain \\n text");
  CHECK(printable("a\x1b[2Jb\nc\td\re\x7f") == "a\\x1b[2Jb\\nc\\td\\re\\x7f");
  CHECK(printable(std::string_view("\0", 1)) == "\\x00");
  // C1: U+009B is an escape sequence's beginning on 8-bit terminals, U+0085 a new line.
  CHECK(printable("\xc2\x9b\xc2\x85\xc2\xa0") == "\\u009b\\u0085\xc2\xa0");
  CHECK(printable("\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c") ==
        "\\u202e\\u2066\\u200f\\u061c");
  CHECK(printable("\xe2\x80\xa8\xe2\x80\xa9") == "\\u2028\\u2029");
}

TEST_CASE("printable: bytes that are not UTF-8 are escaped one by one") {
  CHECK(printable("caf\xc3\xa9 \xff") == "caf\xc3\xa9 \\xff");
  CHECK(printable("\xc0\x8a") == "\\xc0\\x8a");           // an overlong line feed
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // a surrogate
  CHECK(printable("\xf0\x9f\x98") == "\\xf0\\x9f\\x98");  // cut short
  CHECK(printable("\xf0\x9f\x98\x80") == "\xf0\x9f\x98\x80");
}

TEST_CASE("printable: twice is as once") {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  CHECK(printable(printable(all)) == printable(all));
}
