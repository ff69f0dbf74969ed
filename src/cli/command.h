// What the subcommands share: their common options, and writing to stdout and stderr.
#ifndef RAILCNI_SRC_CLI_COMMAND_H_
#define RAILCNI_SRC_CLI_COMMAND_H_

#include <functional>
#include <string>
#include <string_view>

#include "railcni/json.h"
#include "railcni/store.h"

namespace CLI {
class App;
}

namespace railcni::cli {

// One execution of the command line.
struct Invocation {
  std::string output = "table";
  std::string data_dir;
  // What the chosen subcommand does, set while the arguments are parsed. Returns the exit code.
  std::function<int(const Invocation&)> run;

  bool json() const { return output == "json"; }
  StorePaths paths() const { return StorePaths::from_data_dir(data_dir); }
};

// Each adds its subcommand (and the ones below it) to the command line.
void add_version(CLI::App& app, Invocation& invocation);
void add_apply(CLI::App& app, Invocation& invocation);
void add_pool(CLI::App& app, Invocation& invocation);
void add_lease(CLI::App& app, Invocation& invocation);
void add_gc(CLI::App& app, Invocation& invocation);
void add_render(CLI::App& app, Invocation& invocation);
void add_rdma(CLI::App& app, Invocation& invocation);
void add_install(CLI::App& app, Invocation& invocation);

// Adds -o to a subcommand, and --data-dir to one that uses the store.
void add_output_option(CLI::App& command, Invocation& invocation);
void add_store_options(CLI::App& command, Invocation& invocation);

// Writes to stdout at once. Throws Error{kIoFailure} when it cannot be written: a closed pipe or a
// full disk must not look like success to a script.
void print(std::string_view text);
void print_json(const Json& json);
// One line on stderr; what cannot be written there is lost.
void notice(std::string_view line);

}  // namespace railcni::cli

#endif  // RAILCNI_SRC_CLI_COMMAND_H_
