// railcni version
#include <string>

#include "railcni/request.h"
#include "src/cli/command.h"

namespace railcni::cli {
namespace {

int show_version(const Invocation& invocation) {
  if (invocation.json()) {
    Json versions = Json::array();
    for (const std::string_view version : supported_versions()) versions.push_back(version);
    print_json(Json::object({{"version", RAILCNI_VERSION}, {"cniVersions", std::move(versions)}}));
    return EXIT_SUCCESS;
  }
  std::string text = "railcni " RAILCNI_VERSION "\nCNI versions:";
  for (const std::string_view version : supported_versions()) text += " " + std::string(version);
  print(text + "\n");
  return EXIT_SUCCESS;
}

}  // namespace

void add_version(const Command& app, Invocation& invocation) {
  const Command command =
      app.add("version", "Show the version, and the CNI versions that are spoken");
  command.output_option(invocation);
  command.runs(invocation, show_version);
}

}  // namespace railcni::cli
