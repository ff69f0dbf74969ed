// UTF-8, one character at a time, and text as it may be shown.
#ifndef RAILCNI_UTF8_H_
#define RAILCNI_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace railcni {

struct Utf8Character {
  size_t size = 0;     // in bytes; 0: what is there is not UTF-8
  uint32_t point = 0;  // the code point
};

// The character at the start of `text`. Overlong forms, surrogates and what lies above U+10FFFF are
// not UTF-8 (RFC 3629, section 3).
Utf8Character decode_utf8(std::string_view text);

// `text` as one line that a terminal or a log shows as it is, whoever wrote it. Escaped are:
// control characters and DEL (\n, \t, \r, \x1b), C1 (\u0085), what changes the direction of the
// text around it (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069), Unicode's line and
// paragraph separators, and each byte that is not UTF-8 (\xff). A text without these comes back
// unchanged, so that escaping twice changes nothing.
std::string printable(std::string_view text);

}  // namespace railcni

#endif  // RAILCNI_UTF8_H_
