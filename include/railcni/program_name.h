// The name that this process was started by: under a peer's name (a symbolic link or a copy),
// railcni is that plugin.
#ifndef RAILCNI_PROGRAM_NAME_H_
#define RAILCNI_PROGRAM_NAME_H_

#include <string>
#include <string_view>

namespace railcni {

// railcni's own name, and what program_name() gives until it is set.
inline constexpr std::string_view kOwnName = "railcni";

// The last component of argv[0], without its folder: "host-local" for "/opt/cni/bin/host-local".
const std::string& program_name();

// Sets it from argv[0]; kOwnName when that is nullptr, empty or ends in '/'. main() calls this
// once, before anything else.
void set_program_name(const char* argv0);

}  // namespace railcni

#endif  // RAILCNI_PROGRAM_NAME_H_
