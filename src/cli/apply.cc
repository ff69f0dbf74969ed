// railcni apply
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "railcni/error.h"
#include "railcni/ipam.h"
#include "src/cli/command.h"
#include "src/cli/pool_change.h"
#include "src/cli/pool_documents.h"

namespace railcni::cli {
namespace {

constexpr const char* kHelp =
    "Make or change pools: SpiderIPPool documents, YAML or JSON, as Spiderpool's users write them";

constexpr const char* kFooter =
    "All pools of all files are applied, or none. Documents of other kinds are skipped. A pool "
    "cannot lose addresses that are leased.\n"
    "\n"
    "Example:\n"
    "  railcni apply -f - <<END\n"
    "  apiVersion: spiderpool.spidernet.io/v2beta1\n"
    "  kind: SpiderIPPool\n"
    "  metadata:\n"
    "    name: gpu1-net11\n"
    "  spec:\n"
    "    subnet: 172.16.0.0/16\n"
    "    gateway: 172.16.11.254\n"
    "    ips:\n"
    "      - 172.16.11.1-172.16.11.200\n"
    "  END";

std::vector<PoolDocument> read_documents(const std::vector<std::string>& files) {
  if (std::ranges::count(files, "-") > 1) {
    throw Error(Code::kInvalidConfig, "stdin can be read once: -f - was given twice");
  }
  std::vector<PoolDocument> documents;
  std::vector<std::string> notices;
  for (const std::string& file : files) {
    const std::string text = read_file(file);
    auto parsed = parse_pool_documents(file == "-" ? "stdin" : file, text, notices);
    std::ranges::move(parsed, std::back_inserter(documents));
  }
  for (const std::string& line : notices) notice("notice: " + line);
  std::map<std::string, std::string> places;
  for (const PoolDocument& document : documents) {
    for (const std::string& warning : document.warnings) {
      notice("warning: " + warning);
    }
    const auto [place, is_new] = places.emplace(document.pool.name, document.where);
    if (!is_new) {
      throw Error(Code::kInvalidConfig, document.where + ": pool " + document.pool.name +
                                            " stands in " + place->second + " already");
    }
  }
  return documents;
}

// The pools that would be there with `documents` applied.
std::vector<Pool> resulting_pools(const Txn& pools, const std::vector<PoolDocument>& documents) {
  std::map<std::string, Pool> by_name;
  scan_pools(pools, [&](const Pool& pool) {
    by_name.emplace(pool.name, pool);
    return true;
  });
  for (const PoolDocument& document : documents) by_name[document.pool.name] = document.pool;
  std::vector<Pool> result;
  for (auto& [name, pool] : by_name) result.push_back(std::move(pool));
  return result;
}

// What is done with each pool, in the documents' order.
std::vector<std::string> apply_pools(const Txn* state, Txn& pools,
                                     const std::vector<PoolDocument>& documents) {
  refuse_overlaps(resulting_pools(pools, documents));
  std::vector<std::string> actions;
  for (const PoolDocument& document : documents) {
    const std::optional<Pool> before = get_pool(pools, document.pool.name);
    if (before == document.pool) {
      actions.emplace_back("unchanged");
      continue;
    }
    // Also of a pool that is new here: an inline pool of this name may have leases, and they count
    // as this pool's from now on.
    refuse_stranded(state, document.pool.name, document.pool);
    put_pool(pools, document.pool);
    actions.emplace_back(before ? "configured" : "created");
  }
  return actions;
}

int apply_files(const Invocation& invocation, const std::vector<std::string>& files) {
  const std::vector<PoolDocument> documents = read_documents(files);
  std::vector<std::string> actions;
  change_pools(invocation.paths(), Store::Mode::kCreate, [&](const Txn* state, Txn& pools) {
    actions = apply_pools(state, pools, documents);
  });
  Json json = Json::array();
  std::string text;
  for (size_t i = 0; i < documents.size(); ++i) {
    const std::string& name = documents[i].pool.name;
    json.push_back(Json::object({{"name", name},
                                 {"action", actions[i]},
                                 {"warnings", Json::strings(documents[i].warnings)}}));
    text += "pool " + name + " " + actions[i] + "\n";
  }
  if (invocation.json()) {
    print_json(json);
  } else {
    print(text);
  }
  return EXIT_SUCCESS;
}

}  // namespace

void add_apply(const Command& app, Invocation& invocation) {
  const Command command = app.add("apply", kHelp);
  command.footer(kFooter);
  auto files = std::make_shared<std::vector<std::string>>();
  command.option({.name = "-f,--filename",
                  .type = "FILE",
                  .help = "File to apply, - is stdin; may be repeated",
                  .required = true},
                 *files);
  command.store_options(invocation);
  command.runs(invocation, [files](const Invocation& i) { return apply_files(i, *files); });
}

}  // namespace railcni::cli
