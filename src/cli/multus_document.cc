#include "src/cli/multus_document.h"

#include <algorithm>

#include "railcni/error.h"
#include "railcni/object_reader.h"
#include "railcni/request.h"
#include "src/cli/document_head.h"
#include "src/cli/multus_spec.h"
#include "src/yaml/yaml.h"

namespace railcni::cli {
namespace {

// Of Spiderpool: another name for the NetworkAttachmentDefinition, and its cniVersion.
constexpr std::string_view kNameAnnotation = "multus.spidernet.io/cr-name";
constexpr std::string_view kVersionAnnotation = "multus.spidernet.io/cni-version";
// What Spiderpool writes when nobody says otherwise.
constexpr std::string_view kDefaultVersion = "0.3.1";
// Of Multus: the device plugin's resource whose device the network takes.
constexpr std::string_view kResourceAnnotation = "k8s.v1.cni.cncf.io/resourceName";
// kubectl's memory of the other document.
constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
// check_attachment_key() knows why.
constexpr size_t kLongestName = 200;

// RFC 1123's subdomain, as Kubernetes has it.
void check_name(const std::string& name, const std::string& key) {
  const auto is_inner = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  const auto is_end = [&](char c) { return is_inner(c) && c != '-' && c != '.'; };
  if (!name.empty() && name.size() <= kLongestName && std::ranges::all_of(name, is_inner) &&
      is_end(name.front()) && is_end(name.back())) {
    return;
  }
  throw Error(Code::kInvalidConfig,
              key + " \"" + name +
                  "\": must be 1 to 200 small letters, digits, '-' and '.', with "
                  "a letter or digit at both ends");
}

// Labels or annotations: strings by name.
Json read_strings(ObjectReader& metadata, std::string_view key) {
  Json result = Json::object();
  const Json* object = metadata.object(key);
  if (object == nullptr) return result;
  for (const auto& [name, value] : object->as_object()) {
    if (!value.is_string()) {
      throw Error(Code::kInvalidConfig, metadata.full_name(key) + ": \"" + name +
                                            "\" must be a string, not " + value.dump() +
                                            ": put it in quotes");
    }
    if (name != kLastApplied) result[name] = value;
  }
  return result;
}

std::string read_version(const Json& annotations) {
  const Json* annotation = annotations.find(kVersionAnnotation);
  if (annotation == nullptr) return std::string(kDefaultVersion);
  const std::string& version = annotation->as_string();
  const auto& known = supported_versions();
  if (std::ranges::find(known, version) == known.end()) {
    throw Error(Code::kInvalidConfig, "metadata.annotations: " + std::string(kVersionAnnotation) +
                                          " \"" + version + "\": must be a version of CNI from " +
                                          std::string(known.front()) + " to " +
                                          std::string(known.back()));
  }
  return version;
}

Network render_document(const Json& document, std::vector<std::string>& notices) {
  ObjectReader reader(document, "");
  reader.allow({"apiVersion", "kind", "status"});
  const Json* object = reader.object("metadata");
  const Json* spec = reader.object("spec");
  reader.finish();
  if (object == nullptr) throw Error(Code::kInvalidConfig, "metadata is missing");
  if (spec == nullptr) throw Error(Code::kInvalidConfig, "spec is missing");
  // What the API server has added (uid, managedFields, ...) belongs to the other object.
  ObjectReader metadata(*object, "metadata");
  std::string name = metadata.string("name").value_or("");
  if (name.empty()) throw Error(Code::kInvalidConfig, "metadata.name is missing");
  check_name(name, "metadata.name");
  const std::string name_space = metadata.string("namespace").value_or("");
  Json annotations = read_strings(metadata, "annotations");
  const Json labels = read_strings(metadata, "labels");
  if (const Json* other = annotations.find(kNameAnnotation)) {
    name = other->as_string();
    check_name(name, "metadata.annotations: " + std::string(kNameAnnotation));
  }
  const std::string version = read_version(annotations);

  RenderedSpec rendered = render_spec(*spec, name, version);
  for (std::string& line : rendered.notices) notices.push_back(std::move(line));
  if (!rendered.resource_name.empty()) annotations[kResourceAnnotation] = rendered.resource_name;
  Network network;
  network.metadata = Json::object({{"name", name}});
  if (!name_space.empty()) network.metadata["namespace"] = name_space;
  if (!labels.as_object().empty()) network.metadata["labels"] = labels;
  if (!annotations.as_object().empty()) network.metadata["annotations"] = annotations;
  if (rendered.is_custom) {
    network.config = rendered.custom;
  } else {
    network.config = Json::object({{"cniVersion", version},
                                   {"name", name},
                                   {"plugins", Json::array(std::move(rendered.plugins))}});
  }
  return network;
}

}  // namespace

std::vector<Network> parse_multus_documents(const std::string& name, std::string_view text,
                                            std::vector<std::string>& notices) {
  std::vector<Network> networks;
  int number = 0;
  for (const Json& document : parse_yaml(name, text)) {
    std::string where = name + ": document " + std::to_string(++number);
    const DocumentHead head = read_document_head(document, where);
    const std::string title = head.kind + " " + head.name;
    if (head.kind != kMultusConfigKind || !head.is_spiderpool) {
      notices.push_back(where + ": " + title + " skipped: only " + std::string(kMultusConfigKind) +
                        " is rendered" +
                        (head.kind == "SpiderIPPool" ? "; 'railcni apply' takes pools" : ""));
      continue;
    }
    std::vector<std::string> remarks;
    try {
      networks.push_back(render_document(document, remarks));
    } catch (const Error& error) {
      throw error.with_context(where + ": " + title);
    }
    for (const std::string& remark : remarks) {
      notices.push_back(where + ": " + title + ": " + remark);
    }
    networks.back().where = std::move(where);
  }
  if (number == 0) throw Error(Code::kInvalidConfig, name + ": no document in it");
  return networks;
}

Json network_attachment_definition(const Network& network) {
  Json spec = Json::object();
  if (!network.config.is_null()) spec["config"] = network.config.dump(2);
  return Json::object({{"apiVersion", "k8s.cni.cncf.io/v1"},
                       {"kind", "NetworkAttachmentDefinition"},
                       {"metadata", network.metadata},
                       {"spec", std::move(spec)}});
}

Json configuration_list(const Network& network) {
  if (network.config.is_null()) {
    throw Error(Code::kInvalidConfig, network.where + ": " + network.name() +
                                          ": spec.customCNI is missing: there is no configuration "
                                          "to show");
  }
  if (network.config.find("plugins") != nullptr) return network.config;
  // A single plugin's configuration (customCNI may be one).
  Json plugin = network.config;
  Json list = Json::object();
  const Json* version = plugin.find("cniVersion");
  if (version != nullptr) list["cniVersion"] = *version;
  const std::string name = text_of(plugin.find("name"));
  list["name"] = name.empty() ? network.name() : name;
  plugin.erase("cniVersion");
  plugin.erase("name");
  list["plugins"] = Json::array({std::move(plugin)});
  return list;
}

}  // namespace railcni::cli
