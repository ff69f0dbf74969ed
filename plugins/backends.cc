// The list of backends: a new one is a folder beside this file and a line here.
#include <array>

#include "plugins/chained/chained.h"
#include "plugins/ibsriov/ibsriov.h"
#include "plugins/ipoib/ipoib.h"
#include "plugins/ipvlan/ipvlan.h"
#include "plugins/macvlan/macvlan.h"
#include "plugins/sriov/sriov.h"
#include "railcni/backend.h"

namespace railcni {
namespace {

struct Entry {
  TypeName type;
  std::unique_ptr<Backend> (*make)();
};

constexpr std::array<Entry, 5> kBackends = {{
    {{"sriov", "sriov"}, make_sriov_backend},
    {{"ib-sriov", "ibsriov"}, make_ib_sriov_backend},
    {{"macvlan", "macvlan"}, make_macvlan_backend},
    {{"ipvlan", "ipvlan"}, make_ipvlan_backend},
    {{"ipoib", "ipoib"}, make_ipoib_backend},
}};

}  // namespace

const std::vector<TypeName>& backend_types() {
  static const std::vector<TypeName> types = [] {
    std::vector<TypeName> list;
    for (const Entry& entry : kBackends) list.push_back(entry.type);
    return list;
  }();
  return types;
}

std::unique_ptr<Backend> make_backend(std::string_view cni_type) {
  if (cni_type.empty()) return make_chained_backend();
  for (const Entry& entry : kBackends) {
    if (entry.type.cni_type == cni_type) return entry.make();
  }
  return nullptr;
}

}  // namespace railcni
