// YAML (and so JSON) documents as Json values.
#ifndef RAILCNI_SRC_YAML_YAML_H_
#define RAILCNI_SRC_YAML_YAML_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "railcni/json.h"

namespace railcni {

// Larger inputs are refused: a list of 100 000 pools is about 20 MB.
inline constexpr size_t kMaxYamlSize = size_t{64} << 20;

// Reads all documents of `text` (separated by `---`), empty ones left out. The items of a
// document whose `kind` ends in "List" and that has `items` stand in its place, as kubectl does it.
//
// Plain scalars have the types of YAML 1.2's core schema: `0x1f` is 31, `1e3` a number, `yes`,
// `1:30` and `172.16.11.254` are strings, and whatever is quoted is a string. Aliases and merge
// keys (`<<`) are resolved, as long as what they copy stays below 64 MiB.
//
// Throws Error{kDecodingFailure} "NAME:LINE:COL: what" for text that is no YAML or no UTF-8, for
// a key that occurs twice in one map, nesting beyond Json::kMaxDepth and values that JSON does not
// have (.inf, .nan, tags of other types).
std::vector<Json> parse_yaml(const std::string& name, std::string_view text);

// Writes a value as a YAML document in block style that parse_yaml() reads back as the same value.
std::string to_yaml(const Json& value);

}  // namespace railcni

#endif  // RAILCNI_SRC_YAML_YAML_H_
