#include "railcni/utf8.h"

#include <cstdio>

namespace railcni {
namespace {

bool is_between(uint32_t point, uint32_t first, uint32_t last) {
  return first <= point && point <= last;
}

bool must_be_escaped(uint32_t point) {
  return point < 0x20 || is_between(point, 0x7f, 0x9f) || point == 0x061c ||
         is_between(point, 0x200e, 0x200f) || is_between(point, 0x2028, 0x202e) ||
         is_between(point, 0x2066, 0x2069);
}

void append_escape(std::string& out, uint32_t point) {
  char text[16];
  if (point == '\n' || point == '\r' || point == '\t') {
    snprintf(text, sizeof text, "\\%c", point == '\n' ? 'n' : point == '\r' ? 'r' : 't');
  } else {
    snprintf(text, sizeof text, point < 0x80 ? "\\x%02x" : "\\u%04x", point);
  }
  out += text;
}

}  // namespace

Utf8Character decode_utf8(std::string_view text) {
  const auto byte = [text](size_t i) -> uint32_t {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  if (text.empty()) return {};
  const uint32_t lead = byte(0);
  if (lead < 0x80) return {1, lead};
  if (lead < 0xc2 || lead > 0xf4) return {};
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  uint32_t point = lead & (0xffu >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    point = point << 6 | (byte(i) & 0x3f);
  }
  const uint32_t smallest = size == 4 ? 0x10000 : size == 3 ? 0x800 : 0x80;
  if (point < smallest || point > 0x10ffff || is_between(point, 0xd800, 0xdfff)) return {};
  return {size, point};
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Character character = decode_utf8(text);
    if (character.size == 0) {
      char escape[8];
      snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(text[0]));
      out += escape;
      text.remove_prefix(1);
      continue;
    }
    if (must_be_escaped(character.point)) {
      append_escape(out, character.point);
    } else {
      out += text.substr(0, character.size);
    }
    text.remove_prefix(character.size);
  }
  return out;
}

}  // namespace railcni
