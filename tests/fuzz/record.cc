// An attachment's record as it stands in the store, with all that its undo reads of it.
#include "railcni/attachment.h"
#include "railcni/netdev_state.h"
#include "railcni/result.h"
#include "railcni/routing.h"
#include "railcni/vf.h"
#include "tests/fuzz/fuzz.h"

namespace railcni::fuzz {
namespace {

// What was read, written and read again, is the same.
template <typename Record>
void check(const Json& json, const char* what) {
  Json written;
  if (!accepts([&] { written = Record::from_json(json).to_json(); })) return;
  const Json again = Record::from_json(Json::parse(written.dump())).to_json();
  require(again.dump() == written.dump(), what, written.dump());
}

void check_record(const Json& json) {
  check<Attachment>(json, "an attachment's record");
  Attachment attachment;
  if (!accepts([&] { attachment = Attachment::from_json(json); })) return;
  check<RoutingPlan>(attachment.routing, "the record of a routing plan");
  accepts([&] { (void)Result::from_json(attachment.result, "the recorded result"); });
  // The backends keep a VF's and an interface's state somewhere inside of their part.
  if (!attachment.link.is_object()) return;
  for (const auto& [key, value] : attachment.link.as_object()) {
    check<VfState>(value, "the record of a VF");
    check<NetdevState>(value, "the record of an interface");
  }
}

}  // namespace
}  // namespace railcni::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railcni;
  Json json;
  if (fuzz::accepts([&] { json = Json::parse(fuzz::text_of(data, size)); })) {
    fuzz::check_record(json);
  }
  return 0;
}
