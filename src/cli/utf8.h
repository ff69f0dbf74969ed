// UTF-8, one character at a time.
#ifndef RAILCNI_SRC_CLI_UTF8_H_
#define RAILCNI_SRC_CLI_UTF8_H_

#include <cstddef>
#include <string_view>

namespace railcni::cli {

// How many bytes the character at the start of `text` has; 0 when there is no well-formed one, or
// one that YAML does not allow: control characters but tab, line feed and carriage return,
// surrogates, U+FFFE and U+FFFF.
size_t utf8_character_size(std::string_view text);

}  // namespace railcni::cli

#endif  // RAILCNI_SRC_CLI_UTF8_H_
