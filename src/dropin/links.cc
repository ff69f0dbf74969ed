// The reference plugins macvlan and ipvlan.
#include "src/dropin/flat_config.h"

namespace railcni::dropin {
namespace {

// ipvlan's form in a chain: the interface that the plugin before it has made in the host is its
// master. Addresses that came with it belong to that interface.
void take_master_from(const Json& previous, FlatConfig& flat, Json& block) {
  const Json* ips = previous.find("ips");
  const bool has_ips = ips != nullptr && ips->is_array() && !ips->as_array().empty();
  if (has_ips || previous.find("ip4") != nullptr || previous.find("ip6") != nullptr) {
    flat.fail("prevResult",
              "has addresses, and an ipvlan of railcni takes none over: name a \"master\", and an "
              "\"ipam\" that gives them");
  }
  const Json* interfaces = previous.find("interfaces");
  const Json* name = nullptr;
  if (interfaces != nullptr && interfaces->is_array() && interfaces->as_array().size() == 1) {
    name = interfaces->as_array().front().find("name");
  }
  if (name == nullptr || !name->is_string() || name->as_string().empty()) {
    flat.fail("prevResult",
              "must have exactly one interface with a name, which becomes the "
              "master; or name a \"master\"");
  }
  block["master"] = Json::strings({name->as_string()});
}

bool is_empty_text(const Json* value) {
  return value == nullptr || (value->is_string() && value->as_string().empty());
}

// "" is "not given" to a Go program; a list with an empty name is not that to railcni.
void drop_empty_master(Json& block) {
  if (is_empty_text(block.find("master"))) block.erase("master");
}

}  // namespace

void translate_macvlan(FlatConfig& flat) {
  Json& block = flat.become_link("macvlan", "macvlan",
                                 {"master", "mode", "mtu", "mac", "linkInContainer", "bcqueuelen"});
  drop_empty_master(block);
}

void translate_ipvlan(FlatConfig& flat) {
  Json& block = flat.become_link("ipvlan", "ipvlan", {"master", "mode", "mtu", "linkInContainer"});
  drop_empty_master(block);
  const Json* previous = flat.json().find("prevResult");
  // At CHECK the previous result is the chain's final one.
  if (flat.verb() != Verb::kAdd || previous == nullptr || previous->is_null()) return;
  if (block.find("master") == nullptr) take_master_from(*previous, flat, block);
}

}  // namespace railcni::dropin
