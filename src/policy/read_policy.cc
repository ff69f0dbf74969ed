// The policy file: found, trusted, read.
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <initializer_list>
#include <optional>

#include "railcni/deferred.h"
#include "railcni/error.h"
#include "railcni/named_file.h"
#include "railcni/object_reader.h"
#include "railcni/policy.h"
#include "src/yaml/yaml.h"

namespace railcni {
namespace {

constexpr int64_t kMostAddresses = 1024;

// The first line that has `key` as a key: of a small file that a person wrote.
int line_of(std::string_view text, std::string_view key) {
  int line = 1;
  for (size_t at = 0; at < text.size(); ++line) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view row = text.substr(at, end - at);
    const size_t start = row.find(key);
    if (start != std::string_view::npos && row.find('#') > start) {
      const size_t behind = row.find_first_not_of(" \"'", start + key.size());
      if (behind != std::string_view::npos && row[behind] == ':') return line;
    }
    at = end + 1;
  }
  return 0;
}

class Reader {
 public:
  Reader(std::string_view text, const Json& document, PolicyReading& reading)
      : text_(text), object_(document, ""), reading_(reading) {}

  void read();

 private:
  // Goes on past errors: all of them are told at once.
  template <typename Read>
  void attempt(std::string_view key, Read read) {
    try {
      read();
    } catch (const Error& error) {
      add(std::string(key), error.msg());
    }
  }
  void add(const std::string& key, const std::string& what) {
    reading_.problems.push_back({key, what, line_of(text_, key)});
  }
  void read_folders(std::string_view key, std::vector<std::string>& target);
  void read_cidrs(std::string_view key, std::vector<IpPrefix>& target);
  template <typename Value>
  void read_choice(std::string_view key, Value& target,
                   std::initializer_list<std::pair<const char*, Value>> choices);

  std::string_view text_;
  ObjectReader object_;
  PolicyReading& reading_;
};

void Reader::read_folders(std::string_view key, std::vector<std::string>& target) {
  attempt(key, [&] {
    const Json* value = object_.array(key);
    if (value == nullptr) return;
    const std::vector<std::string> folders = object_.strings(key);
    for (const std::string& folder : folders) {
      if (is_plain_path(folder)) continue;
      throw Error(Code::kInvalidConfig,
                  std::string(key) + ": \"" + folder +
                      "\" must be an absolute path without \".\", \"..\", \"//\" and \"/\" at its "
                      "end");
    }
    target = folders;
  });
}

void Reader::read_cidrs(std::string_view key, std::vector<IpPrefix>& target) {
  attempt(key, [&] {
    std::vector<IpPrefix> cidrs;
    for (const std::string& text : object_.strings(key)) {
      cidrs.push_back(IpPrefix::parse_or_throw(text, key).network());
    }
    target = std::move(cidrs);
  });
}

template <typename Value>
void Reader::read_choice(std::string_view key, Value& target,
                         std::initializer_list<std::pair<const char*, Value>> choices) {
  attempt(key, [&] {
    const std::optional<std::string> text = object_.string(key);
    if (!text) return;
    std::vector<std::string> names;
    for (const auto& [name, value] : choices) {
      if (*text == name) {
        target = value;
        return;
      }
      names.emplace_back(name);
    }
    const std::string near = nearest_word(*text, names);
    throw Error(Code::kInvalidConfig, std::string(key) + ": must be one of " + joined(names) +
                                          ", not \"" + *text + "\"" +
                                          (near.empty() ? "" : "; did you mean " + near + "?"));
  });
}

void Reader::read() {
  NodePolicy& policy = reading_.policy;
  using HostRoutes = NodePolicy::HostRoutes;
  using InlinePools = NodePolicy::InlinePools;
  read_folders("logDirs", policy.log_dirs);
  read_folders("dataDirs", policy.data_dirs);
  read_folders("pluginDirs", policy.plugin_dirs);
  read_choice<HostRoutes>("hostRoutes", policy.host_routes,
                          {{"appliedPools", HostRoutes::kAppliedPools},
                           {"any", HostRoutes::kAny},
                           {"none", HostRoutes::kNone}});
  read_cidrs("clusterCIDRs", policy.cluster_cidrs);
  read_choice<InlinePools>("inlinePools", policy.inline_pools,
                           {{"separate", InlinePools::kSeparate},
                            {"overlap", InlinePools::kOverlap},
                            {"none", InlinePools::kNone}});
  attempt("maxAddressesPerFamily", [&] {
    const auto number = object_.integer("maxAddressesPerFamily", 1, kMostAddresses);
    if (number) policy.max_addresses_per_family = *number;
  });
  for (const std::string& key : object_.unknown_keys()) add(key, object_.unknown_key_text(key));
}

// The one document of a YAML text; null when there is none.
Json parse_document(const std::string& file, std::string_view text) {
  if (file.ends_with(".json")) return Json::parse(text);
  run_deferred_constructors();
  std::vector<Json> documents = parse_yaml(file, text);
  if (documents.size() > 1) {
    throw Error(Code::kDecodingFailure,
                "has " + std::to_string(documents.size()) + " documents, and must have one");
  }
  return documents.empty() ? Json() : std::move(documents.front());
}

// Of "FILE:LINE:COLUMN: what", as the YAML parser has it.
PolicyProblem syntax_problem(const std::string& file, const std::string& message) {
  if (!message.starts_with(file + ":")) return {"", message, 0};
  const std::string rest = message.substr(file.size() + 1);
  const size_t colon = rest.find(':');
  return {"", "column " + rest.substr(colon + 1), atoi(rest.c_str())};
}

}  // namespace

std::string PolicyReading::text_of(const PolicyProblem& problem) const {
  return file + (problem.line > 0 ? ":" + std::to_string(problem.line) : "") + ": " + problem.what;
}

std::string PolicyReading::summary() const {
  std::string text;
  for (const PolicyProblem& problem : problems) {
    text += (text.empty() ? "" : "; ") + text_of(problem);
  }
  return text;
}

PolicyReading parse_policy(const std::string& file, std::string_view text) {
  PolicyReading reading;
  reading.file = file;
  reading.policy.file = file;
  Json document;
  try {
    document = parse_document(file, text);
  } catch (const Error& error) {
    reading.problems.push_back(syntax_problem(file, error.msg()));
    return reading;
  }
  if (document.is_null()) return reading;  // nothing but comments
  if (!document.is_object()) {
    reading.problems.push_back(
        {"", "must be an object with keys, not " + std::string(document.type_name()), 0});
    return reading;
  }
  Reader(text, document, reading).read();
  return reading;
}

PolicyReading read_node_policy() {
  const std::string path = kPolicyFolder;
  PolicyReading reading;
  // On most nodes there is none, and this is all.
  struct stat info {};
  if (lstat(kPolicyFolder, &info) != 0 && errno == ENOENT) return reading;
  const auto fail = [&reading](const std::string& what) {
    reading.problems.push_back({"", what, 0});
  };
  std::string file;
  std::optional<std::string> text;
  try {
    const Fd folder = open_folder(path, FolderTrust::kRoots);
    for (const char* name : {"policy.yaml", "policy.json"}) {
      auto found = read_file_in(folder, path, name, kMaxPolicySize, FolderTrust::kRoots);
      if (!found) continue;
      if (text) {
        reading.file = path;
        fail("policy.yaml and policy.json are both there: remove one");
        return reading;
      }
      text = std::move(found);
      file = path + "/" + name;
    }
  } catch (const Error& error) {
    // "PATH: why".
    const size_t end = error.msg().find(": ");
    reading.file = error.msg().substr(0, end);
    fail(error.msg().substr(std::min(end, error.msg().size() - 2) + 2));
    return reading;
  }
  return text ? parse_policy(file, *text) : reading;
}

}  // namespace railcni
