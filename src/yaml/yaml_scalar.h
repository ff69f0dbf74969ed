// The types of YAML 1.2's plain scalars.
#ifndef RAILCNI_SRC_YAML_YAML_SCALAR_H_
#define RAILCNI_SRC_YAML_YAML_SCALAR_H_

#include <string_view>

#include "railcni/json.h"

namespace railcni {

// The value of a scalar that was written without quotes, by the core schema of YAML 1.2.2, section
// 10.3.2: null, booleans, integers (also 0o17 and 0x1f), floats, and strings for all the rest.
// Integers beyond 64 bits become floats, as JSON's readers have it. Throws
// Error{kDecodingFailure} for .inf, .nan and floats that overflow: JSON has no such numbers.
Json resolve_plain_scalar(std::string_view text);

}  // namespace railcni

#endif  // RAILCNI_SRC_YAML_YAML_SCALAR_H_
