// The command line: its options, its help, and how it fails.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include "railcni/error.h"
#include "railcni/object_reader.h"
#include "railcni/utf8.h"
#include "railcni/verbs.h"
#include "src/cli/command.h"

namespace railcni {
namespace cli {
namespace {

constexpr int kUsageError = 2;

constexpr const char* kDescription =
    "railcni: puts Pods on the rails of an RDMA cluster.\n"
    "With CNI_COMMAND set it is a CNI plugin and reads a network configuration from stdin; "
    "without, it is this command line, which manages the pools and leases of this node.";

constexpr const char* kFooter =
    "Examples:\n"
    "  railcni apply -f pools.yaml         make or change pools\n"
    "  railcni pool list                   pools and how full they are\n"
    "  railcni lease list --pool gpu1-net11\n"
    "  railcni gc --dry-run                what is left of Pods that are gone\n"
    "  railcni render -f networks.yaml     SpiderMultusConfigs as NetworkAttachmentDefinitions\n"
    "  railcni install --to /opt/cni/bin --as macvlan,sriov\n"
    "\n"
    "'railcni COMMAND --help' says more. Exit codes: 0 done, 1 failed, 2 wrong usage.";

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    text.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

// Errors go to stderr for people and, with -o json, to stdout as well for scripts.
int fail(const Invocation& invocation, const Error& error) {
  notice("railcni: " + error.msg() + (error.details().empty() ? "" : " (" + error.details() + ")"));
  if (invocation.json()) {
    Json json = Json::object(
        {{"code", static_cast<uint32_t>(error.code())}, {"msg", printable(error.msg())}});
    if (!error.details().empty()) json["details"] = printable(error.details());
    write_all(STDOUT_FILENO, json.dump(2) + "\n");
  }
  return EXIT_FAILURE;
}

int usage_error(const CLI::App& app, const std::string& what) {
  const CLI::App* command = &app;
  std::string name = "railcni";
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    name += " " + command->get_name();
  }
  std::string line = what.substr(0, what.find('\n'));
  const std::vector<std::string> unknown = command->remaining();
  if (!command->get_subcommands({}).empty() && !unknown.empty()) {
    // CLI11 only says that a subcommand is missing.
    std::vector<std::string> names;
    for (const CLI::App* known : command->get_subcommands({})) names.push_back(known->get_name());
    line = "unknown command or option \"" + unknown.front() + "\"";
    const std::string nearest = nearest_word(unknown.front(), names);
    if (!nearest.empty()) line += ": did you mean \"" + nearest + "\"?";
  }
  notice("railcni: " + line + " ('" + name + " --help' shows the usage)");
  return kUsageError;
}

int run(int argc, char** argv, Invocation& invocation) {
  CLI::App app(kDescription, "railcni");
  app.set_help_flag("-h,--help", "Show this help and exit");
  app.set_version_flag("--version", "railcni " RAILCNI_VERSION);
  const Command command(&app);
  add_version(command, invocation);
  add_apply(command, invocation);
  add_pool(command, invocation);
  add_lease(command, invocation);
  add_gc(command, invocation);
  add_render(command, invocation);
  add_install(command, invocation);
  add_rdma(command, invocation);
  add_policy(command, invocation);
  app.footer(kFooter);  // last: subcommands inherit what is there when they are added
  if (argc <= 1) {
    print(app.help());
    return EXIT_SUCCESS;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    // Help was asked for: exit() writes the one of the subcommand that was named.
    std::ostringstream help;
    app.exit(success, help, help);
    print(help.str());
    return EXIT_SUCCESS;
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error.what());
  }
  return invocation.run(invocation);
}

}  // namespace

void print(std::string_view text) {
  if (!write_all(STDOUT_FILENO, text)) throw_errno(Code::kIoFailure, "writing to stdout", errno);
}

void print_json(const Json& json) { print(json.dump(2) + "\n"); }

void JsonList::add(const Json& item) {
  text_ += text_.size() > 1 ? ",\n  " : "\n  ";
  // A line break is never part of a string: there it is written as \\n.
  for (const char c : item.dump(2)) {
    text_ += c;
    if (c == '\n') text_ += "  ";
  }
}

void JsonList::print() { cli::print(text_ + (text_.size() > 1 ? "\n]\n" : "]\n")); }

void notice(std::string_view line) { write_all(STDERR_FILENO, printable(line) + "\n"); }

}  // namespace cli

int run_cli(int argc, char** argv) {
  cli::Invocation invocation;
  try {
    return cli::run(argc, argv, invocation);
  } catch (const Error& error) {
    return cli::fail(invocation, error);
  } catch (const std::bad_alloc&) {
    return cli::fail(invocation, Error(Code::kIoFailure, "out of memory"));
  } catch (const std::exception& exception) {
    return cli::fail(invocation, Error(Code::kIoFailure, exception.what()));
  }
}

}  // namespace railcni
