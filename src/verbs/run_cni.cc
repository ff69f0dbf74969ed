// One execution of the protocol: environment and stdin in, one JSON document out.
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "railcni/capabilities.h"
#include "railcni/dropin.h"
#include "railcni/error.h"
#include "railcni/ipam_role.h"
#include "railcni/log.h"
#include "railcni/policy.h"
#include "railcni/program_name.h"
#include "railcni/utf8.h"
#include "src/verbs/ipam_verbs.h"
#include "src/verbs/session.h"

namespace railcni {
namespace {

bool write_out(const std::string& text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t count = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      log_error("cannot write to stdout: " + errno_text(errno));
      return false;
    }
    rest.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

// A message quotes what was wrong, which may be megabytes of it. The cut is made between
// characters of UTF-8.
std::string shorten(std::string text) {
  constexpr size_t kLongest = 2048;
  if (text.size() <= kLongest) return text;
  size_t end = kLongest;
  while (end > 0 && (text[end] & 0xc0) == 0x80) --end;
  text.resize(end);
  return text + "...";
}

int print_error(const Error& error, const std::string& version) {
  // Runtimes put both into events and logs, which are read on terminals.
  const std::string msg = shorten(printable(error.msg()));
  const std::string details = shorten(printable(error.details()));
  Json json = Json::object(
      {{"cniVersion", version}, {"code", static_cast<uint32_t>(error.code())}, {"msg", msg}});
  if (!details.empty()) json["details"] = details;
  write_out(json.dump(2) + "\n");
  log_error(msg + (details.empty() ? "" : ": " + details));
  return 1;
}

std::string version_document() {
  Json json = Json::object({{"cniVersion", supported_versions().back()}});
  for (const std::string_view version : supported_versions()) {
    json["supportedVersions"].push_back(version);
  }
  return json.dump(2) + "\n";
}

// CHECK came with 0.4.0, GC and STATUS with 1.1.0.
void check_verb_version(Verb verb, const std::string& version) {
  const char* since = nullptr;
  if (verb == Verb::kCheck) since = "0.4.0";
  if (verb == Verb::kGc || verb == Verb::kStatus) since = "1.1.0";
  if (since == nullptr || !older_than(version, since)) return;
  throw Error(Code::kIncompatibleVersion,
              "config version does not allow " + std::string(verb_name(verb)),
              "config is \"" + version + "\", " + std::string(verb_name(verb)) + " needs " + since);
}

// The version that a reply is to be in: the configuration's, if it is one that we speak.
std::string reply_version(const Json& config) {
  try {
    return config_version(config);
  } catch (const Error&) {
    return std::string(supported_versions().back());
  }
}

bool is_cleanup(Verb verb) { return verb == Verb::kDel || verb == Verb::kGc; }

void start_log(const Request& request) {
  CommonConfig common = read_common_config(request.config);
  std::string prefix = std::string(verb_name(request.verb)) + " " + common.name;
  if (!request.container_id.empty()) {
    prefix += "/" + request.container_id.substr(0, 12) + "/" + request.ifname;
  }
  prefix += ": ";
  try {
    read_log_config(request.config, common);
    open_log(common.log_level, common.log_file, prefix);
  } catch (const Error& error) {
    if (!is_cleanup(request.verb)) throw;
    // What is wrong with the log must not keep a Pod from going.
    open_log(LogLevel::kWarning, "", prefix);
    log_warning(error.msg());
  }
}

// What a verb keeps of root's powers. Until it is known what is asked for nothing is in force.
void keep_what_is_needed(Verb verb, bool ipam) {
  using namespace capability;
  switch (verb) {
    case Verb::kAdd:
      // An IPAM looks into the Pod, and may have to undo what holds a full pool; each raises what
      // it needs.
      return ipam ? keep_capabilities(kUndo, kNone) : keep_capabilities(kAll, kAll);
    case Verb::kCheck:
      return keep_capabilities(kSysAdmin, ipam ? kNone : kSysAdmin);
    case Verb::kDel:
      return ipam ? keep_capabilities(kNone, kNone) : keep_capabilities(kUndo, kUndo);
    case Verb::kGc:
      return keep_capabilities(kUndo, kUndo);
    case Verb::kStatus:
    case Verb::kVersion:
      return keep_capabilities(kNone, kNone);
  }
}

// A node whose policy cannot be read gives nothing to new Pods. What is there is looked after all
// the same, with the safe defaults for what could not be read.
void apply_policy(const Request& request, const PolicyReading& reading) {
  if (reading.problems.empty()) return;
  const std::string what = "the node policy: " + reading.summary();
  if (request.verb == Verb::kAdd) throw Error(Code::kInvalidConfig, what);
  if (request.verb == Verb::kStatus) throw Error(Code::kNotAvailable, what);
  log_warning(what);
}

// Whether the policy lets this configuration's dataDir be used. A DEL or GC with one that was never
// allowed has nothing to do, and must not keep its Pod for ever: false then.
bool may_use_data_dir(const Request& request) {
  const std::string folder = read_common_config(request.config).data_dir;
  const std::vector<std::string>& allowed = node_policy().data_dirs;
  if (folder.empty() || is_allowed_path(folder, allowed)) return true;
  const std::string what = "dataDir \"" + folder + "\": must be a folder below " + joined(allowed) +
                           " (dataDirs of the node policy), and none of containers' files";
  if (!is_cleanup(request.verb)) throw Error(Code::kInvalidConfig, what);
  if (folder.starts_with('/') && has_state(store_paths(request.config))) {
    throw Error(Code::kInvalidConfig,
                what + "; there is a state file in it: if it is railcni's, add the folder there");
  }
  log_warning(what + "; there is no state file in it, so there is nothing to undo");
  return false;
}

std::string serve(Request& request, std::string& version) {
  request.input = read_stdin();
  request.config = Json::parse(request.input);
  if (!request.config.is_object()) {
    throw Error(Code::kDecodingFailure, "the network configuration must be a JSON object, not " +
                                            std::string(request.config.type_name()));
  }
  version = reply_version(request.config);
  check_request(request);
  config_version(request.config);  // throws for one that we do not speak
  check_verb_version(request.verb, version);
  translate_dropin(program_name(), request);
  PolicyReading policy = read_node_policy();
  set_node_policy(std::move(policy.policy));
  start_log(request);
  apply_policy(request, policy);
  if (!may_use_data_dir(request)) return "";
  if (request.verb == Verb::kAdd || request.verb == Verb::kCheck) {
    const char* args = getenv("CNI_ARGS");
    request.args = parse_cni_args(args != nullptr ? args : "");
  }
  const bool ipam = ipam_role(request.config) != IpamRole::kNone;
  keep_what_is_needed(request.verb, ipam);
  switch (request.verb) {
    case Verb::kAdd:
      return (ipam ? ipam_add(request) : add(request)).to_json(version).dump(2) + "\n";
    case Verb::kDel:
      del(request);
      break;
    case Verb::kCheck:
      ipam ? ipam_check(request) : check(request);
      break;
    case Verb::kStatus:
      ipam ? ipam_status(request) : status(request);
      break;
    case Verb::kGc:
      gc(request);
      break;
    case Verb::kVersion:
      break;
  }
  return "";
}

}  // namespace

int run_cni() {
  std::string version(supported_versions().back());
  try {
    Request request = read_environment();
    const bool is_version = request.verb == Verb::kVersion;
    keep_capabilities(is_version ? capability::kNone : capability::kAll, capability::kNone);
    // VERSION must not wait for stdin, which may stay open for ever.
    const std::string output = is_version ? version_document() : serve(request, version);
    if (write_out(output)) return 0;
    // The runtime takes this ADD for failed, so it must be.
    if (request.verb == Verb::kAdd) del(request);
    return 1;
  } catch (const Error& error) {
    return print_error(error, version);
  } catch (const std::exception& error) {
    return print_error(Error(Code::kKernel, std::string("internal error: ") + error.what()),
                       version);
  }
}

}  // namespace railcni
