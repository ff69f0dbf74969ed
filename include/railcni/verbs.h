// The entry points: the CNI verbs for the protocol's caller, and what the command line shares with
// them.
#ifndef RAILCNI_VERBS_H_
#define RAILCNI_VERBS_H_

#include <string>
#include <vector>

#include "railcni/attachment.h"
#include "railcni/store.h"

namespace railcni {

// Serves the verb that CNI_COMMAND names: reads environment and stdin, writes one JSON document (a
// result or an error) or nothing to stdout. Returns the process' exit code. Never throws.
int run_cni();

// Serves the command line. Returns the process' exit code. Never throws.
int run_cli(int argc, char** argv);

// What a walk over the stale attachments found and did.
struct ReclaimReport {
  std::vector<Attachment> undone;  // with dry_run: what would be undone
  // Undone only in part: the attachment stays recorded, with the reason.
  struct Failure {
    Attachment attachment;
    std::string reason;
  };
  std::vector<Failure> failed;
  std::vector<Attachment> unknown;  // left: their namespace is not seen, but not proven gone
};

// Undoes the attachments whose network namespace is proven to be gone (NetnsCensus::life()); never
// one that another railcni is working on right now. With
// `dry_run` nothing is changed.
ReclaimReport reclaim_stale(const StorePaths& paths, bool dry_run);

}  // namespace railcni

#endif  // RAILCNI_VERBS_H_
