#include "src/verbs/delegated_ipam.h"

#include <cstdlib>

#include "railcni/delegate.h"
#include "railcni/error.h"
#include "railcni/lock.h"
#include "railcni/log.h"
#include "railcni/policy.h"
#include "src/verbs/session.h"

namespace railcni {
namespace {

std::string environment(const char* name) {
  const char* value = getenv(name);
  return value != nullptr ? value : "";
}

// Held by the plugin itself, too: a plugin outlives the railcni that was killed, and its DEL must
// not run beside its ADD.
NamedLock lock_delegate(const StorePaths& paths, const AttachmentKey& key) {
  return NamedLock::acquire(paths, "delegate/" + key.to_string(), kLockTimeout);
}

// Where the program of a record is looked for: in the folders of this call, and when it is not
// there in those that the node policy has for it. What the record itself says is not asked: a
// program is run as root.
std::string trusted_path(const std::string& type) {
  std::string path = environment("CNI_PATH");
  try {
    find_plugin(type, path);
  } catch (const Error&) {
    for (const std::string& folder : node_policy().plugin_dirs) {
      path += (path.empty() ? "" : ":") + folder;
    }
  }
  return path;
}

DelegateCall recorded_call(const Attachment& attachment, const std::string& command) {
  DelegateCall call;
  call.command = command;
  call.type = attachment.ipam.at("type").as_string();
  call.path = trusted_path(call.type);
  call.args = attachment.ipam.at("args").as_string();
  call.config = attachment.ipam.at("config");
  call.container_id = attachment.key.container_id;
  call.netns = attachment.netns_path;
  call.ifname = attachment.key.ifname;
  return call;
}

DelegateCall requested_call(const Request& request, const std::string& type) {
  DelegateCall call;
  call.command = verb_name(request.verb);
  call.type = type;
  call.path = request.path;
  call.args = environment("CNI_ARGS");
  call.config = Json::parse(request.input);
  call.container_id = request.container_id;
  call.netns = request.netns;
  call.ifname = request.ifname;
  return call;
}

}  // namespace

Json delegate_record(const Request& request, const NetworkConfig& config) {
  find_plugin(config.ipam.delegate, request.path);
  return Json::object({{"type", config.ipam.delegate},
                       {"path", request.path},
                       {"args", environment("CNI_ARGS")},
                       {"config", Json::parse(request.input)}});
}

Result delegate_add(const StorePaths& paths, const Attachment& attachment) {
  DelegateCall call = recorded_call(attachment, "ADD");
  call.path = attachment.ipam.at("path").as_string();  // of this very call
  const NamedLock lock = lock_delegate(paths, attachment.key);
  call.keep_open = lock.fd();
  const std::string what = "the result of IPAM plugin \"" + call.type + "\"";
  const Json printed = run_delegate(call);
  if (printed.is_null()) throw Error(Code::kDecodingFailure, what + " is empty");
  Result result = Result::from_json(printed, what);
  if (result.ips.empty()) throw Error(Code::kDecodingFailure, what + " has no address (ips)");
  result.interfaces.clear();
  for (ResultIp& ip : result.ips) ip.interface = 0;
  for (ResultRoute& route : result.routes) {
    for (const ResultIp& ip : result.ips) {
      if (route.gw || !ip.gateway || ip.address.family() != route.dst.family()) continue;
      route.gw = ip.gateway;
    }
  }
  return result;
}

void delegate_del(const StorePaths& paths, const Attachment& attachment,
                  std::chrono::milliseconds timeout) {
  if (attachment.ipam.is_null()) return;
  DelegateCall call = recorded_call(attachment, "DEL");
  call.timeout = timeout;
  const std::string version = config_version(call.config);
  if (attachment.settled && !older_than(version, "0.4.0")) {
    call.config["prevResult"] =
        Result::from_json(attachment.result, "the recorded result").to_json(version);
  }
  NamedLock lock;
  try {
    lock = lock_delegate(paths, attachment.key);
    call.keep_open = lock.fd();
  } catch (const Error& error) {
    // A plugin that left a process behind must not keep the Pod for ever.
    if (error.code() != Code::kTryAgainLater) throw;
    log_warning("an earlier call of IPAM plugin \"" + call.type +
                "\" has not ended; its DEL is called all the same");
  }
  run_delegate(call);
}

void delegate_unrecorded_del(const Request& request) {
  const std::string type = delegate_of(request.config);
  if (type.empty()) return;
  try {
    find_plugin(type, request.path);
  } catch (const Error& error) {
    log_warning("nothing is recorded of this attachment, and its IPAM plugin is not called: " +
                error.msg());
    return;
  }
  run_delegate(requested_call(request, type));
}

void delegate_forward(const Request& request, const std::string& type) {
  if (type.empty()) return;
  run_delegate(requested_call(request, type));
}

std::string delegate_of(const Json& config) {
  const Json* cni_type = config.find("cniType");
  const bool chained = cni_type == nullptr || !cni_type->is_string() || *cni_type == Json("");
  const Json* disabled = config.find("disableIPAM");
  const Json* ipam = config.find("ipam");
  if (chained || ipam == nullptr || (disabled != nullptr && *disabled == Json(true))) return "";
  const Json* type = ipam->find("type");
  if (type == nullptr || !type->is_string() || names_railcni(type->as_string())) return "";
  return type->as_string();
}

}  // namespace railcni
