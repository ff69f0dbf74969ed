// railcni lease list
#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "railcni/ipam.h"
#include "src/cli/command.h"
#include "src/cli/table.h"

namespace railcni::cli {
namespace {

constexpr size_t kShortId = 12;

struct Filter {
  std::string pool;
  std::string network;
  std::string container;  // an ID or its beginning, as the table shows it
};

struct Row {
  LeaseInfo info;
  std::optional<Attachment> attachment;
};

std::vector<Row> read_leases(const StorePaths& paths, const Filter& filter) {
  std::vector<Row> rows;
  for (const StorePaths& store : paths.with_networks()) {
    const auto state = Store::open(Store::File::kState, store, Store::Mode::kExisting);
    if (!state) continue;
    state->read([&](const Txn& txn) {
      scan_leases(txn, filter.pool, [&](const LeaseInfo& info) {
        if (!filter.network.empty() && info.owner.network != filter.network) return true;
        if (!info.owner.container_id.starts_with(filter.container)) return true;
        rows.push_back({info, get_attachment(txn, info.owner)});
        return true;
      });
    });
  }
  return rows;
}

std::string age(int64_t seconds) {
  seconds = std::max<int64_t>(seconds, 0);
  if (seconds < 120) return std::to_string(seconds) + "s";
  if (seconds < int64_t{2} * 3600) return std::to_string(seconds / 60) + "m";
  if (seconds < int64_t{2} * 86400) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86400) + "d";
}

std::string pod_of(const Row& row) {
  if (!row.attachment || row.attachment->pod_name.empty()) return "";
  return row.attachment->pod_namespace + "/" + row.attachment->pod_name;
}

Json row_json(const Row& row) {
  const AttachmentKey& owner = row.info.owner;
  Json json = Json::object({{"pool", row.info.lease.pool},
                            {"address", row.info.lease.address.to_string()},
                            {"network", owner.network},
                            {"containerID", owner.container_id},
                            {"ifname", owner.ifname}});
  if (row.attachment) {
    json["podNamespace"] = row.attachment->pod_namespace;
    json["podName"] = row.attachment->pod_name;
    json["netns"] = row.attachment->netns_path;
    json["cniType"] = row.attachment->cni_type;
    json["settled"] = row.attachment->settled;
    json["created"] = row.attachment->created;
  }
  return json;
}

int list_leases(const Invocation& invocation, const Filter& filter) {
  const std::vector<Row> rows = read_leases(invocation.paths(), filter);
  if (invocation.json()) {
    Json json = Json::array();
    for (const Row& row : rows) json.push_back(row_json(row));
    print_json(json);
    return EXIT_SUCCESS;
  }
  if (rows.empty()) {
    notice("no leases");
    return EXIT_SUCCESS;
  }
  const int64_t now = std::time(nullptr);
  Table table({"POOL", "ADDRESS", "POD", "NETWORK", "CONTAINER", "IFNAME", "AGE", "NETNS"});
  for (const Row& row : rows) {
    const AttachmentKey& owner = row.info.owner;
    table.add_row({row.info.lease.pool, row.info.lease.address.address.to_string(), pod_of(row),
                   owner.network, owner.container_id.substr(0, kShortId), owner.ifname,
                   row.attachment ? age(now - row.attachment->created) : "",
                   row.attachment ? row.attachment->netns_path : ""});
  }
  print(table.to_string());
  return EXIT_SUCCESS;
}

}  // namespace

void add_lease(CLI::App& app, Invocation& invocation) {
  CLI::App* lease = app.add_subcommand("lease", "Look at the addresses that are in use");
  lease->require_subcommand(1);
  CLI::App* list = lease->add_subcommand("list", "List the leases and the Pods that have them");
  list->footer("Example:\n  railcni lease list --network gpu1-macvlan -o json");
  auto filter = std::make_shared<Filter>();
  list->add_option("--pool", filter->pool, "Only leases of this pool")->type_name("NAME");
  list->add_option("--network", filter->network, "Only leases of this network")->type_name("NAME");
  list->add_option("--container", filter->container,
                   "Only leases of this container: its ID or the beginning of it")
      ->type_name("ID");
  add_store_options(*list, invocation);
  list->callback([&invocation, filter] {
    invocation.run = [filter](const Invocation& i) { return list_leases(i, *filter); };
  });
}

}  // namespace railcni::cli
