// railcni render
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "railcni/error.h"
#include "src/cli/command.h"
#include "src/cli/multus_document.h"
#include "src/cli/pool_documents.h"
#include "src/yaml/yaml.h"

namespace railcni::cli {
namespace {

constexpr const char* kHelp =
    "Turn SpiderMultusConfig documents into NetworkAttachmentDefinitions or configuration lists "
    "of railcni";

constexpr const char* kFooter =
    "Nothing is written until all documents of all files are found to be right. Documents of other "
    "kinds are skipped.\n"
    "\n"
    "Examples:\n"
    "  railcni render -f networks.yaml | kubectl apply -f -\n"
    "  railcni render -f network.yaml -o conflist > /etc/cni/net.d/10-network.conflist";

struct Options {
  std::vector<std::string> files;
  std::string output = "nad";
};

std::vector<Network> read_networks(const std::vector<std::string>& files) {
  if (std::ranges::count(files, "-") > 1) {
    throw Error(Code::kInvalidConfig, "stdin can be read once: -f - was given twice");
  }
  std::vector<Network> networks;
  std::vector<std::string> notices;
  for (const std::string& file : files) {
    const std::string text = read_file(file);
    auto parsed = parse_multus_documents(file == "-" ? "stdin" : file, text, notices);
    std::ranges::move(parsed, std::back_inserter(networks));
  }
  for (const std::string& line : notices) notice("notice: " + line);
  std::map<std::string, std::string> places;
  for (const Network& network : networks) {
    const Json* name_space = network.metadata.find("namespace");
    const std::string name =
        (name_space == nullptr ? "" : name_space->as_string() + "/") + network.name();
    const auto [place, is_new] = places.emplace(name, network.where);
    if (!is_new) {
      throw Error(Code::kInvalidConfig,
                  network.where + ": network " + name + " stands in " + place->second + " already");
    }
  }
  return networks;
}

int render(const Options& options) {
  std::string text;
  for (const Network& network : read_networks(options.files)) {
    if (options.output == "conflist") {
      text += configuration_list(network).dump(2) + "\n";
    } else {
      if (!text.empty()) text += "---\n";
      text += to_yaml(network_attachment_definition(network));
    }
  }
  print(text);
  return EXIT_SUCCESS;
}

std::string check_output(const std::string& value) {
  return value == "nad" || value == "conflist" ? ""
                                               : "must be nad or conflist, not \"" + value + "\"";
}

}  // namespace

void add_render(const Command& app, Invocation& invocation) {
  const Command command = app.add("render", kHelp);
  command.footer(kFooter);
  auto options = std::make_shared<Options>();
  command.option({.name = "-f,--filename",
                  .type = "FILE",
                  .help = "File to render, - is stdin; may be repeated",
                  .required = true},
                 options->files);
  command.option({.name = "-o,--output",
                  .type = "nad|conflist",
                  .help = "nad (the default): NetworkAttachmentDefinitions as YAML; conflist: "
                          "configuration lists as JSON, one behind the other",
                  .check = check_output},
                 options->output);
  command.runs(invocation, [options](const Invocation&) { return render(*options); });
}

}  // namespace railcni::cli
