// SpiderMultusConfig documents, from the YAML file to what `railcni render` prints.
#include "railcni/object_reader.h"
#include "src/cli/multus_document.h"
#include "src/yaml/yaml.h"
#include "tests/fuzz/fuzz.h"

namespace railcni::fuzz {
namespace {

void check_network(const cli::Network& network) {
  const Json definition = cli::network_attachment_definition(network);
  const std::string yaml = to_yaml(definition);
  const auto again = parse_yaml("definition", yaml);
  require(again.size() == 1 && again[0].dump() == definition.dump(), "a definition", yaml);
  accepts([&] {
    const Json list = cli::configuration_list(network);
    const std::string text = list.dump(2);
    require(Json::parse(text).dump(2) == text, "a configuration list", text);
    require(list.find("plugins") != nullptr, "a list has plugins", text);
  });
}

}  // namespace
}  // namespace railcni::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railcni;
  std::vector<cli::Network> networks;
  std::vector<std::string> notices;
  const bool accepted = fuzz::accepts(
      [&] { networks = cli::parse_multus_documents("input", fuzz::text_of(data, size), notices); });
  if (!accepted) return 0;
  for (const cli::Network& network : networks) fuzz::check_network(network);
  return 0;
}
