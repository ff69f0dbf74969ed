#include "railcni/policy.h"

#include <algorithm>
#include <array>
#include <utility>

#include "railcni/utf8.h"

namespace railcni {
namespace {

// Where container runtimes and the kubelet keep what containers see as their own files.
constexpr std::array<std::string_view, 12> kContainerFolders = {
    "/run/containerd",  "/run/containers",     "/run/crio",           "/run/docker",
    "/run/k3s",         "/var/lib/containerd", "/var/lib/containers", "/var/lib/docker",
    "/var/lib/kubelet", "/var/lib/rancher",    "/var/log/containers", "/var/log/pods"};

bool is_below(std::string_view path, std::string_view folder) {
  while (folder.ends_with('/')) folder.remove_suffix(1);
  return path.size() > folder.size() + 1 && path.starts_with(folder) && path[folder.size()] == '/';
}

// "/a//b/" is "/a/b".
std::string without_empty_parts(std::string_view path) {
  std::string plain;
  for (const char c : path) {
    if (c != '/' || !plain.ends_with('/')) plain += c;
  }
  if (plain.size() > 1 && plain.ends_with('/')) plain.pop_back();
  return plain;
}

std::string_view name_of(NodePolicy::HostRoutes value) {
  switch (value) {
    case NodePolicy::HostRoutes::kAny:
      return "any";
    case NodePolicy::HostRoutes::kNone:
      return "none";
    case NodePolicy::HostRoutes::kAppliedPools:
      break;
  }
  return "appliedPools";
}

std::string_view name_of(NodePolicy::InlinePools value) {
  switch (value) {
    case NodePolicy::InlinePools::kOverlap:
      return "overlap";
    case NodePolicy::InlinePools::kNone:
      return "none";
    case NodePolicy::InlinePools::kSeparate:
      break;
  }
  return "separate";
}

NodePolicy& the_policy() {
  static auto* const policy = new NodePolicy;  // no destructor runs at the exit
  return *policy;
}

}  // namespace

Json NodePolicy::to_json() const {
  std::vector<std::string> cidrs;
  for (const IpPrefix& cidr : cluster_cidrs) cidrs.push_back(cidr.to_string());
  return Json::object({{"logDirs", Json::strings(log_dirs)},
                       {"dataDirs", Json::strings(data_dirs)},
                       {"pluginDirs", Json::strings(plugin_dirs)},
                       {"hostRoutes", name_of(host_routes)},
                       {"clusterCIDRs", Json::strings(cidrs)},
                       {"inlinePools", name_of(inline_pools)},
                       {"maxAddressesPerFamily", max_addresses_per_family}});
}

const NodePolicy& node_policy() { return the_policy(); }

void set_node_policy(NodePolicy policy) { the_policy() = std::move(policy); }

bool is_plain_path(std::string_view path) {
  if (!path.starts_with('/') || printable(path) != path) return false;
  for (path.remove_prefix(1);;) {
    const size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    if (name.empty() || name == "." || name == "..") return false;
    if (end == path.size()) return true;
    path.remove_prefix(end + 1);
  }
}

bool is_allowed_path(const std::string& name, const std::vector<std::string>& folders) {
  const std::string path = without_empty_parts(name);
  if (!is_plain_path(path)) return false;
  std::string_view guarded;
  for (const std::string_view folder : kContainerFolders) {
    if (path == folder || is_below(path, folder)) guarded = folder;
  }
  return std::any_of(folders.begin(), folders.end(), [&](const std::string& folder) {
    const bool is_deep = guarded.empty() || folder == guarded || is_below(folder, guarded);
    return is_deep && is_below(path, folder);
  });
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace railcni
