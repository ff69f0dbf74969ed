// The ipvlan backend: a child of the master that shares its MAC, made directly in the Pod.
#ifndef RAILCNI_PLUGINS_IPVLAN_IPVLAN_H_
#define RAILCNI_PLUGINS_IPVLAN_IPVLAN_H_

#include <memory>

#include "railcni/backend.h"

namespace railcni {

std::unique_ptr<Backend> make_ipvlan_backend();

}  // namespace railcni

#endif  // RAILCNI_PLUGINS_IPVLAN_IPVLAN_H_
