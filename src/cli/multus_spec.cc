#include "src/cli/multus_spec.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string_view>

#include "railcni/config.h"
#include "railcni/dropin.h"
#include "railcni/error.h"
#include "railcni/object_reader.h"

namespace railcni::cli {
namespace {

constexpr std::array<TypeName, 5> kTypes = {{{"macvlan", "macvlan"},
                                             {"ipvlan", "ipvlan"},
                                             {"sriov", "sriov"},
                                             {"ib-sriov", "ibsriov"},
                                             {"ipoib", "ipoib"}}};

constexpr size_t kLongestInterfaceName = 15;  // IFNAMSIZ of <net/if.h>, without the final NUL

[[noreturn]] void fail(const std::string& key, const std::string& why) {
  throw Error(Code::kInvalidConfig, key + ": " + why);
}

// The keys that say which pools: railcni takes them as they are.
void copy_pools(ObjectReader& reader, Json& out) {
  if (const Json* pools = reader.object("ippools")) out["ippools"] = *pools;
  if (const auto match = reader.boolean("matchMasterSubnet")) out["matchMasterSubnet"] = *match;
}

void copy_number(ObjectReader& reader, std::string_view key, int64_t max, Json& out) {
  if (const auto number = reader.integer(key, 0, max)) out[key] = *number;
}

std::string required(ObjectReader& reader, std::string_view key) {
  std::string text = reader.string(key).value_or("");
  if (text.empty()) fail(reader.full_name(key), "is missing");
  return text;
}

void check_interface_name(const ObjectReader& reader, std::string_view key,
                          const std::string& name) {
  if (name.empty() || name.size() > kLongestInterfaceName) {
    fail(reader.full_name(key), "\"" + name + "\": the name of an interface has 1 to 15 bytes");
  }
}

// macvlan and ipvlan, on one interface, or on a bond of several, or on a VLAN of either.
Json child_block(ObjectReader& reader) {
  Json block = Json::object();
  const std::vector<std::string> masters = reader.string_or_strings("master");
  if (masters.empty()) fail(reader.full_name("master"), "is missing: a list of interfaces");
  for (const std::string& master : masters) check_interface_name(reader, "master", master);
  block["master"] = Json::strings(masters);
  const auto vlan = reader.integer("vlanID", 0, 4094);
  if (vlan) block["vlanID"] = *vlan;
  copy_number(reader, "mtu", 65535, block);
  std::string base = masters.front();
  if (const Json* object = reader.object("bond")) {
    ObjectReader bond(*object, reader.full_name("bond"));
    base = required(bond, "name");
    check_interface_name(bond, "name", base);
    bond.integer("mode", 0, 6);
    bond.string("options");
    bond.finish();
    if (masters.size() < 2) {
      fail(reader.full_name("bond"), "a bond needs two or more interfaces in \"master\"");
    }
    block["bond"] = *object;
  } else if (masters.size() > 1) {
    fail(reader.full_name("bond"),
         "is missing: several interfaces in \"master\" need a bond with "
         "a name");
  }
  if (vlan.value_or(0) != 0) {
    check_interface_name(reader, "vlanID", base + "." + std::to_string(*vlan));
  }
  if (const auto resource = reader.string("rdmaResourceName"); resource && !resource->empty()) {
    block["rdmaResourceName"] = *resource;
  }
  return block;
}

Json sriov_block(ObjectReader& reader, RenderedSpec& out) {
  Json block = Json::object();
  out.resource_name = required(reader, "resourceName");
  block["resourceName"] = out.resource_name;
  copy_number(reader, "vlanID", 4094, block);
  copy_number(reader, "mtu", 65535, block);
  const auto min = reader.integer("minTxRateMbps", 0, UINT32_MAX);
  const auto max = reader.integer("maxTxRateMbps", 0, UINT32_MAX);
  if (min && max && *max != 0 && *min > *max) {
    fail(reader.full_name("minTxRateMbps"), std::to_string(*min) + ": must be at most " +
                                                reader.full_name("maxTxRateMbps") + ", " +
                                                std::to_string(*max));
  }
  if (min) block["minTxRateMbps"] = *min;
  if (max) block["maxTxRateMbps"] = *max;
  const auto isolation = reader.boolean("rdmaIsolation");
  // The older schema's name for it.
  const auto enable = reader.boolean("enableRdma");
  if (isolation && enable && *isolation != *enable) {
    fail(reader.full_name("enableRdma"),
         "says the opposite of " + reader.full_name("rdmaIsolation") + ": keep one");
  }
  if (isolation || enable) block["rdmaIsolation"] = isolation ? *isolation : *enable;
  return block;
}

// "0x3e8", as ib-kubernetes wants it. The documents write numbers, too, which are decimal ones.
std::optional<std::string> read_pkey(ObjectReader& reader) {
  const Json* value = reader.any("pkey");
  if (value == nullptr || (value->is_string() && value->as_string().empty())) return std::nullopt;
  constexpr int64_t kLargest = 0x7fff;  // 15 bits: the 16th says full or limited membership
  int64_t number = -1;
  if (value->is_integer()) {
    number = value->as_int();
  } else if (value->is_string()) {
    const std::string& text = value->as_string();
    const bool is_hex = text.size() >= 3 && text.size() <= 6 && text[0] == '0' &&
                        (text[1] == 'x' || text[1] == 'X') &&
                        text.find_first_not_of("0123456789abcdefABCDEF", 2) == std::string::npos;
    if (is_hex) number = std::stol(text.substr(2), nullptr, 16);
  }
  if (number < 1 || number > kLargest) {
    fail(reader.full_name("pkey"),
         value->dump() + ": must be a partition key from \"0x1\" to \"0x7fff\"");
  }
  char text[16];
  std::snprintf(text, sizeof text, "0x%x", static_cast<unsigned>(number));
  return text;
}

struct IbSriov {
  Json block = Json::object();
  bool for_ib_kubernetes = false;
};

IbSriov ib_sriov_block(ObjectReader& reader, RenderedSpec& out) {
  IbSriov result;
  out.resource_name = required(reader, "resourceName");
  const auto pkey = read_pkey(reader);
  if (pkey) result.block["pkey"] = *pkey;
  const std::string state = reader.string("linkState").value_or("enable");
  if (state != "auto" && state != "enable" && state != "disable") {
    fail(reader.full_name("linkState"), "\"" + state + "\": must be auto, enable or disable");
  }
  result.block["linkState"] = state;
  result.block["rdmaIsolation"] = reader.boolean("rdmaIsolation").value_or(true);
  // The documents' name and the schema's.
  const bool enable = reader.boolean("enableIbKubernetes").value_or(false);
  const bool enabled = reader.boolean("ibKubernetesEnabled").value_or(false);
  result.block["enableIbKubernetes"] = enable || enabled;
  result.for_ib_kubernetes = enable || enabled || pkey.has_value();
  return result;
}

// ib-kubernetes looks for plugins of type ib-sriov and reads their `pkey`: for it the network keeps
// that type and its flat keys.
Json flat_ib_sriov(const Json& block) {
  Json plugin = Json::object({{"type", "ib-sriov"}});
  if (const Json* pkey = block.find("pkey")) plugin["pkey"] = *pkey;
  plugin["link_state"] = block.at("linkState");
  plugin["rdmaIsolation"] = block.at("rdmaIsolation");
  plugin["ibKubernetesEnabled"] = block.at("enableIbKubernetes");
  return plugin;
}

Json main_plugin(const TypeName& type, const Json& source, RenderedSpec& out) {
  Json plugin = Json::object({{"type", "railcni"}, {"cniType", type.cni_type}});
  ObjectReader reader(source, "spec." + std::string(type.block));
  Json pools = Json::object();
  copy_pools(reader, pools);
  Json block;
  if (type.cni_type == "macvlan" || type.cni_type == "ipvlan") {
    block = child_block(reader);
  } else if (type.cni_type == "sriov") {
    block = sriov_block(reader, out);
  } else if (type.cni_type == "ib-sriov") {
    const IbSriov ib = ib_sriov_block(reader, out);
    if (ib.for_ib_kubernetes) {
      plugin = flat_ib_sriov(ib.block);
      out.notices.emplace_back(
          "rendered with type ib-sriov, which ib-kubernetes looks for: nodes need 'railcni install "
          "--as ib-sriov'");
    } else {
      block = ib.block;
      block["resourceName"] = out.resource_name;
    }
  } else {
    block = Json::object({{"master", required(reader, "master")}});
    check_interface_name(reader, "master", block.at("master").as_string());
  }
  reader.finish();
  const bool is_flat = block.is_null();
  if (!is_flat) plugin[type.block] = std::move(block);
  Json& place = is_flat ? plugin : plugin[type.block];
  for (auto& [key, value] : pools.as_object()) place[key] = std::move(value);
  return plugin;
}

Json::Array read_chain(ObjectReader& reader) {
  Json::Array plugins;
  const Json* list = reader.array("chainCNIJsonData");
  if (list == nullptr) return plugins;
  for (const Json& entry : list->as_array()) {
    const std::string path =
        reader.full_name("chainCNIJsonData") + "[" + std::to_string(plugins.size()) + "]";
    Json plugin = entry;
    if (entry.is_string()) {
      try {
        plugin = Json::parse(entry.as_string());
      } catch (const Error& error) {
        throw error.with_context(path);
      }
    }
    const Json* type = plugin.find("type");
    if (type == nullptr || !type->is_string() || type->as_string().empty()) {
      fail(path, "must be the JSON of a plugin's configuration, with a \"type\"");
    }
    plugins.push_back(std::move(plugin));
  }
  return plugins;
}

// What would be said at an ADD, said now.
void check_plugin(const Json& plugin, const std::string& network, const std::string& cni_version) {
  Request request;
  request.verb = Verb::kAdd;
  request.config = plugin;
  request.config["name"] = network;
  request.config["cniVersion"] = cni_version;
  try {
    translate_dropin(plugin.at("type").as_string(), request);
    read_config(request, {kTypes.begin(), kTypes.end()});
  } catch (const Error& error) {
    throw error.with_context("spec");
  }
}

void read_coordinator_spec(ObjectReader& reader, Json& plugin) {
  const bool enabled = reader.boolean("enableCoordinator").value_or(true);
  const Json* coordinator = reader.object("coordinator");
  if (!enabled) {
    plugin["enableCoordinator"] = false;
    return;
  }
  // Spiderpool appends its coordinator whether or not it is configured.
  plugin["coordinator"] = coordinator == nullptr
                              ? Json::object()
                              : translate_coordinator(*coordinator, "spec.coordinator");
}

void read_custom(ObjectReader& reader, RenderedSpec& out) {
  out.is_custom = true;
  const Json* custom = reader.any("customCNI");
  for (const TypeName& type : kTypes) {
    if (reader.any(type.block) != nullptr) {
      fail(reader.full_name(type.block), "does not belong to cniType custom");
    }
  }
  // What the other types would have appended, Spiderpool does not append here.
  reader.allow({"enableCoordinator", "disableIPAM"});
  for (const std::string_view key : {"chainCNIJsonData", "coordinator"}) {
    if (reader.any(key) != nullptr) {
      fail(reader.full_name(key),
           "does not go with cniType custom: write the plugin into "
           "customCNI");
    }
  }
  reader.finish();
  if (custom == nullptr || (custom->is_string() && custom->as_string().empty())) return;
  try {
    out.custom = custom->is_string() ? Json::parse(custom->as_string()) : *custom;
  } catch (const Error& error) {
    throw error.with_context(reader.full_name("customCNI"));
  }
  if (!out.custom.is_object()) {
    fail(reader.full_name("customCNI"), "must be the JSON of a network configuration");
  }
}

}  // namespace

RenderedSpec render_spec(const Json& spec, const std::string& network,
                         const std::string& cni_version) {
  RenderedSpec out;
  ObjectReader reader(spec, "spec");
  const std::string cni_type = reader.string("cniType").value_or("custom");
  if (cni_type == "custom") {
    read_custom(reader, out);
    return out;
  }
  const TypeName* chosen = nullptr;
  std::vector<std::string> names = {"custom"};
  for (const TypeName& type : kTypes) {
    names.emplace_back(type.cni_type);
    if (type.cni_type == cni_type) chosen = &type;
  }
  if (chosen == nullptr) {
    std::string why =
        "\"" + cni_type + "\": must be macvlan, ipvlan, sriov, ib-sriov, ipoib or custom";
    if (const std::string near = nearest_word(cni_type, names); !near.empty()) {
      why += "; did you mean \"" + near + "\"?";
    }
    fail("spec.cniType", why);
  }
  const Json* block = nullptr;
  for (const TypeName& type : kTypes) {
    const Json* found = reader.object(type.block);
    if (&type == chosen) {
      block = found;
    } else if (found != nullptr) {
      fail(reader.full_name(type.block), "does not belong to cniType " + cni_type);
    }
  }
  if (block == nullptr) {
    fail(reader.full_name(chosen->block), "is missing: cniType " + cni_type + " needs it");
  }
  Json plugin = main_plugin(*chosen, *block, out);
  copy_pools(reader, plugin);
  if (reader.boolean("disableIPAM").value_or(false)) plugin["disableIPAM"] = true;
  read_coordinator_spec(reader, plugin);
  Json::Array chain = read_chain(reader);
  reader.finish();
  // Under a peer's name, no word about the IPAM means none; in this kind of document it means the
  // default pools.
  if (plugin.at("type").as_string() != "railcni" && plugin.find("ippools") == nullptr &&
      plugin.find("disableIPAM") == nullptr) {
    plugin["disableIPAM"] = false;
  }
  check_plugin(plugin, network, cni_version);
  out.plugins.push_back(std::move(plugin));
  for (Json& chained : chain) out.plugins.push_back(std::move(chained));
  return out;
}

}  // namespace railcni::cli
