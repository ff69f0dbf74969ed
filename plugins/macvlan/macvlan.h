// The macvlan backend: a child of the master with a MAC of its own, made directly in the Pod.
#ifndef RAILCNI_PLUGINS_MACVLAN_MACVLAN_H_
#define RAILCNI_PLUGINS_MACVLAN_MACVLAN_H_

#include <memory>

#include "railcni/backend.h"

namespace railcni {

std::unique_ptr<Backend> make_macvlan_backend();

}  // namespace railcni

#endif  // RAILCNI_PLUGINS_MACVLAN_MACVLAN_H_
