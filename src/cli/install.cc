// railcni install
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "railcni/dropin.h"
#include "railcni/error.h"
#include "railcni/fd.h"
#include "railcni/object_reader.h"
#include "railcni/program_name.h"
#include "railcni/utf8.h"
#include "src/cli/command.h"
#include "src/cli/install_files.h"

namespace railcni::cli {
namespace {

using Entry = InstallFolder::Entry;

constexpr const char* kHelp =
    "Copy this program into a folder of CNI plugins, and make links to it under the names of the "
    "plugins that it stands in for";

struct Options {
  std::string folder;
  std::vector<std::string> names;
  bool replace = false;
};

std::string help_footer() {
  std::string names;
  for (const std::string& name : dropin_names()) names += (names.empty() ? "" : ", ") + name;
  return "Names: " + names +
         ".\n"
         "\n"
         "Files and links appear whole or not at all, also while the old program is running. The "
         "Pods of a plugin that is replaced should be gone from the node: railcni undoes what it "
         "has done itself.\n"
         "\n"
         "Example:\n"
         "  railcni install --to /opt/cni/bin --as macvlan,sbr";
}

void check_names(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (std::ranges::find(dropin_names(), name) != dropin_names().end()) continue;
    std::string known;
    for (const std::string& one : dropin_names()) known += (known.empty() ? "" : ", ") + one;
    std::string msg = "--as \"" + name + "\": must be one of " + known;
    const std::string nearest = nearest_word(name, dropin_names());
    if (!nearest.empty()) msg += "; did you mean \"" + nearest + "\"?";
    throw Error(Code::kInvalidConfig, msg);
  }
}

// Refuses what cannot be replaced, or must not without being told to, before anything has changed.
void check_places(const InstallFolder& folder, const Options& options) {
  const std::string own(kOwnName);
  if (folder.look_at(own, own) == Entry::kFolder) {
    throw Error(Code::kIoFailure, options.folder + "/" + own + ": is a folder");
  }
  for (const std::string& name : options.names) {
    const Entry entry = folder.look_at(name, own);
    if (entry == Entry::kFolder) {
      throw Error(Code::kIoFailure, options.folder + "/" + name + ": is a folder");
    }
    const bool is_foreign = entry == Entry::kFile || entry == Entry::kOtherLink;
    if (is_foreign && !options.replace) {
      throw Error(Code::kInvalidConfig,
                  options.folder + "/" + name +
                      ": is there already and is no link to railcni: another plugin, it seems; "
                      "nothing was changed. --replace puts the link in its place");
    }
  }
}

int install(const Invocation& invocation, Options options) {
  std::ranges::sort(options.names);
  options.names.erase(std::unique(options.names.begin(), options.names.end()), options.names.end());
  check_names(options.names);
  const std::string own(kOwnName);
  const Fd program(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  if (!program) throw_errno(Code::kIoFailure, "/proc/self/exe", errno);
  InstallFolder folder(options.folder);
  check_places(folder, options);

  folder.put_copy(program, own);
  Json links = Json::array();
  const std::string shown = printable(options.folder);
  std::string text = "installed " + shown + "/" + own + "\n";
  for (const std::string& name : options.names) {
    const Entry before = folder.look_at(name, own);
    const std::string action = before == Entry::kOurLink   ? "unchanged"
                               : before == Entry::kNothing ? "created"
                                                           : "replaced";
    if (before != Entry::kOurLink) folder.put_link(own, name);
    links.push_back(Json::object({{"name", name}, {"action", action}}));
    text += "link " + shown + "/" + name + " " + action + "\n";
  }
  folder.sync();
  if (invocation.json()) {
    print_json(Json::object({{"binary", options.folder + "/" + own}, {"links", std::move(links)}}));
  } else {
    print(text);
  }
  return EXIT_SUCCESS;
}

}  // namespace

void add_install(const Command& app, Invocation& invocation) {
  const Command command = app.add("install", kHelp);
  command.footer(help_footer());
  auto options = std::make_shared<Options>();
  command.option({.name = "--to",
                  .type = "DIR",
                  .help = "Folder of CNI plugins, /opt/cni/bin on most nodes",
                  .required = true},
                 options->folder);
  command.option({.name = "--as",
                  .type = "NAME,...",
                  .help = "Names to make links of; may be repeated",
                  .delimiter = ','},
                 options->names);
  command.flag("--replace", "Put links also where other plugins of these names are",
               options->replace);
  command.output_option(invocation);
  command.runs(invocation, [options](const Invocation& i) { return install(i, *options); });
}

}  // namespace railcni::cli
