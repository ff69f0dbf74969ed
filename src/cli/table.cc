#include "src/cli/table.h"

#include <algorithm>

#include "railcni/utf8.h"

namespace railcni::cli {
namespace {

// Characters, not bytes: continuation bytes do not take a column.
size_t width(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

bool is_number(std::string_view text) {
  return text == "-" || std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

void Table::add_row(std::vector<std::string> cells) {
  cells.resize(headers_.size());
  for (std::string& cell : cells) cell = cell.empty() ? "-" : printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::to_string() const {
  const size_t columns = headers_.size();
  std::vector<size_t> widths(columns);
  std::vector<bool> right(columns, !rows_.empty());
  for (size_t i = 0; i < columns; ++i) {
    widths[i] = width(headers_[i]);
    for (const auto& row : rows_) {
      widths[i] = std::max(widths[i], width(row[i]));
      if (!is_number(row[i])) right[i] = false;
    }
    // A column of nothing but "-" reads better below its header's start.
    const auto is_dash = [i](const auto& row) { return row[i] == "-"; };
    if (std::ranges::all_of(rows_, is_dash)) right[i] = false;
  }
  std::string out;
  const auto write_row = [&](const std::vector<std::string>& cells) {
    for (size_t i = 0; i < columns; ++i) {
      const std::string padding(widths[i] - width(cells[i]), ' ');
      out += right[i] ? padding + cells[i] : cells[i] + padding;
      if (i + 1 < columns) out += "  ";
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  };
  write_row(headers_);
  for (const auto& row : rows_) write_row(row);
  return out;
}

}  // namespace railcni::cli
