// GC: undoes this network's attachments that the runtime no longer knows; and the reclaim of
// attachments whose Pod is gone, which railcni does by itself.
#include <algorithm>

#include "railcni/error.h"
#include "railcni/log.h"
#include "src/verbs/delegated_ipam.h"
#include "src/verbs/session.h"

namespace railcni {
namespace {

// Undoes those of `stale` that nobody is working on; collects what failed.
void undo_all(Session& session, const std::vector<Attachment>& stale, ReclaimReport& report) {
  for (const Attachment& attachment : stale) {
    const auto lock = NamedLock::try_acquire(session.paths, attachment.key.to_string());
    if (!lock) continue;
    // Between the scan and the lock another railcni may have undone it, or made it anew.
    const auto current = find_attachment(*session.state, attachment.key);
    if (!current || current->netns != attachment.netns) continue;
    try {
      undo(session, *current);
      report.undone.push_back(*current);
    } catch (const std::exception& error) {
      report.failed.push_back({*current, error.what()});
    }
  }
  settle_names(session);
}

std::vector<Attachment> collect(Store& state, const std::string& network,
                                const std::function<bool(const Attachment&)>& is_stale) {
  std::vector<Attachment> stale;
  state.read([&](const Txn& txn) {
    scan_attachments(txn, network, [&](const Attachment& attachment) {
      if (is_stale(attachment)) stale.push_back(attachment);
      return true;
    });
  });
  return stale;
}

}  // namespace

ReclaimReport reclaim(Session& session, bool dry_run) {
  ReclaimReport report;
  const std::vector<Attachment> stale =
      collect(*session.state, "", [&session](const Attachment& attachment) {
        // Of an IPAM's attachment without a namespace nobody can tell.
        return attachment.netns != NetnsId() &&
               !session.census.alive(attachment.netns, attachment.netns_path);
      });
  if (dry_run) {
    report.undone = stale;
    return report;
  }
  undo_all(session, stale, report);
  for (const Attachment& attachment : report.undone) {
    log_warning("reclaimed attachment " + attachment.key.to_string() +
                ": its network namespace no longer exists");
  }
  for (const ReclaimReport::Failure& failure : report.failed) {
    log_error("cannot reclaim attachment " + failure.attachment.key.to_string() + ": " +
              failure.reason);
  }
  return report;
}

ReclaimReport reclaim_stale(const StorePaths& paths, bool dry_run) {
  Session session{paths, Store::open(Store::File::kState, paths, Store::Mode::kExisting), {}, {}};
  if (!session.state) return {};
  return reclaim(session, dry_run);
}

namespace {

// Of the network `name`, what is not among `valid`.
void collect_network(const Json& config, const std::vector<ValidAttachment>& valid) {
  const CommonConfig common = read_common_config(config);
  Session session{store_paths(config), nullptr, {}, {}};
  session.state = Store::open(Store::File::kState, session.paths, Store::Mode::kExisting);
  if (!session.state) return;
  std::vector<std::pair<std::string, std::string>> keep;
  for (const ValidAttachment& entry : valid) keep.emplace_back(entry.container_id, entry.ifname);
  std::sort(keep.begin(), keep.end());
  const std::vector<Attachment> stale =
      collect(*session.state, common.name, [&keep](const Attachment& attachment) {
        return !std::binary_search(keep.begin(), keep.end(),
                                   std::pair(attachment.key.container_id, attachment.key.ifname));
      });
  ReclaimReport report;
  undo_all(session, stale, report);
  if (report.failed.empty()) return;
  std::string msg = "GC could not undo " + std::to_string(report.failed.size()) + " of " +
                    std::to_string(stale.size()) + " attachments:";
  for (const ReclaimReport::Failure& failure : report.failed) {
    msg += " " + failure.attachment.key.to_string() + ": " + failure.reason + ";";
  }
  msg.pop_back();
  throw Error(Code::kIncomplete, msg);
}

}  // namespace

void gc(const Request& request) {
  const auto valid = valid_attachments(request.config);
  if (!valid) {
    log_info("GC without cni.dev/valid-attachments: nothing is freed");
    return;
  }
  std::optional<Error> failure;
  try {
    collect_network(request.config, *valid);
  } catch (const Error& error) {
    failure = error;
  }
  // What the plugin keeps of attachments that railcni never knew.
  try {
    delegate_forward(request, delegate_of(request.config));
  } catch (const Error& error) {
    if (!failure) throw;
    log_error(error.msg());
  }
  if (failure) throw *failure;
}

}  // namespace railcni
