#include "tests/support/runtime.h"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <stdexcept>

#include "railcni/error.h"
#include "tests/support/sandbox.h"

namespace railcni::test {
namespace {

constexpr const char* kDebianPlugins = "/usr/lib/cni";

// A folder in which the binary under test has the name of its type.
std::string plugin_folder() {
  static const std::string folder = [] {
    const std::string binary = railcni_binary();
    const std::string path = make_folder("cni");
    if (symlink(binary.c_str(), (path + "/railcni").c_str()) != 0) {
      throw std::runtime_error(path + "/railcni: cannot be made");
    }
    return path;
  }();
  return folder;
}

std::string key_of(const Json& conflist, const Container& container) {
  return conflist.at("name").as_string() + "/" + container.id + "/" + container.ifname;
}

}  // namespace

std::string railcni_binary() {
  const char* name = getenv("RAILCNI_BIN");
  if (name == nullptr || *name == '\0') {
    throw std::runtime_error("RAILCNI_BIN is not set: it must name the railcni binary to test");
  }
  char resolved[PATH_MAX];
  if (realpath(name, resolved) == nullptr || access(resolved, X_OK) != 0) {
    throw std::runtime_error(std::string("RAILCNI_BIN: no program at ") + name);
  }
  return resolved;
}

int64_t Call::code() const {
  const Json* code = json.find("code");
  return code != nullptr && code->is_integer() ? code->as_int() : 0;
}

std::string Call::msg() const {
  const Json* msg = json.find("msg");
  return msg != nullptr && msg->is_string() ? msg->as_string() : "";
}

Call exec_plugin(const std::string& path, const std::vector<std::string>& env,
                 const std::string& stdin_text) {
  Command command;
  command.argv = {path};
  command.env = env;
  command.stdin_text = stdin_text;
  Call call;
  call.process = run(command);
  try {
    if (!call.process.out.empty()) call.json = Json::parse(call.process.out);
  } catch (const Error&) {
    call.json = nullptr;
  }
  return call;
}

Runtime::Runtime(std::string cni_path) : cni_path_(std::move(cni_path)) {
  if (cni_path_.empty()) cni_path_ = plugin_folder() + ":" + kDebianPlugins;
}

std::string Runtime::find_plugin(const std::string& type) const {
  std::string rest = cni_path_;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(':'), rest.size());
    const std::string path = rest.substr(0, end) + "/" + type;
    if (access(path.c_str(), X_OK) == 0) return path;
    rest.erase(0, end + 1);
  }
  throw std::runtime_error("plugin \"" + type + "\" is not in " + cni_path_);
}

Json Runtime::plugin_config(const Json& conflist, size_t index, const Container& container,
                            const Json& prev_result) {
  Json config = conflist.at("plugins").as_array().at(index);
  config["name"] = conflist.at("name");
  if (const Json* version = conflist.find("cniVersion")) config["cniVersion"] = *version;
  if (!prev_result.is_null()) config["prevResult"] = prev_result;
  // Only the capabilities that the plugin says it has.
  Json runtime_config = Json::object();
  if (const Json* declared = config.find("capabilities")) {
    for (const auto& [name, enabled] : declared->as_object()) {
      const Json* value = container.capabilities.find(name);
      if (enabled == Json(true) && value != nullptr) runtime_config[name] = *value;
    }
  }
  if (!runtime_config.as_object().empty()) config["runtimeConfig"] = runtime_config;
  return config;
}

std::vector<std::string> Runtime::environment(const std::string& command,
                                              const Container& container) const {
  return {"CNI_COMMAND=" + command,
          "CNI_CONTAINERID=" + container.id,
          "CNI_NETNS=" + container.netns,
          "CNI_IFNAME=" + container.ifname,
          "CNI_ARGS=" + container.args,
          "CNI_PATH=" + cni_path_,
          "PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
}

Call Runtime::run_plugin(const std::string& command, const Json& config,
                         const Container& container) const {
  return exec_plugin(find_plugin(config.at("type").as_string()), environment(command, container),
                     config.dump());
}

void Runtime::restore(const Json& conflist, const Container& container, const Json& result) {
  results_[key_of(conflist, container)] = result;
}

Json Runtime::cached(const Json& conflist, const Container& container) const {
  const auto found = results_.find(key_of(conflist, container));
  return found == results_.end() ? Json() : found->second;
}

Call Runtime::add(const Json& conflist, const Container& container) {
  Call call;
  Json result;
  for (size_t i = 0; i < conflist.at("plugins").as_array().size(); ++i) {
    call = run_plugin("ADD", plugin_config(conflist, i, container, result), container);
    if (!call.ok()) return call;
    result = call.json;
  }
  results_[key_of(conflist, container)] = result;
  return call;
}

Call Runtime::check(const Json& conflist, const Container& container) {
  Call call;
  const Json result = cached(conflist, container);
  for (size_t i = 0; i < conflist.at("plugins").as_array().size(); ++i) {
    call = run_plugin("CHECK", plugin_config(conflist, i, container, result), container);
    if (!call.ok()) return call;
  }
  return call;
}

Call Runtime::del(const Json& conflist, const Container& container) {
  Call failure;
  Call call;
  const Json result = cached(conflist, container);
  for (size_t i = conflist.at("plugins").as_array().size(); i-- > 0;) {
    call = run_plugin("DEL", plugin_config(conflist, i, container, result), container);
    if (!call.ok()) failure = call;
  }
  results_.erase(key_of(conflist, container));
  return failure.process.exit_code > 0 || failure.process.signal != 0 ? failure : call;
}

Call Runtime::status(const Json& conflist) {
  Call call;
  for (size_t i = 0; i < conflist.at("plugins").as_array().size(); ++i) {
    call = run_plugin("STATUS", plugin_config(conflist, i, {}, nullptr), {"", "", ""});
    if (!call.ok()) return call;
  }
  return call;
}

Call Runtime::gc(const Json& conflist, const std::vector<Container>& valid) {
  Json attachments = Json::array();
  for (const Container& container : valid) {
    attachments.push_back(
        Json::object({{"containerID", container.id}, {"ifname", container.ifname}}));
  }
  Call call;
  for (size_t i = 0; i < conflist.at("plugins").as_array().size(); ++i) {
    Json config = plugin_config(conflist, i, {}, nullptr);
    // libcni sends both.
    config["cni.dev/valid-attachments"] = attachments;
    config["cni.dev/attachments"] = attachments;
    call = run_plugin("GC", config, {"", "", ""});
    if (!call.ok()) return call;
  }
  return call;
}

Json make_conflist(const std::string& version, const std::string& name, Json::Array plugins) {
  Json conflist = Json::object({{"cniVersion", version}, {"name", name}});
  conflist["plugins"] = Json::array(std::move(plugins));
  return conflist;
}

}  // namespace railcni::test
