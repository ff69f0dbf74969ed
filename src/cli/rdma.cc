// railcni rdma list
#include "railcni/rdma.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "railcni/attachment.h"
#include "railcni/error.h"
#include "railcni/netns.h"
#include "railcni/pci.h"
#include "railcni/rdma_verbs.h"
#include "src/cli/command.h"
#include "src/cli/table.h"

namespace railcni::cli {
namespace {

// IB_PORT_* of RDMA netlink, for a device that libibverbs cannot open.
const char* state_name(uint8_t state) {
  constexpr const char* kNames[] = {"NOP", "DOWN", "INIT", "ARMED", "ACTIVE", "ACTIVE"};
  return state < std::size(kNames) ? kNames[state] : "";
}

struct Row {
  RdmaDevice device;
  RdmaPort port;
  std::optional<RdmaVerbsPort> verbs;
  std::string function;  // that the device is on; empty where the kernel does not tell it
  std::string netns;     // empty: the host's
  std::optional<Attachment> owner;
};

// The rows of the calling thread's namespace.
std::vector<Row> rows_here(const std::string& netns) {
  std::vector<Row> rows;
  RdmaSocket socket;
  for (const RdmaDevice& device : socket.devices()) {
    const auto verbs = read_verbs_ports(device.name);
    const std::string function = Sysfs().uverbs_function(socket.uverbs(device.index));
    for (const RdmaPort& port : socket.ports(device)) {
      Row row{device, port, {}, function, netns, {}};
      if (verbs && port.number >= 1 && port.number <= verbs->size()) {
        row.verbs = (*verbs)[port.number - 1];
      }
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

std::vector<Attachment> read_attachments(const StorePaths& paths) {
  std::vector<Attachment> attachments;
  const auto state = Store::open(Store::File::kState, paths, Store::Mode::kExisting);
  if (!state) return attachments;
  state->read([&](const Txn& txn) {
    scan_attachments(txn, "", [&](const Attachment& attachment) {
      attachments.push_back(attachment);
      return true;
    });
  });
  return attachments;
}

// The device that was moved for the attachment, or that is on the function that it has: a driver
// that was bound anew has made another one.
bool owns(const Attachment& attachment, const Row& row) {
  if (const Json* rdma = attachment.link.find("rdma")) {
    const std::string& function = rdma->at("device").as_string();
    return rdma->at("index").as_uint() == row.device.index ||
           (!function.empty() && function == row.function);
  }
  for (const std::string& device : attachment.devices) {
    if (device == row.function) return true;
    for (const std::string& name : Sysfs().rdma_devices(device)) {
      if (row.netns.empty() && name == row.device.name) return true;
    }
  }
  return false;
}

std::vector<Row> rows_in(const Netns& netns, const std::string& path) {
  std::vector<Row> rows;
  netns.run([&] { rows = rows_here(path); });
  return rows;
}

bool has_device_of(const Attachment& attachment, const std::vector<Row>& rows) {
  return std::any_of(rows.begin(), rows.end(),
                     [&](const Row& row) { return owns(attachment, row); });
}

void add_owned(const Attachment& attachment, std::vector<Row> found, std::vector<Row>& rows) {
  for (Row& row : found) {
    if (owns(attachment, row)) rows.push_back(std::move(row));
  }
}

void add_from_anywhere(const Attachment& attachment, NetnsCensus& census, std::vector<Row>& rows) {
  census.each([&](const Netns& netns, const std::string& path) {
    if (!has_device_of(attachment, rows)) add_owned(attachment, rows_in(netns, path), rows);
  });
}

std::vector<Row> collect(const Invocation& invocation, const std::string& netns) {
  const std::vector<Attachment> attachments = read_attachments(invocation.paths());
  std::vector<Row> rows;
  if (!netns.empty()) {
    rows = rows_in(Netns::open(netns), netns);
  } else {
    rows = rows_here("");
    // In exclusive mode the host does not see what was lent to Pods.
    NetnsCensus census;
    for (const Attachment& attachment : attachments) {
      if (attachment.link.find("rdma") == nullptr || has_device_of(attachment, rows)) continue;
      if (const auto pod = census.find(attachment.netns, attachment.netns_path)) {
        add_owned(attachment, rows_in(*pod, attachment.netns_path), rows);
      }
      // A Pod may have given it to a namespace of its own making.
      if (!has_device_of(attachment, rows)) add_from_anywhere(attachment, census, rows);
    }
  }
  for (Row& row : rows) {
    for (const Attachment& attachment : attachments) {
      if (owns(attachment, row)) row.owner = attachment;
    }
  }
  return rows;
}

// The Pod, or where the runtime told no Pod, the container.
std::string owner_of(const Row& row) {
  if (!row.owner) return "";
  if (!row.owner->pod_name.empty()) return row.owner->pod_namespace + "/" + row.owner->pod_name;
  return row.owner->key.container_id;
}

Json row_json(const Row& row) {
  Json json = Json::object({{"device", row.device.name},
                            {"index", row.device.index},
                            {"nodeGUID", guid_text(row.device.node_guid)},
                            {"firmware", row.device.firmware},
                            {"port", row.port.number},
                            {"state", state_name(row.port.state)},
                            {"netdev", row.port.interface},
                            {"netns", row.netns}});
  if (row.verbs) {
    json["linkLayer"] = row.verbs->link_layer;
    json["activeMTU"] = row.verbs->active_mtu;
    json["gids"] = Json::array();
    for (const RdmaGid& gid : row.verbs->gids) {
      json["gids"].push_back(
          Json::object({{"index", gid.index}, {"gid", gid.gid}, {"type", gid.type}}));
    }
  }
  if (row.owner) {
    json["owner"] = Json::object({{"network", row.owner->key.network},
                                  {"containerID", row.owner->key.container_id},
                                  {"ifname", row.owner->key.ifname},
                                  {"podNamespace", row.owner->pod_namespace},
                                  {"podName", row.owner->pod_name}});
  }
  return json;
}

std::string gids_of(const Row& row) {
  if (!row.verbs || row.verbs->gids.empty()) return "";
  const size_t others = row.verbs->gids.size() - 1;
  return row.verbs->gids.front().gid + (others == 0 ? "" : " +" + std::to_string(others));
}

int list_devices(const Invocation& invocation, const std::string& netns) {
  const std::vector<Row> rows = collect(invocation, netns);
  if (invocation.json()) {
    Json json = Json::array();
    for (const Row& row : rows) json.push_back(row_json(row));
    print_json(json);
    return EXIT_SUCCESS;
  }
  if (rows.empty()) {
    notice("no RDMA devices");
    return EXIT_SUCCESS;
  }
  Table table({"DEVICE", "PORT", "STATE", "LINK", "NETDEV", "NODE GUID", "GID", "OWNER", "NETNS"});
  for (const Row& row : rows) {
    table.add_row({row.device.name, std::to_string(row.port.number), state_name(row.port.state),
                   row.verbs ? row.verbs->link_layer : "", row.port.interface,
                   guid_text(row.device.node_guid), gids_of(row), owner_of(row), row.netns});
  }
  print(table.to_string());
  return EXIT_SUCCESS;
}

}  // namespace

void add_rdma(const Command& app, Invocation& invocation) {
  const Command list =
      app.add("rdma", "Look at RDMA devices")
          .add("list", "List the RDMA devices of the host, and those that Pods have");
  list.footer("Example:\n  railcni rdma list --netns /run/netns/cni-1234 -o json");
  auto netns = std::make_shared<std::string>();
  list.option(
      {.name = "--netns", .type = "PATH", .help = "Only the devices of this network namespace"},
      *netns);
  list.store_options(invocation);
  list.runs(invocation, [netns](const Invocation& i) { return list_devices(i, *netns); });
}

}  // namespace railcni::cli
