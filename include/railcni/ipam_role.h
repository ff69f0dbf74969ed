// When railcni is the IPAM of another plugin: the same stdin as that plugin's, of which the `ipam`
// object is ours.
#ifndef RAILCNI_IPAM_ROLE_H_
#define RAILCNI_IPAM_ROLE_H_

#include "railcni/json.h"

namespace railcni {

enum class IpamRole {
  kNone,        // railcni makes an interface, or follows the plugin that made it
  kRailcni,     // "ipam": {"type": "railcni", ...} of another plugin
  kHostLocal,   // called by the name host-local
  kSpiderpool,  // called by the name spiderpool
};

// What this execution is, by the name that it was started by (program_name()), `type` and
// `ipam.type`. A plugin is always started by the name that its configuration has for it: with
// `type` railcni is the plugin, and its own `ipam.type` may well be railcni, too; with `ipam.type`
// and a `type` that names another one it is that one's IPAM. The names host-local and spiderpool
// are never anything else. Never throws: what is malformed is kNone, and refused where it is read.
IpamRole ipam_role(const Json& config);

// The role of the attachments that railcni is only the IPAM of (AttachmentKey::role).
inline constexpr const char* kIpamAttachment = "ipam";

}  // namespace railcni

#endif  // RAILCNI_IPAM_ROLE_H_
