// A peer's flat configuration on its way into railcni's own form.
#ifndef RAILCNI_SRC_DROPIN_FLAT_CONFIG_H_
#define RAILCNI_SRC_DROPIN_FLAT_CONFIG_H_

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "railcni/json.h"
#include "railcni/request.h"

namespace railcni::dropin {

class FlatConfig {
 public:
  // `program` is the name that railcni was called by, for messages. The request must outlive this
  // object.
  FlatConfig(Request& request, std::string_view program)
      : request_(request), program_(program), json_(request.config) {}

  Verb verb() const { return request_.verb; }
  Json& json() { return json_; }

  // Takes a value out of the configuration; nothing when it is absent or null. Keys match as Go's
  // decoder matches them, the exact spelling first and then any case: NADs have both.
  std::optional<Json> take(std::string_view key);
  // As take(), for a boolean or string. Throws Error{kInvalidConfig} for another type.
  bool take_boolean(std::string_view key, bool otherwise);
  std::optional<std::string> take_string(std::string_view key);

  // Makes this railcni's configuration of `cni_type`: its `block` gets what the keys name (in their
  // canonical spelling). What peers mean by leaving things out is written down: no addresses
  // without `ipam`, and routes as the IPAM gives them, without tables and rules.
  Json& become_link(std::string_view cni_type, std::string_view block,
                    std::initializer_list<std::string_view> keys);
  // Makes this railcni's chained form. Throws Error{kInvalidConfig} on ADD without prevResult.
  void become_chained();

  // As the peers' own check: Error{kInvalidConfig} when addresses shall come from a DHCP server,
  // which InfiniBand's 20-byte addresses cannot ask.
  void refuse_dhcp() const;

  // Throws Error{kInvalidConfig} "KEY: WHY".
  [[noreturn]] void fail(std::string_view key, const std::string& why) const;
  const std::string& program() const { return program_; }

 private:
  bool has(std::string_view key) const;

  Request& request_;
  std::string program_;
  Json& json_;
};

// Removes and returns the member of `object` that Go's decoder would take for `key`.
std::optional<Json> take_member(Json& object, std::string_view key);

// One for each name that has a form of its own.
void translate_macvlan(FlatConfig& flat);
void translate_ipvlan(FlatConfig& flat);
void translate_sriov(FlatConfig& flat);
void translate_ib_sriov(FlatConfig& flat);
void translate_ipoib(FlatConfig& flat);
void translate_rdma(FlatConfig& flat);
void translate_sbr(FlatConfig& flat);
void translate_coordinator_plugin(FlatConfig& flat);

}  // namespace railcni::dropin

#endif  // RAILCNI_SRC_DROPIN_FLAT_CONFIG_H_
