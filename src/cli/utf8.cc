#include "src/cli/utf8.h"

#include <cstdint>

namespace railcni::cli {

size_t utf8_character_size(std::string_view text) {
  const auto byte = [text](size_t i) -> uint32_t {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const uint32_t lead = byte(0);
  if (lead < 0x80) {
    const bool allowed =
        lead == '\t' || lead == '\n' || lead == '\r' || (lead >= 0x20 && lead < 0x7f);
    return allowed ? 1 : 0;
  }
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  uint32_t point = lead & (0xffu >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    point = point << 6 | (byte(i) & 0x3f);
  }
  const uint32_t smallest = size == 4 ? 0x10000 : size == 3 ? 0x800 : 0x80;
  const bool bad = point < smallest || point > 0x10ffff || (point >= 0xd800 && point < 0xe000) ||
                   (point < 0xa0 && point != 0x85) || point == 0xfffe || point == 0xffff;
  return bad ? 0 : size;
}

}  // namespace railcni::cli
