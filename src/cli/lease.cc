// railcni lease list
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
  // Of the attachment that has it; nothing when there is no record of that. Not the record itself,
  // which is many times as large: a node may have a million leases.
  struct Owner {
    std::string pod_namespace;
    std::string pod_name;
    std::string netns_path;
    std::string cni_type;
    bool settled = false;
    int64_t created = 0;
  };
  std::optional<Owner> owner;
};

std::optional<Row::Owner> owner_of(const Txn& txn, const AttachmentKey& key) {
  std::optional<Attachment> record = get_attachment(txn, key);
  if (!record) return std::nullopt;
  return Row::Owner{std::move(record->pod_namespace),
                    std::move(record->pod_name),
                    std::move(record->netns_path),
                    std::move(record->cni_type),
                    record->settled,
                    record->created};
}

std::vector<Row> read_leases(const StorePaths& paths, const Filter& filter) {
  std::vector<Row> rows;
  for (const StorePaths& store : paths.with_networks()) {
    const auto state = Store::open(Store::File::kState, store, Store::Mode::kRead);
    if (!state) continue;
    state->read([&](const Txn& txn) {
      scan_leases(txn, filter.pool, [&](const LeaseInfo& info) {
        if (!filter.network.empty() && info.owner.network != filter.network) return true;
        if (!info.owner.container_id.starts_with(filter.container)) return true;
        rows.push_back({info, owner_of(txn, info.owner)});
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
  if (!row.owner || row.owner->pod_name.empty()) return "";
  return row.owner->pod_namespace + "/" + row.owner->pod_name;
}

Json row_json(const Row& row) {
  const AttachmentKey& owner = row.info.owner;
  Json json = Json::object({{"pool", row.info.lease.pool},
                            {"address", row.info.lease.address.to_string()},
                            {"network", owner.network},
                            {"containerID", owner.container_id},
                            {"ifname", owner.ifname}});
  if (row.owner) {
    json["podNamespace"] = row.owner->pod_namespace;
    json["podName"] = row.owner->pod_name;
    json["netns"] = row.owner->netns_path;
    json["cniType"] = row.owner->cni_type;
    json["settled"] = row.owner->settled;
    json["created"] = row.owner->created;
  }
  return json;
}

int list_leases(const Invocation& invocation, const Filter& filter) {
  const std::vector<Row> rows = read_leases(invocation.paths(), filter);
  if (invocation.json()) {
    JsonList list;
    for (const Row& row : rows) list.add(row_json(row));
    list.print();
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
                   row.owner ? age(now - row.owner->created) : "",
                   row.owner ? row.owner->netns_path : ""});
  }
  print(table.to_string());
  return EXIT_SUCCESS;
}

}  // namespace

void add_lease(const Command& app, Invocation& invocation) {
  const Command list = app.add("lease", "Look at the addresses that are in use")
                           .add("list", "List the leases and the Pods that have them");
  list.footer("Example:\n  railcni lease list --network gpu1-macvlan -o json");
  auto filter = std::make_shared<Filter>();
  list.option({.name = "--pool", .type = "NAME", .help = "Only leases of this pool"}, filter->pool);
  list.option({.name = "--network", .type = "NAME", .help = "Only leases of this network"},
              filter->network);
  list.option({.name = "--container",
               .type = "ID",
               .help = "Only leases of this container: its ID or the beginning of it"},
              filter->container);
  list.store_options(invocation);
  list.runs(invocation, [filter](const Invocation& i) { return list_leases(i, *filter); });
}

}  // namespace railcni::cli
