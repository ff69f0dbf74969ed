// What a runtime asks: the environment and stdin of one execution, per the CNI specification 1.1.0,
// section 2 ("Execution Protocol").
#ifndef RAILCNI_REQUEST_H_
#define RAILCNI_REQUEST_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "railcni/json.h"

namespace railcni {

enum class Verb { kAdd, kDel, kCheck, kStatus, kVersion, kGc };

// "ADD", "DEL", ... as CNI_COMMAND has it.
std::string_view verb_name(Verb verb);

struct Request {
  Verb verb = Verb::kVersion;
  std::string container_id;
  std::string netns;  // a path; may be empty on DEL
  std::string ifname;
  std::string path;             // CNI_PATH
  bool netns_override = false;  // CNI_NETNS_OVERRIDE: the caller's own netns may be used
  // CNI_ARGS in order; of a key that occurs twice, arg() gives the last.
  std::vector<std::pair<std::string, std::string>> args;
  Json config;        // stdin, or a translation of it (see translate_dropin())
  std::string input;  // stdin's text: what another plugin that is called on the way is to get
  // The part that railcni plays where the configuration has no cniType: see chained_role().
  std::string chained_role = "chained";

  // The value of a CNI_ARGS key, or "" when it is not there.
  std::string arg(std::string_view key) const;
};

// Reads the environment (CNI_COMMAND must be set). Throws Error{kInvalidEnvironment} that names
// every required variable that is missing or empty. IDs and names are not looked into yet: see
// check_request().
Request read_environment();

// Reads all of stdin; at most kMaxStdin bytes. Throws Error{kIoFailure} when it cannot be read,
// Error{kDecodingFailure} when there is more.
std::string read_stdin();
// A GC of 100 000 attachments is about 11 MB; nothing else comes near.
inline constexpr size_t kMaxStdin = size_t{64} << 20;

// Checks name of the network, container ID, ifname and CNI_ARGS, in that order (the Go reference's
// order). Throws Error with the specification's codes.
void check_request(const Request& request);

// Parses CNI_ARGS ("K=V;K=V"). Throws Error{kInvalidEnvironment} for a pair without '=' and, unless
// IgnoreUnknown is 1 or true, for a key that is neither of the conventions' nor Kubernetes'.
std::vector<std::pair<std::string, std::string>> parse_cni_args(std::string_view text);

// ---- versions ----

// The versions of the specification that are supported, oldest first.
const std::vector<std::string_view>& supported_versions();

// The cniVersion of a configuration ("0.1.0" when absent). Throws Error{kDecodingFailure} when it
// is not a string, Error{kIncompatibleVersion} when it is not supported.
std::string config_version(const Json& config);

// True when version `a` is older than `b`; both must be supported ones.
bool older_than(std::string_view a, std::string_view b);

}  // namespace railcni

#endif  // RAILCNI_REQUEST_H_
