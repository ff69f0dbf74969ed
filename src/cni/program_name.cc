#include "railcni/program_name.h"

namespace railcni {
namespace {

std::string& stored_name() {
  static std::string name(kOwnName);
  return name;
}

}  // namespace

const std::string& program_name() { return stored_name(); }

void set_program_name(const char* argv0) {
  const std::string_view path = argv0 != nullptr ? argv0 : "";
  const std::string_view name = path.substr(path.rfind('/') + 1);
  stored_name() = name.empty() ? kOwnName : name;
}

}  // namespace railcni
