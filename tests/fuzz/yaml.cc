// YAML (and JSON) documents of any content, as such and as a node policy; and any text as it is
// shown.
#include "src/yaml/yaml.h"

#include "railcni/policy.h"
#include "railcni/utf8.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railcni;
  std::vector<Json> documents;
  const std::string_view text = fuzz::text_of(data, size);
  // Aliases may copy up to 64 MiB; of an input of that kind one is like another.
  if (size > 4096) return 0;
  const std::string shown = printable(text);
  fuzz::require(printable(shown) == shown, "what is shown is shown as it is", shown);
  for (const char* name : {"policy.yaml", "policy.json"}) {
    const std::string policy = parse_policy(name, text).policy.to_json().dump();
    const PolicyReading again = parse_policy("again.json", policy);
    fuzz::require(again.problems.empty() && again.policy.to_json().dump() == policy,
                  "a policy reads back as the same", policy);
  }
  if (!fuzz::accepts([&] { documents = parse_yaml("input", text); })) return 0;
  for (const Json& document : documents) {
    // A null document is none at all.
    if (document.is_null()) continue;
    const std::string json = document.dump();
    if (json.size() > 65536) continue;
    fuzz::require(Json::parse(json).dump() == json, "JSON reads back as the same", json);
    const std::string yaml = to_yaml(document);
    const std::vector<Json> again = parse_yaml("output", yaml);
    fuzz::require(again.size() == 1 && again[0].dump() == json, "YAML reads back as the same",
                  yaml);
  }
  return 0;
}
