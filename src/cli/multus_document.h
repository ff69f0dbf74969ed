// SpiderMultusConfig documents, and the networks that are made of them.
#ifndef RAILCNI_SRC_CLI_MULTUS_DOCUMENT_H_
#define RAILCNI_SRC_CLI_MULTUS_DOCUMENT_H_

#include <string>
#include <string_view>
#include <vector>

#include "railcni/json.h"

namespace railcni::cli {

inline constexpr std::string_view kMultusConfigKind = "SpiderMultusConfig";

struct Network {
  std::string where;  // "networks.yaml: document 2", for messages
  // Of the NetworkAttachmentDefinition: name, namespace, labels, annotations.
  Json metadata;
  // {"cniVersion", "name", "plugins"}, or for customCNI whatever stands there. Null: a custom
  // network without customCNI, whose configuration Multus looks for in the node's files.
  Json config;

  std::string name() const { return metadata.at("name").as_string(); }
};

// Reads the networks in `text`. `name` is the file's, for messages. What is passed over (documents
// of other kinds) and what else is to be known is added to `notices`. Throws
// Error{kDecodingFailure} or Error{kInvalidConfig} that names file, document and key; a text
// without any document is an error, too.
std::vector<Network> parse_multus_documents(const std::string& name, std::string_view text,
                                            std::vector<std::string>& notices);

// The NetworkAttachmentDefinition that makes `network`.
Json network_attachment_definition(const Network& network);

// The network as a configuration list. Throws Error{kInvalidConfig} where there is none to show.
Json configuration_list(const Network& network);

}  // namespace railcni::cli

#endif  // RAILCNI_SRC_CLI_MULTUS_DOCUMENT_H_
