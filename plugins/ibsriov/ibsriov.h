// The ib-sriov backend: an InfiniBand VF, with its RDMA device and GUID, lent to the Pod.
#ifndef RAILCNI_PLUGINS_IBSRIOV_IBSRIOV_H_
#define RAILCNI_PLUGINS_IBSRIOV_IBSRIOV_H_

#include <memory>

#include "railcni/backend.h"

namespace railcni {

std::unique_ptr<Backend> make_ib_sriov_backend();

}  // namespace railcni

#endif  // RAILCNI_PLUGINS_IBSRIOV_IBSRIOV_H_
