// GC: undoes this network's attachments that the runtime no longer knows; and the reclaim of
// attachments whose Pod is gone, which railcni does by itself.
#include <algorithm>

#include "railcni/capabilities.h"
#include "railcni/error.h"
#include "railcni/log.h"
#include "src/verbs/delegated_ipam.h"
#include "src/verbs/session.h"

namespace railcni {
namespace {

// What tells whether an attachment is stale.
struct Candidate {
  AttachmentKey key;
  NetnsId netns;
  std::string netns_path;
  NetnsMark mark;
};

// Undoes those of `stale` that nobody is working on; collects what failed.
void undo_all(Session& session, const std::vector<Candidate>& stale, ReclaimReport& report) {
  for (const Candidate& candidate : stale) {
    const auto lock = NamedLock::try_acquire(session.paths, candidate.key.to_string());
    if (!lock) continue;
    // Between the scan and the lock another railcni may have undone it, or made it anew.
    const auto current = find_attachment(*session.state, candidate.key);
    if (!current || current->netns != candidate.netns) continue;
    try {
      undo(session, *current);
      report.undone.push_back(*current);
    } catch (const std::exception& error) {
      report.failed.push_back({*current, error.what()});
    }
  }
  settle_names(session);
}

std::vector<Candidate> collect(Store& state, const std::string& network,
                               const std::function<bool(const Attachment&)>& counts) {
  std::vector<Candidate> candidates;
  state.read([&](const Txn& txn) {
    candidates.clear();
    scan_attachments(txn, network, [&](const Attachment& attachment) {
      if (counts(attachment)) {
        candidates.push_back(
            {attachment.key, attachment.netns, attachment.netns_path, attachment.mark});
      }
      return true;
    });
  });
  return candidates;
}

std::vector<Attachment> records_of(Store& state, const std::vector<Candidate>& candidates) {
  std::vector<Attachment> records;
  for (const Candidate& candidate : candidates) {
    if (auto record = find_attachment(state, candidate.key)) records.push_back(*std::move(record));
  }
  return records;
}

}  // namespace

ReclaimReport reclaim(Session& session, bool dry_run) {
  const RaisedCapabilities for_any_record(capability::kUndo);
  // Somebody else's remains must not keep the one who is in need of them for long.
  const ShortWaits for_no_one;
  ReclaimReport report;
  std::vector<Candidate> stale;
  std::vector<Candidate> unknown;
  const auto has_netns = [](const Attachment& attachment) {
    return attachment.netns != NetnsId();  // of an IPAM's without a namespace nobody can tell
  };
  // Not in the transaction: to look at all processes takes its time.
  for (Candidate& candidate : collect(*session.state, "", has_netns)) {
    switch (session.census.life(candidate.netns, candidate.netns_path, candidate.mark)) {
      case Life::kAlive:
        break;
      case Life::kDead:
        stale.push_back(std::move(candidate));
        break;
      case Life::kUnknown:
        unknown.push_back(std::move(candidate));
        break;
    }
  }
  report.unknown = records_of(*session.state, unknown);
  if (dry_run) {
    report.undone = records_of(*session.state, stale);
    return report;
  }
  const auto own_timeout = std::exchange(session.delegate_timeout, std::chrono::seconds(5));
  undo_all(session, stale, report);
  session.delegate_timeout = own_timeout;
  for (const Attachment& attachment : report.undone) {
    log_warning("reclaimed attachment " + attachment.key.to_string() +
                ": its network namespace no longer exists");
  }
  for (const ReclaimReport::Failure& failure : report.failed) {
    log_error("cannot reclaim attachment " + failure.attachment.key.to_string() + ": " +
              failure.reason);
  }
  for (const Attachment& attachment : report.unknown) {
    log_warning("attachment " + attachment.key.to_string() + " is left: its network namespace " +
                attachment.netns_path + " is not to be seen, and nothing proves that it is gone");
  }
  return report;
}

bool reclaim_for(Session& session, const Error& refusal) {
  const ReclaimReport report = reclaim(session, false);
  if (!report.undone.empty()) return true;
  if (report.unknown.empty()) return false;
  const size_t count = report.unknown.size();
  throw Error(refusal.code(),
              refusal.msg() + "; whether " +
                  (count == 1 ? "one attachment is" : std::to_string(count) + " attachments are") +
                  " of a Pod that is gone cannot be told from here (not the host's processes and "
                  "mounts): run \"railcni gc\" on the node itself",
              refusal.details());
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
  session.state = open_own_state(session.paths);
  if (!session.state) return;
  std::vector<std::pair<std::string, std::string>> keep;
  for (const ValidAttachment& entry : valid) keep.emplace_back(entry.container_id, entry.ifname);
  std::sort(keep.begin(), keep.end());
  const std::vector<Candidate> stale =
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
