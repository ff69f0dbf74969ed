// The names, and what each of them does to a configuration.
#include "railcni/dropin.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "railcni/error.h"
#include "src/dropin/flat_config.h"

namespace railcni {
namespace {

using dropin::FlatConfig;

struct Peer {
  std::string_view name;
  std::string_view cni_type;  // empty: a chained plugin
  void (*translate)(FlatConfig&);
};

constexpr std::array<Peer, 8> kPeers = {{
    {"macvlan", "macvlan", dropin::translate_macvlan},
    {"ipvlan", "ipvlan", dropin::translate_ipvlan},
    {"sriov", "sriov", dropin::translate_sriov},
    {"ib-sriov", "ib-sriov", dropin::translate_ib_sriov},
    {"ipoib", "ipoib", dropin::translate_ipoib},
    {"rdma", "", dropin::translate_rdma},
    {"sbr", "", dropin::translate_sbr},
    {"coordinator", "", dropin::translate_coordinator_plugin},
}};

// Names that need no translation: as an IPAM railcni reads their configuration itself.
constexpr std::array<std::string_view, 2> kIpamNames = {"host-local", "spiderpool"};

const Peer* find_peer(std::string_view program) {
  const auto found = std::ranges::find(kPeers, program, &Peer::name);
  return found == kPeers.end() ? nullptr : &*found;
}

bool is_own_form(const Json& config) {
  const Json* type = config.find("cniType");
  return type != nullptr && !type->is_null();
}

// The levels of logrus and zap, which the peers use, are finer at both ends.
void translate_log_level(FlatConfig& flat) {
  Json* level = nullptr;
  for (auto& [key, value] : flat.json().as_object()) {
    if (key == "logLevel") level = &value;
  }
  if (level == nullptr || !level->is_string()) return;
  std::string text = level->as_string();
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  if (text == "panic" || text == "fatal" || text == "dpanic") text = "error";
  if (text == "verbose" || text == "trace") text = "debug";
  if (text == "warn") text = "warning";
  *level = text;
}

}  // namespace

const std::vector<std::string>& dropin_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Peer& peer : kPeers) list.emplace_back(peer.name);
    for (const std::string_view name : kIpamNames) list.emplace_back(name);
    return list;
  }();
  return names;
}

std::string_view chained_role(std::string_view program) {
  const Peer* peer = find_peer(program);
  return peer == nullptr || !peer->cni_type.empty() ? "chained" : peer->name;
}

void translate_dropin(std::string_view program, Request& request) {
  const Peer* peer = find_peer(program);
  if (peer == nullptr || is_own_form(request.config)) return;
  request.chained_role = chained_role(program);
  if (request.verb == Verb::kDel || request.verb == Verb::kGc) {
    if (!peer->cni_type.empty()) request.config["cniType"] = peer->cni_type;
    return;
  }
  FlatConfig flat(request, program);
  peer->translate(flat);
  translate_log_level(flat);
}

}  // namespace railcni
