#include "src/dropin/flat_config.h"

#include <algorithm>
#include <cctype>

#include "railcni/error.h"

namespace railcni::dropin {
namespace {

bool same_letters(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

std::optional<Json> take_member(Json& object, std::string_view key) {
  auto& members = object.as_object();
  auto found = std::ranges::find(members, key, &Json::Member::first);
  if (found == members.end()) {
    found = std::ranges::find_if(
        members, [key](const Json::Member& member) { return same_letters(member.first, key); });
  }
  if (found == members.end()) return std::nullopt;
  Json value = std::move(found->second);
  members.erase(found);
  if (value.is_null()) return std::nullopt;
  return value;
}

std::optional<Json> FlatConfig::take(std::string_view key) { return take_member(json_, key); }

bool FlatConfig::take_boolean(std::string_view key, bool otherwise) {
  const auto value = take(key);
  if (!value) return otherwise;
  if (!value->is_bool()) fail(key, "must be true or false, not " + value->dump());
  return value->as_bool();
}

std::optional<std::string> FlatConfig::take_string(std::string_view key) {
  const auto value = take(key);
  if (!value) return std::nullopt;
  if (!value->is_string()) fail(key, "must be a string, not " + value->dump());
  return value->as_string();
}

bool FlatConfig::has(std::string_view key) const {
  const Json* value = json_.find(key);
  return value != nullptr && !value->is_null();
}

Json& FlatConfig::become_link(std::string_view cni_type, std::string_view block,
                              std::initializer_list<std::string_view> keys) {
  if (has(block)) {
    fail(block, "is a block of railcni's own form, which needs \"cniType\": \"" +
                    std::string(cni_type) + "\" beside it");
  }
  Json moved = Json::object();
  for (const std::string_view key : keys) {
    if (auto value = take(key)) moved[key] = std::move(*value);
  }
  json_["cniType"] = cni_type;
  const Json* ipam = json_.find("ipam");
  // An empty type is no IPAM to the originals, whatever stands beside it.
  if (ipam != nullptr && ipam->find("type") != nullptr && *ipam->find("type") == Json("")) {
    json_.erase("ipam");
    ipam = nullptr;
  }
  const bool has_ipam = ipam != nullptr && ipam->is_object() && !ipam->as_object().empty();
  // railcni alone would turn to its default pools.
  if (!has_ipam && !has("ippools") && !has("disableIPAM")) json_["disableIPAM"] = true;
  if (!has("coordinator") && !has("enableCoordinator")) json_["enableCoordinator"] = false;
  return json_[block] = std::move(moved);
}

void FlatConfig::become_chained() {
  if (verb() == Verb::kAdd && !has("prevResult")) {
    fail("prevResult", "is missing: " + program_ +
                           " is a chained plugin and must stand behind the one that makes the "
                           "interface");
  }
}

void FlatConfig::refuse_dhcp() const {
  const Json* ipam = json_.find("ipam");
  const Json* type = ipam == nullptr ? nullptr : ipam->find("type");
  if (type == nullptr || !type->is_string() || type->as_string() != "dhcp") return;
  fail("ipam.type", "\"dhcp\" does not work on InfiniBand: choose another IPAM");
}

void FlatConfig::fail(std::string_view key, const std::string& why) const {
  throw Error(Code::kInvalidConfig, std::string(key) + ": " + why);
}

}  // namespace railcni::dropin
