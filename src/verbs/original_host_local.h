// What the original host-local keeps: on a node that changes over to railcni there are Pods whose
// addresses only it knows. A file per address in DATADIR/NETWORK, named by the address, with
// "containerID\r\nifname" in it (older versions: the container ID alone).
#ifndef RAILCNI_SRC_VERBS_ORIGINAL_HOST_LOCAL_H_
#define RAILCNI_SRC_VERBS_ORIGINAL_HOST_LOCAL_H_

#include <string>
#include <vector>

#include "railcni/address.h"
#include "railcni/fd.h"
#include "railcni/json.h"

namespace railcni {

class OriginalHostLocal {
 public:
  // Of a configuration's `dataDir` (or the original's default, /var/lib/cni/networks) and `name`.
  explicit OriginalHostLocal(const Json& config);

  // True when a Pod of this boot has the address from the original. What is older is left over from
  // Pods that died with their boot, which the original never notices.
  bool reserves(const IpAddress& address) const;
  // Whether a container's interface has files there, and their removal. Both read all files: for
  // CHECK and DEL of attachments that railcni knows nothing of. remove_files_of() throws
  // Error{kIncomplete} when one cannot be removed.
  bool has_files_of(const std::string& container_id, const std::string& ifname) const;
  void remove_files_of(const std::string& container_id, const std::string& ifname) const;

 private:
  std::vector<std::string> files_of(const std::string& container_id,
                                    const std::string& ifname) const;

  std::string path_;
  Fd folder_;  // without links on the way; none when it is not there
};

}  // namespace railcni

#endif  // RAILCNI_SRC_VERBS_ORIGINAL_HOST_LOCAL_H_
