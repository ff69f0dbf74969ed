// railcni gc
#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "railcni/ipam.h"
#include "railcni/policy.h"
#include "railcni/verbs.h"
#include "src/cli/command.h"
#include "src/cli/table.h"

namespace railcni::cli {
namespace {

std::string addresses_of(const Attachment& attachment) {
  std::string text;
  for (const Lease& lease : attachment.leases) {
    text += (text.empty() ? "" : ",") + lease.address.address.to_string();
  }
  return text;
}

Json attachment_json(const Attachment& attachment) {
  Json json = Json::object({{"network", attachment.key.network},
                            {"containerID", attachment.key.container_id},
                            {"ifname", attachment.key.ifname},
                            {"netns", attachment.netns_path},
                            {"podNamespace", attachment.pod_namespace},
                            {"podName", attachment.pod_name}});
  json["addresses"] = Json::array();
  for (const Lease& lease : attachment.leases) {
    json["addresses"].push_back(lease.address.address.to_string());
  }
  json["devices"] = Json::strings(attachment.devices);
  return json;
}

// What does not agree in the state file: a fault of railcni, to be seen rather than guessed at.
std::vector<std::string> read_inconsistencies(const StorePaths& paths) {
  std::vector<std::string> lines;
  const auto state = Store::open(Store::File::kState, paths, Store::Mode::kExisting);
  if (state) state->read([&lines](const Txn& txn) { lines = check_invariants(txn); });
  return lines;
}

void print_table(const ReclaimReport& report, bool dry_run) {
  if (report.undone.empty()) {
    notice(report.failed.empty() ? "nothing to undo" : "nothing undone");
    return;
  }
  Table table({"NETWORK", "CONTAINER", "IFNAME", "ADDRESSES", "POD", "NETNS"});
  for (const Attachment& attachment : report.undone) {
    const std::string pod =
        attachment.pod_name.empty() ? "" : attachment.pod_namespace + "/" + attachment.pod_name;
    table.add_row({attachment.key.network, attachment.key.container_id.substr(0, 12),
                   attachment.key.ifname, addresses_of(attachment), pod, attachment.netns_path});
  }
  const std::string count = std::to_string(report.undone.size()) +
                            (report.undone.size() == 1 ? " attachment" : " attachments");
  print(table.to_string() + count + (dry_run ? " would be undone\n" : " undone\n"));
}

int collect(const Invocation& invocation, bool dry_run) {
  // It says where the programs of recorded IPAMs may be. What is wrong in it keeps nothing.
  const PolicyReading policy = read_node_policy();
  for (const PolicyProblem& problem : policy.problems) {
    notice("railcni: the node policy: " + policy.text_of(problem));
  }
  set_node_policy(policy.policy);
  ReclaimReport report;
  std::vector<std::string> inconsistencies;
  const std::vector<StorePaths> all = invocation.paths().with_networks();
  for (const StorePaths& paths : all) {
    ReclaimReport part = reclaim_stale(paths, dry_run);
    std::move(part.undone.begin(), part.undone.end(), std::back_inserter(report.undone));
    std::move(part.failed.begin(), part.failed.end(), std::back_inserter(report.failed));
    std::move(part.unknown.begin(), part.unknown.end(), std::back_inserter(report.unknown));
    for (std::string& line : read_inconsistencies(paths)) {
      inconsistencies.push_back(std::move(line));
    }
  }
  for (size_t i = 1; i < all.size() && !dry_run; ++i) remove_unused_state(all[i]);
  for (const auto& [attachment, reason] : report.failed) {
    notice("railcni: " + attachment.key.to_string() + ": " + reason);
  }
  for (const Attachment& attachment : report.unknown) {
    notice("railcni: " + attachment.key.to_string() + " is left: its namespace " +
           attachment.netns_path + " is not seen from here, and nothing proves that it is gone");
  }
  for (const std::string& line : inconsistencies) notice("railcni: inconsistent state: " + line);
  if (invocation.json()) {
    Json undone = Json::array();
    for (const Attachment& attachment : report.undone)
      undone.push_back(attachment_json(attachment));
    Json failed = Json::array();
    for (const auto& [attachment, reason] : report.failed) {
      failed.push_back(attachment_json(attachment));
      failed.as_array().back()["reason"] = reason;
    }
    Json unknown = Json::array();
    for (const Attachment& attachment : report.unknown) {
      unknown.push_back(attachment_json(attachment));
    }
    print_json(Json::object({{"dryRun", dry_run},
                             {"undone", std::move(undone)},
                             {"failed", std::move(failed)},
                             {"unknown", std::move(unknown)},
                             {"inconsistencies", Json::strings(inconsistencies)}}));
  } else {
    print_table(report, dry_run);
  }
  return report.failed.empty() && inconsistencies.empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

void add_gc(const Command& app, Invocation& invocation) {
  const Command command =
      app.add("gc", "Undo what is left of Pods whose network namespace no longer exists");
  command.footer(
      "Links, addresses and device claims are given back. Nothing of a namespace that still "
      "exists, "
      "or may exist where it is not seen from here, is touched.\n"
      "Exit code 1 when something could not be undone, or the state file disagrees with itself.");
  auto dry_run = std::make_shared<bool>(false);
  command.flag("--dry-run", "Only show what would be undone", *dry_run);
  command.store_options(invocation);
  command.runs(invocation, [dry_run](const Invocation& i) { return collect(i, *dry_run); });
}

}  // namespace railcni::cli
