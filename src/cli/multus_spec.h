// The spec of a SpiderMultusConfig as plugins of a configuration list.
#ifndef RAILCNI_SRC_CLI_MULTUS_SPEC_H_
#define RAILCNI_SRC_CLI_MULTUS_SPEC_H_

#include <string>
#include <vector>

#include "railcni/json.h"

namespace railcni::cli {

struct RenderedSpec {
  Json::Array plugins;  // railcni's, and those of chainCNIJsonData
  // Of the device plugin that the network's annotation names; empty: none.
  std::string resource_name;
  bool is_custom = false;
  Json custom;  // customCNI parsed; null when it is absent or empty
  std::vector<std::string> notices;
};

// Reads a `spec`: the fields and defaults of Spiderpool's SpiderMultusConfig, and of its older
// schema (enableRdma, ibKubernetesEnabled, ippools and matchMasterSubnet in either of the places
// where users write them). `network` and `cni_version` are what the configuration will have, for a
// check of the whole. Throws Error{kInvalidConfig} that names the key ("spec.macvlan.vlanID").
RenderedSpec render_spec(const Json& spec, const std::string& network,
                         const std::string& cni_version);

}  // namespace railcni::cli

#endif  // RAILCNI_SRC_CLI_MULTUS_SPEC_H_
