#include "src/cli/document_head.h"

#include "railcni/error.h"

namespace railcni::cli {
namespace {

constexpr std::string_view kApiGroup = "spiderpool.spidernet.io/";

}  // namespace

std::string text_of(const Json* value) {
  return value != nullptr && value->is_string() ? value->as_string() : "";
}

DocumentHead read_document_head(const Json& document, const std::string& where) {
  if (!document.is_object()) {
    throw Error(Code::kInvalidConfig, where + ": must be an object with kind and spec, not " +
                                          (document.is_array() ? "an " : "a ") +
                                          std::string(document.type_name()));
  }
  DocumentHead head;
  head.kind = text_of(document.find("kind"));
  const std::string version = text_of(document.find("apiVersion"));
  if (head.kind.empty()) throw Error(Code::kInvalidConfig, where + ": kind is missing");
  if (version.empty()) throw Error(Code::kInvalidConfig, where + ": apiVersion is missing");
  head.is_spiderpool = version.starts_with(kApiGroup);
  if (const Json* metadata = document.find("metadata")) head.name = text_of(metadata->find("name"));
  return head;
}

}  // namespace railcni::cli
