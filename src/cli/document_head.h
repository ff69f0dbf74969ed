// What every Kubernetes document begins with.
#ifndef RAILCNI_SRC_CLI_DOCUMENT_HEAD_H_
#define RAILCNI_SRC_CLI_DOCUMENT_HEAD_H_

#include <string>

#include "railcni/json.h"

namespace railcni::cli {

struct DocumentHead {
  std::string kind;
  std::string name;            // metadata.name; empty when it has none
  bool is_spiderpool = false;  // of the API group spiderpool.spidernet.io
};

// Throws Error{kInvalidConfig} that begins with `where` ("FILE: document 2") when it has no head.
DocumentHead read_document_head(const Json& document, const std::string& where);

// The value's text, or "" when it is missing or none.
std::string text_of(const Json* value);

}  // namespace railcni::cli

#endif  // RAILCNI_SRC_CLI_DOCUMENT_HEAD_H_
