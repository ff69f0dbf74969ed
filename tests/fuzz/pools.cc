// Pool documents, from the YAML file to the pool and back.
#include "railcni/ipam.h"
#include "src/cli/pool_documents.h"
#include "src/yaml/yaml.h"
#include "tests/fuzz/fuzz.h"

namespace railcni::fuzz {
namespace {

void check_pool(const Pool& pool) {
  std::vector<std::string> warnings;
  const Json spec = pool_spec(pool);
  require(parse_pool(pool.name, spec, warnings) == pool, "a canonical spec", spec.dump());
  require(warnings.empty(), "a canonical spec is without warnings", spec.dump());

  const std::string text = to_yaml(cli::pool_document(pool));
  std::vector<std::string> notices;
  const auto documents = cli::parse_pool_documents("canonical", text, notices);
  require(documents.size() == 1 && documents[0].pool == pool && notices.empty(),
          "a canonical document", text);

  U128 size = 0;
  const AddressRange* previous = nullptr;
  for (const AddressRange& range : pool.ranges) {
    require(range.first <= range.last && pool.subnet.contains(range.first) &&
                pool.subnet.contains(range.last),
            "ranges lie in the subnet", text);
    require(previous == nullptr || previous->last < range.first, "ranges are in order", text);
    require(pool.contains(range.first) && pool.contains(range.last), "a pool has its ranges", text);
    size += range.last.value - range.first.value + 1;
    previous = &range;
  }
  require(size == pool.size() && previous != nullptr, "a pool's size", text);
  require(!pool.gateway || !pool.contains(*pool.gateway), "a gateway is never handed out", text);
}

// A glob that is one takes part in selection: it must end with any name.
void check_globs(const Pool& pool) {
  for (const auto* names : {&pool.node_names, &pool.namespace_names, &pool.multus_names}) {
    for (const std::string& name : *names) {
      accepts([&] { (void)glob_match(name, pool.name); });
    }
  }
}

}  // namespace
}  // namespace railcni::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railcni;
  std::vector<cli::PoolDocument> documents;
  std::vector<std::string> notices;
  if (!fuzz::accepts([&] {
        documents = cli::parse_pool_documents("input", fuzz::text_of(data, size), notices);
      })) {
    return 0;
  }
  std::vector<Pool> pools;
  for (const cli::PoolDocument& document : documents) {
    fuzz::check_pool(document.pool);
    fuzz::check_globs(document.pool);
    pools.push_back(document.pool);
  }
  fuzz::accepts([&] { cli::refuse_overlaps(pools); });
  return 0;
}
