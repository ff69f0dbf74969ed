// railcni policy
#include "railcni/policy.h"

#include <memory>
#include <string>

#include "src/cli/command.h"
#include "src/cli/pool_documents.h"
#include "src/yaml/yaml.h"

namespace railcni::cli {
namespace {

constexpr const char* kCheckFooter =
    "All that is wrong is said at once, each with file, line and key. Without FILE it is the "
    "node's "
    "own policy, whose owner and mode count, too. Exit code 1 when something is wrong.\n"
    "\n"
    "Example:\n"
    "  railcni policy check policy.yaml && install -m 644 policy.yaml /etc/railcni/policy.yaml";

constexpr const char* kShowFooter =
    "Keys that the file does not have, and all of them without a file, have their defaults. With a "
    "file that is wrong no ADD is served (code 7), and cleaning up goes by what is shown here.";

Json to_json(const PolicyReading& reading) {
  Json problems = Json::array();
  for (const PolicyProblem& problem : reading.problems) {
    Json entry = Json::object({{"key", problem.key}, {"what", problem.what}});
    if (problem.line > 0) entry["line"] = problem.line;
    problems.push_back(std::move(entry));
  }
  return Json::object({{"file", reading.file.empty() ? Json() : Json(reading.file)},
                       {"valid", reading.problems.empty()},
                       {"problems", std::move(problems)},
                       {"policy", reading.policy.to_json()}});
}

// Says what is wrong, and returns the exit code.
int report(const PolicyReading& reading) {
  for (const PolicyProblem& problem : reading.problems) {
    notice("railcni: " + reading.text_of(problem));
  }
  return reading.problems.empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}

PolicyReading read_any(const std::string& file) {
  if (file.empty()) return read_node_policy();
  const std::string text = read_file(file);
  return parse_policy(file == "-" ? "stdin" : file, text);
}

int check(const Invocation& invocation, const std::string& file) {
  const PolicyReading reading = read_any(file);
  if (invocation.json()) {
    print_json(to_json(reading));
  } else if (reading.problems.empty()) {
    print(reading.file.empty() ? std::string("no policy file: the defaults are in force\n")
                               : reading.file + ": ok\n");
  }
  return report(reading);
}

int show(const Invocation& invocation) {
  const PolicyReading reading = read_node_policy();
  if (invocation.json()) {
    print_json(to_json(reading));
  } else {
    print("# " +
          (reading.file.empty() ? std::string("no policy file: the defaults") : reading.file) +
          "\n" + to_yaml(reading.policy.to_json()));
  }
  return report(reading);
}

}  // namespace

void add_policy(const Command& app, Invocation& invocation) {
  const Command policy =
      app.add("policy", "Show and check the node policy, " + std::string(kPolicyFolder) +
                            "/policy.yaml or policy.json");
  const Command check_command = policy.add("check", "Say whether a policy file is right");
  check_command.footer(kCheckFooter);
  auto file = std::make_shared<std::string>();
  check_command.option({.name = "file", .type = "FILE", .help = "A policy file; - is stdin"},
                       *file);
  check_command.output_option(invocation);
  check_command.runs(invocation, [file](const Invocation& i) { return check(i, *file); });
  const Command show_command = policy.add("show", "Show what is in force on this node");
  show_command.footer(kShowFooter);
  show_command.output_option(invocation);
  show_command.runs(invocation, show);
}

}  // namespace railcni::cli
