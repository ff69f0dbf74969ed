// Calling another CNI plugin, as section 4 of the CNI specification 1.1.0 ("Plugin Delegation")
// says: found in CNI_PATH, the configuration on its stdin, one JSON document from its stdout.
#ifndef RAILCNI_DELEGATE_H_
#define RAILCNI_DELEGATE_H_

#include <chrono>
#include <string>

#include "railcni/json.h"

namespace railcni {

struct DelegateCall {
  std::string command;  // "ADD", ...: CNI_COMMAND
  std::string type;     // the plugin's name
  std::string path;     // CNI_PATH
  std::string container_id;
  std::string netns;
  std::string ifname;
  std::string args;  // CNI_ARGS
  Json config;       // for its stdin
  // A descriptor that the plugin keeps open as long as it runs; -1: none. Of ours it gets nothing
  // else but stderr.
  int keep_open = -1;
  // How long it may take: below what runtimes wait for a call of their own (some minutes), and more
  // than a DHCP client needs.
  std::chrono::milliseconds timeout = std::chrono::seconds(60);
};

// The program of a plugin: the first regular file of that name in the folders of `cni_path`. Throws
// Error{kInvalidConfig} for a type that no file name can be, Error{kInvalidEnvironment} that says
// what was searched when there is none.
std::string find_plugin(const std::string& type, const std::string& cni_path);

// Runs the plugin, with this process' environment but for the CNI_* variables of the call, and
// waits for its end; one that takes too long is killed. Returns what it printed: null when that is
// nothing. Throws what find_plugin() throws; the plugin's own error (its code, its message behind
// its name, its details) when it reports one; Error{kTryAgainLater} when it was killed for the time
// that it took; Error{kKernel} when it cannot be started, or fails without a word;
// Error{kDecodingFailure} when it succeeds and what it printed is not JSON.
Json run_delegate(const DelegateCall& call);

}  // namespace railcni

#endif  // RAILCNI_DELEGATE_H_
