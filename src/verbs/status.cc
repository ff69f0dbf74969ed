// STATUS: could an ADD be served now?
#include "railcni/error.h"
#include "src/verbs/delegated_ipam.h"
#include "src/verbs/pool_request.h"
#include "src/verbs/session.h"

namespace railcni {

void status(const Request& request) {
  const NetworkConfig config = read_config(request, backend_types());
  // What is wrong in itself is the configuration's fault, not the node's.
  const std::unique_ptr<Backend> backend = make_backend(config.cni_type);
  backend->configure(config);
  const PoolRequest pools = make_pool_request(request, config);
  // A full pool is no reason to say no: runtimes take a node out of service for that, and the next
  // Pod that ends frees an address.
  try {
    const StorePaths paths = StorePaths::from_data_dir(config.data_dir);
    try_state(paths);
    try_pools(paths);
    RouteSocket host;
    backend->status(host);
  } catch (const Error& error) {
    throw Error(Code::kNotAvailable, error.msg(), error.details());
  }
  check_inline_pools(pools, StorePaths::from_data_dir(config.data_dir));
  // With the plugin's own code: it knows whether running containers are affected.
  delegate_forward(request, config.ipam.delegate);
}

}  // namespace railcni
