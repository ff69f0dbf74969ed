// railcni pool list, show, delete
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "railcni/error.h"
#include "railcni/ipam.h"
#include "src/cli/command.h"
#include "src/cli/pool_change.h"
#include "src/cli/pool_documents.h"
#include "src/cli/table.h"
#include "src/yaml/yaml.h"

namespace railcni::cli {
namespace {

// How full a pool is. Resting addresses are free ones: they are only handed out last.
struct Fill {
  U128 total = 0;
  PoolUsage usage;

  U128 free() const {
    const U128 taken = U128{usage.leased} + usage.quarantined;
    return taken < total ? total - taken : 0;
  }
};

// A number where JSON's readers take one, text beyond 64 bits.
Json size_json(U128 size) {
  if (size <= UINT64_MAX) return static_cast<uint64_t>(size);
  return to_string(size);
}

// Runs `work` on snapshots of both files; nullptr for one that does not exist.
void read_stores(const StorePaths& paths,
                 const std::function<void(const Txn* state, const Txn* pools)>& work) {
  const auto pools = Store::open(Store::File::kPools, paths, Store::Mode::kRead);
  if (!pools) return work(nullptr, nullptr);
  const auto state = Store::open(Store::File::kState, paths, Store::Mode::kRead);
  pools->read([&](const Txn& pools_txn) {
    if (!state) return work(nullptr, &pools_txn);
    state->read([&](const Txn& state_txn) { work(&state_txn, &pools_txn); });
  });
}

Fill fill_of(const Txn* state, const Pool& pool) {
  return {pool.size(), state != nullptr ? pool_usage(*state, pool) : PoolUsage()};
}

Json list_entry(const Pool& pool, const Fill& fill) {
  return Json::object({{"name", pool.name},
                       {"version", static_cast<int>(pool.family())},
                       {"subnet", pool.subnet.to_string()},
                       {"gateway", pool.gateway ? Json(pool.gateway->to_string()) : Json()},
                       {"total", size_json(fill.total)},
                       {"used", fill.usage.leased},
                       {"free", size_json(fill.free())},
                       {"resting", fill.usage.resting},
                       {"quarantined", fill.usage.quarantined},
                       {"default", pool.is_default},
                       {"disabled", pool.disabled}});
}

int list_pools(const Invocation& invocation) {
  Table table(
      {"NAME", "VERSION", "SUBNET", "TOTAL", "USED", "FREE", "DEFAULT", "DISABLED", "GATEWAY"});
  Json json = Json::array();
  read_stores(invocation.paths(), [&](const Txn* state, const Txn* pools) {
    if (pools == nullptr) return;
    scan_pools(*pools, [&](const Pool& pool) {
      const Fill fill = fill_of(state, pool);
      json.push_back(list_entry(pool, fill));
      table.add_row({pool.name, std::string(family_name(pool.family())), pool.subnet.to_string(),
                     to_string(fill.total), std::to_string(fill.usage.leased),
                     to_string(fill.free()), pool.is_default ? "yes" : "",
                     pool.disabled ? "yes" : "", pool.gateway ? pool.gateway->to_string() : ""});
      return true;
    });
  });
  if (invocation.json()) {
    print_json(json);
  } else if (table.empty()) {
    notice("no pools");
  } else {
    print(table.to_string());
  }
  return EXIT_SUCCESS;
}

[[noreturn]] void no_such_pool(const std::string& name) {
  throw Error(Code::kInvalidConfig, "pool " + name + " does not exist ('railcni pool list')");
}

int show_pool(const Invocation& invocation, const std::string& name) {
  std::optional<Pool> pool;
  Fill fill;
  read_stores(invocation.paths(), [&](const Txn* state, const Txn* pools) {
    if (pools != nullptr) pool = get_pool(*pools, name);
    if (pool) fill = fill_of(state, *pool);
  });
  if (!pool) no_such_pool(name);
  Json document = pool_document(*pool);
  if (invocation.json()) {
    // Spiderpool's own names; apply passes the status over.
    document["status"] = Json::object({{"totalIPCount", size_json(fill.total)},
                                       {"allocatedIPCount", fill.usage.leased},
                                       {"restingIPCount", fill.usage.resting},
                                       {"quarantinedIPCount", fill.usage.quarantined}});
    print_json(document);
    return EXIT_SUCCESS;
  }
  print("# " + std::to_string(fill.usage.leased) + " of " + to_string(fill.total) +
        " addresses in use, " + to_string(fill.free()) + " free (" +
        std::to_string(fill.usage.resting) + " of them used before), " +
        std::to_string(fill.usage.quarantined) + " quarantined\n" + to_yaml(document));
  return EXIT_SUCCESS;
}

int delete_pools(const Invocation& invocation, const std::vector<std::string>& names) {
  const bool any =
      change_pools(invocation.paths(), Store::Mode::kExisting, [&](const Txn* state, Txn& pools) {
        for (const std::string& name : names) {
          if (!erase_pool(pools, name)) no_such_pool(name);
          refuse_stranded(state, name, std::nullopt);
        }
      });
  if (!any) no_such_pool(names.front());
  Json json = Json::array();
  std::string text;
  for (const std::string& name : names) {
    json.push_back(Json::object({{"name", name}, {"action", "deleted"}}));
    text += "pool " + name + " deleted\n";
  }
  if (invocation.json()) {
    print_json(json);
  } else {
    print(text);
  }
  return EXIT_SUCCESS;
}

}  // namespace

void add_pool(const Command& app, Invocation& invocation) {
  const Command pool = app.add("pool", "Look at the applied pools, or delete some");

  const Command list = pool.add("list", "List the pools and how full they are");
  list.footer("In JSON, sizes beyond 64 bits are text.");
  list.store_options(invocation);
  list.runs(invocation, list_pools);

  const Command show = pool.add(
      "show", "Show one pool as a SpiderIPPool document that apply takes, and how full it is");
  show.footer("Example:\n  railcni pool show gpu1-net11 > gpu1-net11.yaml");
  auto name = std::make_shared<std::string>();
  show.option({.name = "name", .type = "NAME", .help = "The pool's name", .required = true}, *name);
  show.store_options(invocation);
  show.runs(invocation, [name](const Invocation& i) { return show_pool(i, *name); });

  const Command remove = pool.add("delete", "Delete pools: all that are named, or none");
  remove.footer(
      "A pool with leases cannot be deleted.\n\nExample:\n  railcni pool delete gpu1-net11 "
      "gpu2-net12");
  auto names = std::make_shared<std::vector<std::string>>();
  remove.option({.name = "name", .type = "NAME", .help = "The pools' names", .required = true},
                *names);
  remove.store_options(invocation);
  remove.runs(invocation, [names](const Invocation& i) { return delete_pools(i, *names); });
}

}  // namespace railcni::cli
