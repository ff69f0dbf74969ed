// The node policy: what the administrator of a node lets those ask for who write network
// configurations and Pods. docs/security.md has the keys in words.
#ifndef RAILCNI_POLICY_H_
#define RAILCNI_POLICY_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "railcni/address.h"
#include "railcni/json.h"

namespace railcni {

// The folder of the policy: `policy.yaml` or `policy.json` in it.
inline constexpr const char* kPolicyFolder = "/etc/railcni";
// A policy is a page; larger files are refused.
inline constexpr size_t kMaxPolicySize = size_t{64} << 10;

// The values without a policy file are the safe ones.
struct NodePolicy {
  // logDirs: `logFile` and `log_file_path` must be below one of these.
  std::vector<std::string> log_dirs = {"/var/log"};
  // dataDirs: `dataDir` must be below one of these.
  std::vector<std::string> data_dirs = {"/run", "/var/lib"};
  // pluginDirs: besides CNI_PATH of the call, where the program of a recorded IPAM is looked for.
  // Where Kubernetes' packages and Debian's have their plugins.
  std::vector<std::string> plugin_dirs = {"/opt/cni/bin", "/usr/lib/cni"};
  // hostRoutes: to which Pods' addresses the host may get routes.
  enum class HostRoutes {
    kAppliedPools,  // those in pools that were applied on this node and are for the attachment
    kAny,           // also those of inline pools and of other IPAMs
    kNone,
  };
  HostRoutes host_routes = HostRoutes::kAppliedPools;
  // clusterCIDRs: the cluster's service and Pod networks, to which no Pod ever gets a host route.
  std::vector<IpPrefix> cluster_cidrs;
  // inlinePools: what `ipam.pools` of a configuration may hold.
  enum class InlinePools {
    kSeparate,  // no address in the subnet of a pool that was applied on this node
    kOverlap,   // any address
    kNone,      // nothing: only applied pools are used
  };
  InlinePools inline_pools = InlinePools::kSeparate;
  // maxAddressesPerFamily: how many addresses of one family a Pod may ask for by runtimeConfig.ips,
  // args.cni.ips and CNI_ARGS' IP together. One, as Spiderpool gives an interface.
  int64_t max_addresses_per_family = 1;

  std::string file;  // where it was read from; empty: there is none

  // The keys and values as a policy file has them.
  Json to_json() const;
};

// What is wrong with a policy file.
struct PolicyProblem {
  std::string key;   // "" when it is the file as a whole
  std::string what;  // as a person reads it, without file and line
  int line = 0;      // from 1 on; 0: not known
};

struct PolicyReading {
  // What is in force: keys that are wrong have their defaults.
  NodePolicy policy;
  std::vector<PolicyProblem> problems;
  std::string file;  // that was read, or could not be; empty: there is none

  // "FILE:LINE: what" of one problem.
  std::string text_of(const PolicyProblem& problem) const;
  // All of them in one line.
  std::string summary() const;
};

// Reads the policy's text: JSON when `file` ends in ".json", else YAML. Never throws Error.
PolicyReading parse_policy(const std::string& file, std::string_view text);

// Reads this node's policy. The file and every folder above it must be root's own and writable by
// nobody else, no link is followed, and there may be one file only; what is not so is a problem of
// the reading, and the defaults are in force. Without kPolicyFolder this is one failed open().
PolicyReading read_node_policy();

// The policy in force in this process: the defaults until set_node_policy() is called.
const NodePolicy& node_policy();
void set_node_policy(NodePolicy policy);

// True when `path` is absolute, without ".", "..", empty components and what printable() would
// escape.
bool is_plain_path(std::string_view path);

// True when `path`, but for empty components, is a plain one and lies below (not at) one of
// `folders`. Below a folder of containers' files (/var/lib/kubelet, /run/containerd, /var/log/pods,
// ...), where the root of a container can make whatever it likes, one of `folders` must lie there,
// too.
bool is_allowed_path(const std::string& path, const std::vector<std::string>& folders);

// "/run, /var/lib", for messages.
std::string joined(const std::vector<std::string>& words);

}  // namespace railcni

#endif  // RAILCNI_POLICY_H_
