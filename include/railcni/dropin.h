// Under a peer's name (a link or copy of the binary called "macvlan", "sriov", ...) railcni takes
// that plugin's flat configuration. It is translated into railcni's own form before anything else
// looks at it, so that state, recovery and checks are the same under every name.
#ifndef RAILCNI_DROPIN_H_
#define RAILCNI_DROPIN_H_

#include <string>
#include <string_view>
#include <vector>

#include "railcni/json.h"
#include "railcni/object_reader.h"
#include "railcni/request.h"

namespace railcni {

// All names that `railcni install --as` makes links for, IPAM plugins included.
const std::vector<std::string>& dropin_names();

// What railcni is to an interface under `program` when its configuration has no cniType: part of
// the attachment's key, so that a list may name railcni, sbr, rdma and coordinator one after the
// other. "chained" for railcni itself and for names that make an interface.
std::string_view chained_role(std::string_view program);

// Translates the configuration of a request that came under the name `program`; a name that is no
// peer's leaves it as it is, and so does a configuration that has a `cniType` already (railcni's
// own form under a peer's name). Of a DEL or GC nothing is looked into but what the name says: they
// must work with a configuration that has become wrong since its ADD. Throws Error{kInvalidConfig}
// for what the original would refuse, and for what railcni cannot do, naming the key.
void translate_dropin(std::string_view program, Request& request);

// Spiderpool's coordinator fields (`object`, at `path`) as railcni's `coordinator` block. Fields
// that railcni's block has as well are taken as they are, for read_coordinator() to look into.
Json translate_coordinator(const Json& object, const std::string& path);

}  // namespace railcni

#endif  // RAILCNI_DROPIN_H_
