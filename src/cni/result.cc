#include "railcni/result.h"

#include "railcni/error.h"
#include "railcni/request.h"

namespace railcni {
namespace {

bool has_legacy_shape(std::string_view version) { return older_than(version, "0.3.0"); }

void put_if(Json& json, std::string_view key, const std::optional<int64_t>& value) {
  if (value) json[key] = *value;
}

Json route_json(const ResultRoute& route, bool with_numbers) {
  Json json = Json::object({{"dst", route.dst.to_string()}});
  if (route.gw) json["gw"] = route.gw->to_string();
  if (!with_numbers) return json;
  put_if(json, "mtu", route.mtu);
  put_if(json, "advmss", route.advmss);
  put_if(json, "priority", route.priority);
  put_if(json, "table", route.table);
  put_if(json, "scope", route.scope);
  return json;
}

// 0.1.0 and 0.2.0: one object per family.
Json legacy_json(const Result& result, std::string_view version) {
  Json json = Json::object({{"cniVersion", version}});
  for (const Family family : {Family::kV4, Family::kV6}) {
    for (const ResultIp& ip : result.ips) {
      if (ip.address.family() != family) continue;
      Json entry = Json::object({{"ip", ip.address.to_string()}});
      if (ip.gateway) entry["gateway"] = ip.gateway->to_string();
      for (const ResultRoute& route : result.routes) {
        if (route.dst.family() == family && !route.table)
          entry["routes"].push_back(route_json(route, false));
      }
      json[family == Family::kV4 ? "ip4" : "ip6"] = std::move(entry);
      break;
    }
  }
  json["dns"] = result.dns.is_null() ? Json::object() : result.dns;
  return json;
}

// Reads members of a result; every complaint names the result and the member.
class Reader {
 public:
  explicit Reader(std::string_view what) : what_(what) {}

  std::string text(const Json& json, std::string_view key) const {
    const Json* value = json.find(key);
    if (value == nullptr || value->is_null()) return "";
    if (!value->is_string()) fail(key, *value);
    return value->as_string();
  }

  std::optional<int64_t> number(const Json& json, std::string_view key) const {
    const Json* value = json.find(key);
    if (value == nullptr || value->is_null()) return std::nullopt;
    if (!value->is_integer()) fail(key, *value);
    return value->as_int();
  }

  const Json::Array& list(const Json& json, std::string_view key) const {
    static const Json::Array kNone;
    const Json* value = json.find(key);
    if (value == nullptr || value->is_null()) return kNone;
    if (!value->is_array()) fail(key, *value);
    return value->as_array();
  }

  IpPrefix prefix(const Json& json, std::string_view key) const {
    const std::string value = text(json, key);
    const auto parsed = IpPrefix::parse(value);
    if (!parsed) fail(key, Json(value));
    return *parsed;
  }

  std::optional<IpAddress> address(const Json& json, std::string_view key) const {
    const std::string value = text(json, key);
    if (value.empty()) return std::nullopt;
    const auto parsed = IpAddress::parse(value);
    if (!parsed) fail(key, Json(value));
    return parsed;
  }

  ResultRoute route(const Json& json) const {
    ResultRoute route;
    route.dst = prefix(json, "dst");
    route.gw = address(json, "gw");
    route.mtu = number(json, "mtu");
    route.advmss = number(json, "advmss");
    route.priority = number(json, "priority");
    route.table = number(json, "table");
    route.scope = number(json, "scope");
    return route;
  }

 private:
  [[noreturn]] void fail(std::string_view key, const Json& value) const {
    throw Error(Code::kDecodingFailure,
                std::string(what_) + ": invalid " + std::string(key) + ": " + value.dump());
  }

  std::string_view what_;
};

}  // namespace

Json Result::to_json(std::string_view version) const {
  if (has_legacy_shape(version)) return legacy_json(*this, version);
  const bool with_family = older_than(version, "1.0.0");
  const bool with_details = !older_than(version, "1.1.0");
  Json json = Json::object({{"cniVersion", version}});
  for (const ResultInterface& interface : interfaces) {
    Json entry = Json::object({{"name", interface.name}, {"mac", interface.mac}});
    if (with_details && interface.mtu > 0) entry["mtu"] = interface.mtu;
    if (!interface.sandbox.empty()) entry["sandbox"] = interface.sandbox;
    if (with_details && !interface.socket_path.empty()) entry["socketPath"] = interface.socket_path;
    if (with_details && !interface.pci_id.empty()) entry["pciID"] = interface.pci_id;
    json["interfaces"].push_back(std::move(entry));
  }
  for (const ResultIp& ip : ips) {
    Json entry = Json::object();
    if (with_family) entry["version"] = ip.address.family() == Family::kV4 ? "4" : "6";
    if (ip.interface) entry["interface"] = *ip.interface;
    entry["address"] = ip.address.to_string();
    if (ip.gateway) entry["gateway"] = ip.gateway->to_string();
    json["ips"].push_back(std::move(entry));
  }
  for (const ResultRoute& route : routes) {
    // Without a word for the table, a route of another one would pass for one of main.
    if (route.table && !with_details) continue;
    json["routes"].push_back(route_json(route, with_details));
  }
  // Consumers in Go decode dns into a struct: an empty object is what they expect for none.
  json["dns"] = dns.is_null() ? Json::object() : dns;
  return json;
}

Result Result::from_json(const Json& json, std::string_view what) {
  if (!json.is_object()) {
    throw Error(Code::kDecodingFailure, std::string(what) + " must be an object");
  }
  const Reader reader(what);
  Result result;
  if (const Json* dns = json.find("dns"); dns != nullptr && dns->is_object()) result.dns = *dns;
  if (has_legacy_shape(config_version(json))) {
    for (const char* family : {"ip4", "ip6"}) {
      const Json* entry = json.find(family);
      if (entry == nullptr || entry->is_null()) continue;
      result.ips.push_back({reader.prefix(*entry, "ip"), reader.address(*entry, "gateway"), {}});
      for (const Json& route : reader.list(*entry, "routes")) {
        result.routes.push_back(reader.route(route));
      }
    }
    return result;
  }
  for (const Json& entry : reader.list(json, "interfaces")) {
    ResultInterface interface;
    interface.name = reader.text(entry, "name");
    interface.mac = reader.text(entry, "mac");
    interface.mtu = static_cast<uint32_t>(reader.number(entry, "mtu").value_or(0));
    interface.sandbox = reader.text(entry, "sandbox");
    interface.pci_id = reader.text(entry, "pciID");
    interface.socket_path = reader.text(entry, "socketPath");
    result.interfaces.push_back(std::move(interface));
  }
  for (const Json& entry : reader.list(json, "ips")) {
    result.ips.push_back({reader.prefix(entry, "address"), reader.address(entry, "gateway"),
                          reader.number(entry, "interface")});
  }
  for (const Json& route : reader.list(json, "routes")) {
    result.routes.push_back(reader.route(route));
  }
  return result;
}

}  // namespace railcni
