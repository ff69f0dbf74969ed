// Subcommands and their options, told to CLI11.
#include "src/cli/command.h"

#include <CLI/CLI.hpp>

namespace railcni::cli {
namespace {

std::string check_output(const std::string& value) {
  return value == "table" || value == "json" ? "" : "must be table or json, not \"" + value + "\"";
}

std::string check_data_dir(const std::string& value) {
  return value.starts_with('/') ? "" : "must be an absolute path, not \"" + value + "\"";
}

CLI::Option* describe(CLI::Option* made, const Option& option) {
  made->type_name(option.type)->required(option.required);
  if (option.delimiter != '\0') made->delimiter(option.delimiter);
  if (option.check != nullptr) {
    // Without a description of its own it leaves no trace in the help.
    made->check(CLI::Validator([check = option.check](std::string& v) { return check(v); }, ""));
  }
  return made;
}

}  // namespace

Command Command::add(const char* name, const std::string& help) const {
  app_->require_subcommand(1);
  return Command(app_->add_subcommand(name, help));
}

void Command::footer(const std::string& text) const { app_->footer(text); }

void Command::option(const Option& option, std::string& target) const {
  describe(app_->add_option(option.name, target, option.help), option);
}

void Command::option(const Option& option, std::vector<std::string>& target) const {
  CLI::Option* made = describe(app_->add_option(option.name, target, option.help), option);
  // "-f a b" would take b as well, and leave an argument behind it none.
  if (option.name[0] == '-') made->allow_extra_args(false);
}

void Command::flag(const char* name, const char* help, bool& target) const {
  app_->add_flag(name, target, help);
}

void Command::output_option(Invocation& invocation) const {
  option({.name = "-o,--output",
          .type = "table|json",
          .help = "table (the default) for people; json: one document on stdout, errors included",
          .check = check_output},
         invocation.output);
}

void Command::store_options(Invocation& invocation) const {
  output_option(invocation);
  option({.name = "--data-dir",
          .type = "DIR",
          .help = "Folder of the state, the 'dataDir' of network configurations that have one "
                  "(default: /run/railcni and /var/lib/railcni)",
          .check = check_data_dir},
         invocation.data_dir);
}

void Command::runs(Invocation& invocation, std::function<int(const Invocation&)> function) const {
  app_->callback([&invocation, function = std::move(function)] { invocation.run = function; });
}

}  // namespace railcni::cli
