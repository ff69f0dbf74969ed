#include "railcni/ipam_config.h"

#include <algorithm>
#include <cctype>

#include "railcni/error.h"
#include "railcni/object_reader.h"

namespace railcni {
namespace {

void read_railcni(const Json& ipam, OuterIpamConfig& config) {
  ObjectReader reader(ipam, "ipam");
  reader.allow({"type", "dataDir", "logFile", "logLevel"});  // read_common_config() has read them
  read_pool_keys(reader, config.network.ipam);
  config.network.node_name = reader.string("nodeName").value_or("");
  reader.finish();
}

// `master` is a name with most plugins, and a list with those of AI clusters.
std::string read_master(ObjectReader& outer) {
  const Json* value = outer.any("master");
  if (value == nullptr) return "";
  const std::vector<std::string> masters = outer.string_or_strings("master");
  if (masters.size() != 1) {
    throw Error(Code::kInvalidConfig, "matchMasterSubnet: master " + value->dump() +
                                          ": must be one interface, not " +
                                          std::to_string(masters.size()));
  }
  return masters.front();
}

}  // namespace

OuterIpamConfig read_ipam_config(const Request& request) {
  const Json& json = request.config;
  const CommonConfig common = read_common_config(json);
  OuterIpamConfig config;
  config.role = ipam_role(json);
  config.network.cni_version = common.cni_version;
  config.network.name = common.name;
  config.network.data_dir = common.data_dir;
  // The outer plugin has asked for an address: to give none is not an answer.
  config.network.ipam.required = true;

  ObjectReader outer(json, "");
  const Json* ipam = outer.object("ipam");
  if (ipam == nullptr) throw Error(Code::kInvalidConfig, "the configuration has no \"ipam\"");
  config.outer_type = outer.string("type").value_or("");
  config.network.requested_ips = requested_ips(request);
  switch (config.role) {
    case IpamRole::kHostLocal:
      read_host_local(*ipam, request, config);
      break;
    case IpamRole::kSpiderpool:
      read_spiderpool(*ipam, config);
      break;
    case IpamRole::kRailcni:
    case IpamRole::kNone:
      read_railcni(*ipam, config);
      break;
  }
  if (config.network.ipam.match_master_subnet) {
    config.network.device_id = assigned_device(json);
    config.master = read_master(outer);
    config.link_in_container = outer.boolean("linkInContainer").value_or(false);
  }
  return config;
}

void read_spiderpool(const Json& ipam, OuterIpamConfig& config) {
  ObjectReader reader(ipam, "ipam");
  reader.allow({"type", "log_level", "log_file_path"});  // read_log_config() has read the latter
  IpamConfig& pools = config.network.ipam;
  pools.ipv4 = reader.strings("default_ipv4_ippool");
  pools.ipv6 = reader.strings("default_ipv6_ippool");
  pools.match_master_subnet = reader.boolean("match_master_subnet").value_or(false);
  config.default_routes = !reader.boolean("clean_gateway").value_or(false);
  for (const char* key : {"log_file_max_size", "log_file_max_age", "log_file_max_count"}) {
    if (reader.integer(key, 0, INT32_MAX).value_or(0) == 0) continue;
    throw Error(Code::kInvalidConfig, "ipam." + std::string(key) +
                                          ": railcni does not rotate its log; remove the key and "
                                          "leave the file of log_file_path to logrotate");
  }
  if (const auto path = reader.string("ipam_unix_socket_path"); path && !path->empty()) {
    log_warning("ipam.ipam_unix_socket_path \"" + *path + "\" is not used: railcni has no agent");
  }
  reader.finish();
}

LogLevel parse_spiderpool_log_level(const std::string& text) {
  std::string level = text;
  std::transform(level.begin(), level.end(), level.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  // railcni has nothing to say above an error.
  if (level == "fatal" || level == "panic") return LogLevel::kError;
  return parse_log_level(level);
}

}  // namespace railcni
