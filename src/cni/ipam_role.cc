#include "railcni/ipam_role.h"

#include <string>

#include "railcni/program_name.h"

namespace railcni {
namespace {

std::string type_of(const Json* object) {
  const Json* type = object != nullptr ? object->find("type") : nullptr;
  return type != nullptr && type->is_string() ? type->as_string() : "";
}

}  // namespace

IpamRole ipam_role(const Json& config) {
  const std::string& program = program_name();
  if (program == "host-local") return IpamRole::kHostLocal;
  if (program == "spiderpool") return IpamRole::kSpiderpool;
  const std::string outer = type_of(&config);
  const std::string inner = type_of(config.find("ipam"));
  if (outer.empty() || outer == program) return IpamRole::kNone;
  if (inner == program) return IpamRole::kRailcni;
  // Started by a name that the configuration does not have at all: by hand, from a build's folder.
  return inner == kOwnName && outer != kOwnName ? IpamRole::kRailcni : IpamRole::kNone;
}

}  // namespace railcni
