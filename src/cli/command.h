// What the subcommands share: their common options, and writing to stdout and stderr.
#ifndef RAILCNI_SRC_CLI_COMMAND_H_
#define RAILCNI_SRC_CLI_COMMAND_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

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

// An option of a subcommand, or an argument when its name has no dashes.
struct Option {
  const char* name;
  const char* type;  // what its value is, in the help
  const char* help;
  bool required = false;
  // What separates values of a list in one argument; such an option may be repeated anyway.
  char delimiter = '\0';
  // Returns what is wrong with a value, or an empty string.
  std::string (*check)(const std::string& value) = nullptr;
};

// A subcommand as it is described to CLI11, which only command.cc and cli.cc include: it takes the
// compiler longer than all the rest of src/cli. Targets must live until the command has run.
class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  // A subcommand below this one, one of which must then be given.
  Command add(const char* name, const std::string& help) const;
  void footer(const std::string& text) const;
  void option(const Option& option, std::string& target) const;
  void option(const Option& option, std::vector<std::string>& target) const;
  void flag(const char* name, const char* help, bool& target) const;
  // -o, and --data-dir for one that uses the store.
  void output_option(Invocation& invocation) const;
  void store_options(Invocation& invocation) const;
  // What the command does: becomes the invocation's run when the command is the chosen one.
  void runs(Invocation& invocation, std::function<int(const Invocation&)> function) const;

 private:
  CLI::App* app_;
};

// Each adds its subcommand (and the ones below it) to the command line.
void add_version(const Command& app, Invocation& invocation);
void add_apply(const Command& app, Invocation& invocation);
void add_pool(const Command& app, Invocation& invocation);
void add_lease(const Command& app, Invocation& invocation);
void add_gc(const Command& app, Invocation& invocation);
void add_render(const Command& app, Invocation& invocation);
void add_rdma(const Command& app, Invocation& invocation);
void add_policy(const Command& app, Invocation& invocation);
void add_install(const Command& app, Invocation& invocation);

// Writes to stdout at once. Throws Error{kIoFailure} when it cannot be written: a closed pipe or a
// full disk must not look like success to a script.
void print(std::string_view text);
void print_json(const Json& json);
// A list that may be long: what print_json() writes for an array of these, item by item.
class JsonList {
 public:
  void add(const Json& item);
  void print();

 private:
  std::string text_ = "[";
};
// One line on stderr; what cannot be written there is lost.
void notice(std::string_view line);

}  // namespace railcni::cli

#endif  // RAILCNI_SRC_CLI_COMMAND_H_
