// The chained form: railcni after the plugin that made the interface.
#ifndef RAILCNI_PLUGINS_CHAINED_CHAINED_H_
#define RAILCNI_PLUGINS_CHAINED_CHAINED_H_

#include <memory>

#include "railcni/backend.h"

namespace railcni {

// A backend that makes nothing: attach() finds the interface of prevResult and sets its MAC if the
// plan says so, detach() gives it its old MAC back.
std::unique_ptr<Backend> make_chained_backend();

}  // namespace railcni

#endif  // RAILCNI_PLUGINS_CHAINED_CHAINED_H_
