#include "railcni/config.h"

#include "railcni/error.h"
#include "railcni/ipam_config.h"
#include "railcni/ipam_role.h"
#include "railcni/object_reader.h"
#include "railcni/program_name.h"

namespace railcni {
namespace {

// Keys of the specification and of its callers that need no reading here: the runtime has acted on
// them already, or they are another plugin's business.
void allow_foreign_keys(ObjectReader& reader) {
  reader.allow(
      {"cniVersion", "cniVersions", "name", "disableCheck", "disableGC", "loadOnlyInlinedPlugins"});
  reader.string("type");
  reader.object("capabilities");
  reader.boolean("ipMasq");
  reader.allow_prefix("cni.dev/");
  // Multus puts these into every plugin's configuration.
  reader.allow({"cni-args", "resourceName"});
}

// `ippools` and `matchMasterSubnet` stand at the top level, inside the type's block, inside `ipam`,
// and matchMasterSubnet inside `ippools` too: users' documents have all of these.
class PoolSelectionReader {
 public:
  explicit PoolSelectionReader(IpamConfig& ipam) : ipam_(ipam) {}

  void read(ObjectReader& reader) {
    if (const auto match = reader.boolean("matchMasterSubnet")) {
      set_match(*match, reader.full_name("matchMasterSubnet"));
    }
    const Json* pools = reader.object("ippools");
    if (pools == nullptr) return;
    const std::string path = reader.full_name("ippools");
    if (!pools_at_.empty()) {
      throw Error(Code::kInvalidConfig,
                  "ippools stands twice: at " + pools_at_ + " and at " + path + "; keep one");
    }
    pools_at_ = path;
    ObjectReader list(*pools, path);
    ipam_.ipv4 = list.string_or_strings("ipv4");
    ipam_.ipv6 = list.string_or_strings("ipv6");
    if (const auto match = list.boolean("matchMasterSubnet")) {
      set_match(*match, list.full_name("matchMasterSubnet"));
    }
    list.finish();
    for (const auto* names : {&ipam_.ipv4, &ipam_.ipv6}) {
      for (const std::string& name : *names) {
        if (name.empty()) throw Error(Code::kInvalidConfig, path + ": a pool's name is empty");
      }
    }
    if (!ipam_.ipv4.empty() || !ipam_.ipv6.empty()) ipam_.required = true;
  }

 private:
  void set_match(bool match, const std::string& path) {
    if (match_at_.empty()) {
      match_at_ = path;
      ipam_.match_master_subnet = match;
    } else if (match != ipam_.match_master_subnet) {
      throw Error(Code::kInvalidConfig, "matchMasterSubnet is " +
                                            std::string(match ? "true" : "false") + " at " + path +
                                            " and the opposite at " + match_at_);
    }
  }

  IpamConfig& ipam_;
  std::string pools_at_;
  std::string match_at_;
};

// `pools` of the `ipam` object: each a name and a SpiderIPPool's spec in one object.
void read_inline_pools(const Json& pools, IpamConfig& ipam) {
  size_t index = 0;
  for (const Json& entry : pools.as_array()) {
    IpamConfig::InlinePool pool;
    pool.path = "ipam.pools[" + std::to_string(index++) + "]";
    ObjectReader reader(entry, pool.path);
    pool.name = reader.string("name").value_or("");
    if (pool.name.empty()) throw Error(Code::kInvalidConfig, pool.path + ".name is missing");
    for (const IpamConfig::InlinePool& other : ipam.inline_pools) {
      if (other.name == pool.name) {
        throw Error(Code::kInvalidConfig,
                    pool.path + ": \"" + pool.name + "\" is the name of " + other.path + " too");
      }
    }
    pool.spec = entry;
    pool.spec.erase("name");
    ipam.inline_pools.push_back(std::move(pool));
  }
}

// The rest of the object is the other plugin's to read.
void read_delegate(const std::string& type, bool disabled, IpamConfig& ipam) {
  if (type.empty() || type.find('/') != std::string::npos) {
    throw Error(Code::kInvalidConfig,
                "ipam.type \"" + type + "\": must be \"railcni\" or the name of a plugin");
  }
  const std::string what = "ipam.type \"" + type + "\" gives the addresses, yet ";
  if (disabled) throw Error(Code::kInvalidConfig, what + "disableIPAM is true: remove one");
  if (ipam.required || ipam.match_master_subnet) {
    throw Error(Code::kInvalidConfig,
                what + (ipam.required ? "ippools" : "matchMasterSubnet") +
                    " is given, which is for railcni's own pools: remove one");
  }
  ipam.delegate = type;
}

void read_ipam(ObjectReader& top, PoolSelectionReader& selection, IpamConfig& ipam) {
  const bool disabled = top.boolean("disableIPAM").value_or(false);
  const Json* object = top.object("ipam");
  if (object != nullptr && object->as_object().empty()) {
    ipam.enabled = false;  // as the reference plugins mean it: a link without addresses
  } else if (object != nullptr) {
    ObjectReader reader(*object, "ipam");
    const std::string type = reader.string("type").value_or(std::string(kOwnName));
    if (!names_railcni(type)) {
      read_delegate(type, disabled, ipam);
      return;
    }
    ipam.required = true;
    if (const Json* pools = reader.array("pools")) read_inline_pools(*pools, ipam);
    selection.read(reader);
    reader.finish();
  }
  if (disabled) {
    if (ipam.required) {
      throw Error(Code::kInvalidConfig, "disableIPAM is true, yet pools are named: remove one");
    }
    ipam.enabled = false;
  }
}

// The block of the configuration's cniType; a block of another type is a mistake.
void read_type(ObjectReader& top, const Request& request, const std::vector<TypeName>& types,
               NetworkConfig& config) {
  const Json& json = request.config;
  std::vector<std::string> names;
  std::string list;
  for (const TypeName& type : types) {
    names.emplace_back(type.cni_type);
    list += (list.empty() ? "" : ", ") + std::string(type.cni_type);
  }
  config.cni_type = top.string("cniType").value_or("");
  const Json* previous = json.find("prevResult");
  const bool has_previous = previous != nullptr && !previous->is_null();
  if (config.cni_type.empty() && !has_previous && request.verb != Verb::kStatus) {
    throw Error(Code::kInvalidConfig, "cniType is missing: must be one of " + list +
                                          "; or railcni must follow another plugin in a list, and "
                                          "there is no prevResult");
  }
  for (const TypeName& type : types) {
    if (type.cni_type == config.cni_type) {
      config.block_name = type.block;
    } else if (json.find(type.block) != nullptr && !json.find(type.block)->is_null()) {
      throw Error(Code::kInvalidConfig, "block \"" + std::string(type.block) +
                                            "\" does not belong to cniType \"" + config.cni_type +
                                            "\"");
    }
  }
  if (config.block_name.empty() && !config.cni_type.empty()) {
    std::string msg = "cniType \"" + config.cni_type + "\": must be one of " + list;
    if (const std::string near = nearest_word(config.cni_type, names); !near.empty()) {
      msg += "; did you mean \"" + near + "\"?";
    }
    throw Error(Code::kInvalidConfig, msg);
  }
  config.block = Json::object();
  if (config.cni_type.empty()) return;
  if (const Json* block = top.object(config.block_name)) config.block = *block;
}

// The specification's four members, and no others: what is here goes into results and records.
Json read_dns(const Json& object) {
  ObjectReader reader(object, "dns");
  Json dns = Json::object();
  const auto put_list = [&](std::string_view key) {
    const std::vector<std::string> list = reader.strings(key);
    if (!list.empty()) dns[key] = Json::strings(list);
  };
  put_list("nameservers");
  if (const auto domain = reader.string("domain")) dns["domain"] = *domain;
  put_list("search");
  put_list("options");
  reader.finish();
  return dns;
}

// ib-kubernetes' side of its contract (the Pod's network annotation, which Multus hands on).
void read_infiniband_args(ObjectReader& reader, NetworkConfig::Infiniband& infiniband) {
  const std::string guid = reader.string("guid").value_or("");
  if (infiniband.guid.empty()) {
    infiniband.guid = guid;
    infiniband.guid_path = reader.full_name("guid");
  }
  infiniband.app = reader.string("mellanox.infiniband.app").value_or("");
  if (const Json* pkey = reader.any("pkey")) infiniband.pkey = *pkey;
}

void read_runtime_requests(ObjectReader& top, const Request& request, NetworkConfig& config) {
  if (const Json* runtime = top.object("runtimeConfig")) {
    // Only what the configuration's `capabilities` declare arrives here, and every plugin of a
    // chain gets all of it: what is not ours to do is not an error.
    ObjectReader reader(*runtime, "runtimeConfig");
    config.runtime_mac = reader.string("mac").value_or("");
    config.infiniband.guid = reader.string("infinibandGUID").value_or("");
    config.infiniband.guid_path = reader.full_name("infinibandGUID");
  }
  if (const Json* args = top.object("args")) {
    ObjectReader reader(*args, "args");
    if (const Json* cni = reader.object("cni")) {
      ObjectReader cni_reader(*cni, "args.cni");
      read_infiniband_args(cni_reader, config.infiniband);
    }
  }
  config.requested_ips = requested_ips(request);
  config.device_id = assigned_device(request.config);
  top.allow({"deviceID", "pciBusID"});
}

// A member that is a string, or "" when it is absent.
std::string text_member(const Json& config, std::string_view key) {
  const Json* value = config.find(key);
  if (value == nullptr || value->is_null()) return "";
  if (!value->is_string()) {
    throw Error(Code::kInvalidConfig,
                std::string(key) + ": must be a string, not " + value->dump());
  }
  return value->as_string();
}

// Of a configuration of another plugin, only the `ipam` object is ours.
const Json& own_part(const Json& config) {
  static const Json kNothing = Json::object();
  if (ipam_role(config) == IpamRole::kNone) return config;
  const Json* ipam = config.find("ipam");
  return ipam != nullptr && ipam->is_object() ? *ipam : kNothing;
}

}  // namespace

bool names_railcni(std::string_view type) { return type == kOwnName || type == program_name(); }

CommonConfig read_common_config(const Json& config) {
  CommonConfig common;
  common.cni_version = config_version(config);
  common.name = text_member(config, "name");
  common.data_dir = text_member(own_part(config), "dataDir");
  return common;
}

void read_log_config(const Json& config, CommonConfig& common) {
  const bool spiderpool = ipam_role(config) == IpamRole::kSpiderpool;
  const Json& own = own_part(config);
  common.log_file = text_member(own, spiderpool ? "log_file_path" : "logFile");
  if (const std::string level = text_member(own, spiderpool ? "log_level" : "logLevel");
      !level.empty()) {
    common.log_level = spiderpool ? parse_spiderpool_log_level(level) : parse_log_level(level);
  }
}

std::vector<std::string> requested_ips(const Request& request) {
  ObjectReader top(request.config, "");
  std::vector<std::string> ips;
  if (const Json* runtime = top.object("runtimeConfig")) {
    ips = ObjectReader(*runtime, "runtimeConfig").strings("ips");
  }
  if (const Json* args = top.object("args")) {
    ObjectReader reader(*args, "args");
    if (const Json* cni = reader.object("cni")) {
      for (const std::string& ip : ObjectReader(*cni, "args.cni").string_or_strings("ips")) {
        ips.push_back(ip);
      }
    }
  }
  // CNI_ARGS: IP=a,b asks for one address of each family.
  const std::string arg = request.arg("IP");
  for (std::string_view list = arg; !list.empty();) {
    const size_t end = std::min(list.find(','), list.size());
    if (end > 0) ips.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return ips;
}

std::string assigned_device(const Json& config) {
  ObjectReader top(config, "");
  std::string device;
  if (const Json* runtime = top.object("runtimeConfig")) {
    device = ObjectReader(*runtime, "runtimeConfig").string("deviceID").value_or("");
  }
  // Multus puts both into every plugin's configuration.
  for (const std::string_view key : {"deviceID", "pciBusID"}) {
    const std::string text = top.string(key).value_or("");
    if (device.empty()) device = text;
  }
  return device;
}

void read_pool_keys(ObjectReader& ipam, IpamConfig& config) {
  if (const Json* pools = ipam.array("pools")) read_inline_pools(*pools, config);
  PoolSelectionReader(config).read(ipam);
}

NetworkConfig read_config(const Request& request, const std::vector<TypeName>& types) {
  const Json& json = request.config;
  const CommonConfig common = read_common_config(json);
  NetworkConfig config;
  config.cni_version = common.cni_version;
  config.name = common.name;
  config.data_dir = common.data_dir;

  ObjectReader top(json, "");
  allow_foreign_keys(top);
  top.allow({"dataDir", "logFile", "logLevel"});  // read_common_config() has read them
  read_type(top, request, types, config);
  PoolSelectionReader selection(config.ipam);
  selection.read(top);
  ObjectReader block(config.block, config.block_name);
  selection.read(block);
  read_ipam(top, selection, config.ipam);
  read_runtime_requests(top, request, config);
  config.coordinator = read_coordinator(top);
  if (config.cni_type.empty()) {
    config.rdma_isolation = top.boolean("rdmaIsolation").value_or(false);
    config.rdma_device_name = top.string("rdmaDeviceName").value_or("");
  }
  config.node_name = top.string("nodeName").value_or("");
  if (const Json* dns = top.object("dns")) config.dns = read_dns(*dns);
  if (const Json* previous = top.object("prevResult")) config.prev_result = *previous;
  top.finish();

  if (config.cni_type.empty()) {
    // The plugin that made the interface has given it its addresses, and may have been asked for
    // particular ones in keys that every plugin of the list gets.
    if (config.ipam.required || !config.ipam.delegate.empty()) {
      throw Error(Code::kInvalidConfig,
                  "there is an IPAM, but without cniType the plugin before gives the addresses");
    }
    config.ipam.enabled = false;
    return config;
  }
  if (!config.requested_ips.empty()) config.ipam.required = true;
  if (!config.ipam.enabled && !config.requested_ips.empty()) {
    throw Error(Code::kInvalidConfig, "address " + config.requested_ips.front() +
                                          " is requested, but this network has no IPAM");
  }
  return config;
}

std::optional<std::vector<ValidAttachment>> valid_attachments(const Json& config) {
  const Json* list = nullptr;
  std::string_view key;
  for (const std::string_view name : {"cni.dev/valid-attachments", "cni.dev/attachments"}) {
    const Json* value = config.find(name);
    if (value == nullptr || value->is_null() || list != nullptr) continue;
    list = value;
    key = name;
  }
  if (list == nullptr) return std::nullopt;
  const auto fail = [key] {
    throw Error(Code::kInvalidConfig,
                std::string(key) + ": must be a list of {\"containerID\", \"ifname\"}");
  };
  if (!list->is_array()) fail();
  std::vector<ValidAttachment> valid;
  for (const Json& entry : list->as_array()) {
    const Json* id = entry.find("containerID");
    const Json* ifname = entry.find("ifname");
    // Freeing less is safe, freeing an attachment because its entry could not be read is not.
    if (id == nullptr || !id->is_string() || ifname == nullptr || !ifname->is_string()) fail();
    valid.push_back({id->as_string(), ifname->as_string()});
  }
  return valid;
}

}  // namespace railcni
