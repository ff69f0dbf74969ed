// The sriov backend: a VF of a PF, moved into the Pod.
#ifndef RAILCNI_PLUGINS_SRIOV_SRIOV_H_
#define RAILCNI_PLUGINS_SRIOV_SRIOV_H_

#include <memory>

#include "railcni/backend.h"

namespace railcni {

std::unique_ptr<Backend> make_sriov_backend();

}  // namespace railcni

#endif  // RAILCNI_PLUGINS_SRIOV_SRIOV_H_
