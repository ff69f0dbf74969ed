// The network configuration: what stands on stdin, checked and typed.
#ifndef RAILCNI_CONFIG_H_
#define RAILCNI_CONFIG_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "railcni/coordinator.h"
#include "railcni/json.h"
#include "railcni/log.h"
#include "railcni/object_reader.h"
#include "railcni/request.h"

namespace railcni {

// A cniType and the key of its block: {"ib-sriov", "ibsriov"}.
struct TypeName {
  std::string_view cni_type;
  std::string_view block;
};

// Where addresses come from.
struct IpamConfig {
  // False: the link gets no addresses (disableIPAM, `"ipam": {}`, or nothing that names a pool
  // while no pool is a default one).
  bool enabled = true;
  // True when the configuration itself says that there shall be addresses: finding no pool is then
  // an error, not a link without addresses.
  bool required = false;
  // Another plugin that gives the addresses, by name; empty: railcni does.
  std::string delegate;
  std::vector<std::string> ipv4;  // names and globs
  std::vector<std::string> ipv6;
  bool match_master_subnet = false;
  // Pools that stand in the configuration itself (`ipam.pools`), not yet looked into.
  struct InlinePool {
    std::string path;  // "ipam.pools[0]", for messages
    std::string name;
    Json spec;  // a SpiderIPPool's
  };
  std::vector<InlinePool> inline_pools;
};

struct NetworkConfig {
  std::string cni_version;
  std::string name;
  std::string cni_type;  // empty: chained after the plugin that made the interface
  Json block;  // the object of the type (an empty one when absent); its keys are the backend's own
  std::string block_name;
  IpamConfig ipam;
  CoordinatorConfig coordinator;
  std::string data_dir;
  std::string node_name;  // empty: the host's name
  Json dns;               // null when absent
  Json prev_result;       // null when absent
  // runtimeConfig.mac and runtimeConfig.ips, args.cni.ips: what the runtime asks for this Pod.
  std::string runtime_mac;
  std::vector<std::string> requested_ips;
  // What ib-kubernetes and the runtime say of an InfiniBand attachment.
  struct Infiniband {
    std::string guid;       // runtimeConfig.infinibandGUID, else args.cni.guid
    std::string guid_path;  // where it stood, for messages
    std::string app;  // args.cni["mellanox.infiniband.app"]: "configured" when UFM knows the GUID
    Json pkey;        // args.cni.pkey; null when absent
  } infiniband;
  // Without cniType: the RDMA device of the interface that the plugin before made (rdmaIsolation,
  // rdmaDeviceName). With one, these are keys of its block.
  bool rdma_isolation = false;
  std::string rdma_device_name;
  // The device that was given to this Pod: runtimeConfig.deviceID, `deviceID` or `pciBusID`, the
  // first there is; empty: none.
  std::string device_id;
};

// What every verb needs before anything else (of another plugin's configuration, from its `ipam`),
// read without looking at the rest, so that a DEL works with a configuration that has become wrong
// since its ADD.
struct CommonConfig {
  std::string cni_version;
  std::string name;
  std::string data_dir;
  LogLevel log_level = LogLevel::kWarning;
  std::string log_file;
};
CommonConfig read_common_config(const Json& config);
// Its part about logging. Throws Error{kInvalidConfig}.
void read_log_config(const Json& config, CommonConfig& common);

// True when `type`, of a plugin or an ipam object, is railcni: by its own name, or by the one that
// it was started by.
bool names_railcni(std::string_view type);

// Parts of a configuration that are read in the same way whoever's it is.
//
// The addresses that the runtime asks for: runtimeConfig.ips, args.cni.ips, CNI_ARGS' IP.
std::vector<std::string> requested_ips(const Request& request);
// The device that was given to the Pod: runtimeConfig.deviceID, `deviceID` or `pciBusID`, the first
// there is; empty: none.
std::string assigned_device(const Json& config);
// `pools`, `ippools` and `matchMasterSubnet` of an `ipam` object.
void read_pool_keys(ObjectReader& ipam, IpamConfig& config);

// Reads and checks the whole configuration of a request (CNI_ARGS' IP is added to requested_ips,
// its MAC is the backend's to weigh). `types` are the backends there are. Throws
// Error{kInvalidConfig} that names the key.
NetworkConfig read_config(const Request& request, const std::vector<TypeName>& types);

// The attachments that a GC says are valid: `cni.dev/valid-attachments`, or `cni.dev/attachments`
// as libcni also calls it; nothing when neither key is there.
struct ValidAttachment {
  std::string container_id;
  std::string ifname;
};
std::optional<std::vector<ValidAttachment>> valid_attachments(const Json& config);

}  // namespace railcni

#endif  // RAILCNI_CONFIG_H_
