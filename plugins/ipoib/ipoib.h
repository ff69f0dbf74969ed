// The ipoib backend: a child of an IPoIB master, made in the host and moved into the Pod.
#ifndef RAILCNI_PLUGINS_IPOIB_IPOIB_H_
#define RAILCNI_PLUGINS_IPOIB_IPOIB_H_

#include <memory>

#include "railcni/backend.h"

namespace railcni {

std::unique_ptr<Backend> make_ipoib_backend();

}  // namespace railcni

#endif  // RAILCNI_PLUGINS_IPOIB_IPOIB_H_
