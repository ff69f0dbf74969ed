#include "src/cli/table.h"

#include <catch2/catch.hpp>

using railcni::cli::Table;

TEST_CASE("table: columns are aligned, numbers to the right") {
  Table table({"NAME", "TOTAL", "GATEWAY"});
  CHECK(table.empty());
  CHECK(table.to_string() == "NAME  TOTAL  GATEWAY\n");
  table.add_row({"gpu1-net11", "200", "172.16.11.254"});
  table.add_row({"a", "18446744073709551615", ""});
  CHECK_FALSE(table.empty());
  CHECK(table.to_string() ==
        "NAME                       TOTAL  GATEWAY\n"
        "gpu1-net11                   200  172.16.11.254\n"
        "a           18446744073709551615  -\n");
}

TEST_CASE("table: a column of empty cells") {
  Table table({"A", "LONG", "B"});
  table.add_row({"x", "", ""});
  CHECK(table.to_string() == "A  LONG  B\nx  -     -\n");
  table.add_row({"y"});
  CHECK(table.to_string() == "A  LONG  B\nx  -     -\ny  -     -\n");
}

TEST_CASE("table: cells cannot move the cursor, and count characters") {
  Table table({"POD", "X"});
  table.add_row({"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", "y"});
  CHECK(table.to_string() == "POD   X\n\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9  y\n");
  table.add_row({"a\x1b[2J\nb", "\xff"});
  CHECK(table.to_string() ==
        "POD          X\n\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9         y\na\\x1b[2J\\nb  \\xff\n");
}
