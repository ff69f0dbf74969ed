#include "railcni/request.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <iterator>

#include "railcni/error.h"

namespace railcni {
namespace {

struct VerbEntry {
  std::string_view name;
  Verb verb;
  // The variables that must be set. CNI_PATH is demanded of GC only: the specification makes it
  // optional elsewhere, and railcni needs it just to find a delegate.
  std::array<std::string_view, 3> required;
};

constexpr VerbEntry kVerbs[] = {
    {"ADD", Verb::kAdd, {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"}},
    {"DEL", Verb::kDel, {"CNI_CONTAINERID", "CNI_IFNAME"}},
    {"CHECK", Verb::kCheck, {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"}},
    {"GC", Verb::kGc, {"CNI_PATH"}},
    {"STATUS", Verb::kStatus, {}},
    {"VERSION", Verb::kVersion, {}},
};

std::string environment(const char* name) {
  const char* value = getenv(name);
  return value != nullptr ? value : "";
}

bool is_true(std::string_view value) {
  return value == "1" || value == "true" || value == "True" || value == "TRUE";
}

// The specification's form of a container ID and of a network's name.
bool is_valid_name(std::string_view text) {
  const auto is_alnum = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !text.empty() && is_alnum(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

void check_ifname(const std::string& ifname) {
  const auto fail = [&ifname](const char* why) {
    throw Error(Code::kInvalidEnvironment, "CNI_IFNAME \"" + ifname + "\": " + why);
  };
  // IFNAMSIZ of <linux/if.h> is 16 with the terminating NUL; the rest is dev_valid_name() of the
  // kernel.
  if (ifname.size() > 15) fail("an interface name has at most 15 bytes");
  if (ifname == "." || ifname == "..") fail("an interface cannot have this name");
  for (const char c : ifname) {
    if (c == '/' || c == ':') fail("an interface name has no '/' or ':'");
    if (c == ' ' || (c >= '\t' && c <= '\r')) fail("an interface name has no white space");
    if (c == '\x7f' || (c >= 0 && c < 0x20)) fail("an interface name has no control characters");
    // The kernel takes "eth%d" for a wish and makes eth0 of it.
    if (c == '%') fail("an interface name has no '%'");
  }
}

}  // namespace

std::string_view verb_name(Verb verb) {
  for (const VerbEntry& entry : kVerbs) {
    if (entry.verb == verb) return entry.name;
  }
  return "";
}

std::string Request::arg(std::string_view key) const {
  for (auto pair = args.rbegin(); pair != args.rend(); ++pair) {
    if (pair->first == key) return pair->second;
  }
  return "";
}

Request read_environment() {
  const std::string command = environment("CNI_COMMAND");
  const auto* const entry =
      std::find_if(std::begin(kVerbs), std::end(kVerbs),
                   [&](const VerbEntry& verb) { return verb.name == command; });
  if (entry == std::end(kVerbs)) {
    throw Error(Code::kInvalidEnvironment, "unknown CNI_COMMAND: " + command);
  }
  Request request;
  request.verb = entry->verb;
  request.container_id = environment("CNI_CONTAINERID");
  request.netns = environment("CNI_NETNS");
  request.ifname = environment("CNI_IFNAME");
  request.path = environment("CNI_PATH");
  request.netns_override = is_true(environment("CNI_NETNS_OVERRIDE"));
  const std::string args = environment("CNI_ARGS");

  const struct {
    std::string_view name;
    const std::string& value;
  } variables[] = {{"CNI_CONTAINERID", request.container_id},
                   {"CNI_NETNS", request.netns},
                   {"CNI_IFNAME", request.ifname},
                   {"CNI_PATH", request.path},
                   {"CNI_ARGS", args}};
  std::string missing;
  for (const auto& variable : variables) {
    const auto& required = entry->required;
    if (!variable.value.empty() ||
        std::find(required.begin(), required.end(), variable.name) == required.end()) {
      continue;
    }
    if (!missing.empty()) missing += ',';
    missing += variable.name;
  }
  if (!missing.empty()) {
    throw Error(Code::kInvalidEnvironment, "required env variables [" + missing + "] missing");
  }
  // What comes in here is recorded and printed as JSON.
  for (const auto& variable : variables) {
    if (is_utf8(variable.value)) continue;
    throw Error(Code::kInvalidEnvironment, std::string(variable.name) + " is not UTF-8");
  }
  return request;
}

std::string read_stdin() {
  std::string text;
  char buffer[4096];  // a page: what a configuration mostly fits
  for (;;) {
    const ssize_t count = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno(Code::kIoFailure, "error reading from stdin", errno);
    if (count == 0) return text;
    text.append(buffer, static_cast<size_t>(count));
    if (text.size() > kMaxStdin) {
      throw Error(Code::kDecodingFailure, "the network configuration on stdin is larger than " +
                                              std::to_string(kMaxStdin >> 20) + " MiB");
    }
  }
}

void check_request(const Request& request) {
  const Json* name = request.config.find("name");
  if (name == nullptr || name->is_null() || (name->is_string() && name->as_string().empty())) {
    throw Error(Code::kInvalidConfig, "missing network name: the configuration has no \"name\"");
  }
  if (!name->is_string() || !is_valid_name(name->as_string())) {
    throw Error(Code::kInvalidConfig,
                "invalid characters in network name: " + name->dump() +
                    " must start with a letter or digit and hold only these, '_', '.' and '-'");
  }
  const Verb verb = request.verb;
  if (verb != Verb::kAdd && verb != Verb::kDel && verb != Verb::kCheck) return;
  if (!is_valid_name(request.container_id)) {
    throw Error(
        Code::kInvalidEnvironment,
        "invalid characters in CNI_CONTAINERID \"" + request.container_id +
            "\": it must start with a letter or digit and hold only these, '_', '.' and '-'");
  }
  check_ifname(request.ifname);
}

std::vector<std::pair<std::string, std::string>> parse_cni_args(std::string_view text) {
  static constexpr std::array<std::string_view, 7> kKnown = {
      "IgnoreUnknown",     "IP",           "MAC",
      "K8S_POD_NAMESPACE", "K8S_POD_NAME", "K8S_POD_INFRA_CONTAINER_ID",
      "K8S_POD_UID"};
  std::vector<std::pair<std::string, std::string>> args;
  bool ignore_unknown = false;
  while (!text.empty()) {
    const size_t end = std::min(text.find(';'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      throw Error(Code::kInvalidEnvironment,
                  "CNI_ARGS: invalid pair \"" + std::string(pair) + "\": must be KEY=VALUE");
    }
    args.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
    if (args.back().first == "IgnoreUnknown") ignore_unknown = is_true(args.back().second);
  }
  for (const auto& [key, value] : args) {
    if (!ignore_unknown && std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end()) {
      throw Error(Code::kInvalidEnvironment,
                  "CNI_ARGS: unknown key \"" + key + "\" (IgnoreUnknown=true lets it pass)");
    }
  }
  return args;
}

const std::vector<std::string_view>& supported_versions() {
  static const std::vector<std::string_view> versions = {"0.1.0", "0.2.0", "0.3.0", "0.3.1",
                                                         "0.4.0", "1.0.0", "1.1.0"};
  return versions;
}

std::string config_version(const Json& config) {
  const Json* version = config.find("cniVersion");
  if (version == nullptr || version->is_null()) return "0.1.0";
  if (!version->is_string()) {
    throw Error(Code::kDecodingFailure, "cniVersion must be a string, not " + version->dump());
  }
  if (version->as_string().empty()) return "0.1.0";
  const auto& versions = supported_versions();
  if (std::find(versions.begin(), versions.end(), version->as_string()) == versions.end()) {
    std::string supported;
    for (const std::string_view v : versions)
      supported += (supported.empty() ? "" : " ") + std::string(v);
    throw Error(Code::kIncompatibleVersion, "incompatible CNI versions",
                "config is \"" + version->as_string() + "\", plugin supports [" + supported + "]");
  }
  return version->as_string();
}

bool older_than(std::string_view a, std::string_view b) {
  const auto& versions = supported_versions();
  return std::find(versions.begin(), versions.end(), a) <
         std::find(versions.begin(), versions.end(), b);
}

}  // namespace railcni
