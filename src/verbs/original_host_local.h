// What the original host-local keeps: on a node that changes over to railcni there are Pods whose
// addresses only it knows. A file per address in DATADIR/NETWORK, named by the address, with
// "containerID\r\nifname" in it (older versions: the container ID alone).
#ifndef RAILCNI_SRC_VERBS_ORIGINAL_HOST_LOCAL_H_
#define RAILCNI_SRC_VERBS_ORIGINAL_HOST_LOCAL_H_

#include <string>
#include <vector>

#include "railcni/address.h"
#include "railcni/json.h"

namespace railcni {

class OriginalHostLocal {
 public:
  // Of a configuration's `dataDir` (or the original's default, /var/lib/cni/networks) and `name`.
  explicit OriginalHostLocal(const Json& config);

  // True when a Pod of this boot has the address from the original. What is older is left over from
  // Pods that died with their boot, which the original never notices.
  bool reserves(const IpAddress& address) const;
  // The files of a container's interface. Reads all of them: for DEL and CHECK of attachments that
  // railcni knows nothing of.
  std::vector<std::string> files_of(const std::string& container_id,
                                    const std::string& ifname) const;

 private:
  std::string folder_;
};

}  // namespace railcni

#endif  // RAILCNI_SRC_VERBS_ORIGINAL_HOST_LOCAL_H_
