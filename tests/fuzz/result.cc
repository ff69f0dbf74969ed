// prevResult, and the result of another IPAM: a result in the shape of any version.
#include "railcni/result.h"

#include "railcni/json.h"
#include "railcni/request.h"
#include "tests/fuzz/fuzz.h"

namespace railcni::fuzz {
namespace {

void check_shapes(const Result& result) {
  for (const std::string_view version : supported_versions()) {
    const Json written = result.to_json(version);
    const std::string text = written.dump();
    const Result again = Result::from_json(Json::parse(text), "result");
    require(again.to_json(version).dump() == text, "a result that was written reads the same",
            text);
  }
}

}  // namespace
}  // namespace railcni::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railcni;
  Result result;
  const bool is_result = fuzz::accepts(
      [&] { result = Result::from_json(Json::parse(fuzz::text_of(data, size)), "prevResult"); });
  if (is_result) fuzz::check_shapes(result);
  return 0;
}
