#include <algorithm>
#include <map>
#include <set>

#include "ipam/glob.h"
#include "railcni/error.h"
#include "railcni/ipam.h"
#include "railcni/log.h"
#include "railcni/object_reader.h"

namespace railcni {
namespace {

[[noreturn]] void fail(const std::string& msg) { throw Error(Code::kInvalidConfig, msg); }

std::string joined(const std::vector<std::string>& items, const char* separator) {
  std::string text;
  for (const std::string& item : items) {
    if (!text.empty()) text += separator;
    text += item;
  }
  return text;
}

bool has(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// multusName may name a configuration as "namespace/name" or by its name alone.
bool names_network(const std::vector<std::string>& multus_names, const std::string& network) {
  return std::any_of(multus_names.begin(), multus_names.end(), [&](const std::string& entry) {
    size_t slash = entry.rfind('/');
    return entry == network ||
           (slash != std::string::npos && std::string_view(entry).substr(slash + 1) == network);
  });
}

// Why a pool is not for an attachment.
struct Reason {
  std::string told;    // to the caller, who need not know whom it is for
  std::string logged;  // all of it
};

// Nothing when `pool` is for this attachment.
std::optional<Reason> why_out(const Pool& pool, const PoolRequest& request) {
  const auto for_others = [](const std::string& kind, const std::vector<std::string>& names) {
    return Reason{"it is for other " + kind, "it is for " + joined(names, ", ")};
  };
  if (pool.disabled) return Reason{"it is disabled", "it is disabled"};
  if (!pool.node_names.empty() && !has(pool.node_names, request.node)) {
    return for_others("nodes than \"" + request.node + "\"", pool.node_names);
  }
  if (!pool.namespace_names.empty() && !has(pool.namespace_names, request.pod_namespace)) {
    return for_others(request.pod_namespace.empty()
                          ? "namespaces (the runtime gave none of the Pod)"
                          : "namespaces than \"" + request.pod_namespace + "\"",
                      pool.namespace_names);
  }
  if (!pool.multus_names.empty() && !names_network(pool.multus_names, request.network)) {
    return for_others("networks than \"" + request.network + "\"", pool.multus_names);
  }
  return std::nullopt;
}

// One family's selection.
class Selection {
 public:
  Selection(const Txn* applied, const PoolRequest& request, Family family)
      : applied_(applied), request_(request), family_(family) {}

  void add_entry(const std::string& entry) {
    if (Glob::is_glob(entry)) {
      add_glob(entry);
    } else {
      add_name(entry);
    }
  }
  // Takes the pool in unless it is in already, or not for this attachment. `known`: the caller has
  // named it himself.
  void add(const Pool& pool, bool known);
  // Applies matchMasterSubnet; throws when nothing is left of a family that was asked for. Nobody
  // asked for the default pools: without one for this attachment it is as if there were none.
  std::vector<Pool> finish(bool asked_for);

 private:
  void add_name(const std::string& name);
  void add_glob(const std::string& glob);
  const Pool* find_inline(const std::string& name) const {
    for (const Pool& pool : request_.inline_pools) {
      if (pool.name == name) return &pool;
    }
    return nullptr;
  }
  // Every pool that can be named, inline ones before the applied ones that they hide.
  std::vector<Pool> all_pools() const;
  // The names of this family's pools that are for this attachment.
  std::vector<std::string> usable_names() const;
  std::string reasons() const;
  std::string family_text() const { return std::string(family_name(family_)); }
  void match_master();

  const Txn* applied_;
  const PoolRequest& request_;
  Family family_;
  std::vector<Pool> chosen_;
  std::set<std::string> seen_;
  std::vector<std::string> out_;           // "pool a: why", of pools that the caller knows
  std::map<std::string, int> out_others_;  // how many others, by why
  std::vector<std::string> out_logged_;
};

void Selection::add(const Pool& pool, bool known) {
  if (!seen_.insert(pool.name).second) return;
  const std::optional<Reason> reason = why_out(pool, request_);
  if (!reason) {
    chosen_.push_back(pool);
    return;
  }
  if (known) {
    out_.push_back("pool " + pool.name + ": " + reason->told);
  } else {
    ++out_others_[reason->told];
  }
  out_logged_.push_back("pool " + pool.name + ": " + reason->logged);
}

std::string Selection::reasons() const {
  std::vector<std::string> all = out_;
  for (const auto& [why, count] : out_others_) {
    all.push_back(std::to_string(count) + (count == 1 ? " pool: " : " pools, each: ") + why);
  }
  return joined(all, "; ");
}

std::vector<std::string> Selection::usable_names() const {
  std::vector<std::string> names;
  for (const Pool& pool : all_pools()) {
    if (pool.family() == family_ && !why_out(pool, request_)) names.push_back(pool.name);
  }
  return names;
}

std::vector<Pool> Selection::all_pools() const {
  std::vector<Pool> pools = request_.inline_pools;
  if (applied_ != nullptr) {
    scan_pools(*applied_, [&](const Pool& pool) {
      if (find_inline(pool.name) == nullptr) pools.push_back(pool);
      return true;
    });
  }
  std::stable_sort(pools.begin(), pools.end(),
                   [](const Pool& a, const Pool& b) { return a.name < b.name; });
  return pools;
}

void Selection::add_name(const std::string& name) {
  std::optional<Pool> pool;
  if (const Pool* own = find_inline(name)) {
    pool = *own;
  } else if (applied_ != nullptr) {
    pool = get_pool(*applied_, name);
  }
  if (!pool) {
    std::vector<std::string> names = usable_names();
    std::string near = nearest_word(name, names);
    std::string hint;
    if (!near.empty()) {
      hint = ": did you mean \"" + near + "\"?";
    } else if (names.empty()) {
      hint =
          ": no " + family_text() + " pool for this attachment was applied (railcni apply -f FILE)";
    } else {
      if (names.size() > 10) {
        names.resize(10);
        names.emplace_back("...");
      }
      hint = ": the " + family_text() + " pools are " + joined(names, ", ");
    }
    fail("ippools: there is no pool \"" + name + "\"" + hint);
  }
  if (pool->family() != family_) {
    fail("ippools: pool " + name + " is not an " + family_text() + " pool");
  }
  add(*pool, true);
}

void Selection::add_glob(const std::string& glob) {
  Glob matcher(glob);
  std::vector<std::string> other_family;
  bool matched = false;
  for (const Pool& pool : all_pools()) {
    if (!matcher.matches(pool.name)) continue;
    if (pool.family() != family_) {
      if (!why_out(pool, request_)) other_family.push_back(pool.name);
      continue;
    }
    matched = true;
    add(pool, find_inline(pool.name) != nullptr);
  }
  if (matched) return;
  fail("ippools: \"" + glob + "\" matches no " + family_text() + " pool" +
       (other_family.empty()
            ? ""
            : " (it matches " + joined(other_family, ", ") + ", of the other family)"));
}

void Selection::match_master() {
  std::vector<std::string> addresses;
  for (const IpPrefix& address : request_.master_addresses) {
    addresses.push_back(address.to_string());
  }
  std::string master = "\"" + request_.master + "\" (" +
                       (addresses.empty() ? "which has no address" : joined(addresses, ", ")) + ")";
  std::vector<Pool> matching;
  for (const Pool& pool : chosen_) {
    bool holds = std::any_of(
        request_.master_addresses.begin(), request_.master_addresses.end(),
        [&pool](const IpPrefix& address) { return pool.subnet.contains(address.address); });
    if (holds) {
      matching.push_back(pool);
    } else {
      out_.push_back("pool " + pool.name + ": " + pool.subnet.to_string());
    }
  }
  if (matching.empty()) {
    fail("matchMasterSubnet: no " + family_text() +
         " pool's subnet holds an address of the master " + master + ": " + reasons());
  }
  chosen_ = std::move(matching);
}

std::vector<Pool> Selection::finish(bool asked_for) {
  if (seen_.empty() || (chosen_.empty() && !asked_for)) return {};
  if (chosen_.empty()) {
    log_warning("no " + family_text() +
                " pool is for this attachment: " + joined(out_logged_, "; "));
    fail("no " + family_text() + " pool is for this attachment: " + reasons());
  }
  if (request_.match_master_subnet) match_master();
  return std::move(chosen_);
}

}  // namespace

Candidates select_pools(const Txn* pools, const PoolRequest& request) {
  std::set<std::string> inline_names;
  for (const Pool& pool : request.inline_pools) {
    if (!inline_names.insert(pool.name).second) {
      fail("ipam.pools: two pools have the name \"" + pool.name + "\"");
    }
  }
  Selection v4(pools, request, Family::kV4);
  Selection v6(pools, request, Family::kV6);
  bool asked_for = true;
  if (!request.ipv4.empty() || !request.ipv6.empty()) {
    for (const std::string& entry : request.ipv4) v4.add_entry(entry);
    for (const std::string& entry : request.ipv6) v6.add_entry(entry);
  } else if (!request.inline_pools.empty()) {
    for (const Pool& pool : request.inline_pools) {
      (pool.family() == Family::kV4 ? v4 : v6).add(pool, true);
    }
  } else if (pools != nullptr) {
    asked_for = false;
    scan_pools(*pools, [&](const Pool& pool) {
      if (pool.is_default) (pool.family() == Family::kV4 ? v4 : v6).add(pool, false);
      return true;
    });
  }
  Candidates candidates;
  candidates.ipv4 = v4.finish(asked_for);
  candidates.ipv6 = v6.finish(asked_for);
  return candidates;
}

void refuse_shared_addresses(const Txn& pools, const std::vector<Pool>& inline_pools) {
  if (inline_pools.empty()) return;
  scan_pools(pools, [&](const Pool& applied) {
    const AddressRange subnet{applied.subnet.first(), applied.subnet.last()};
    for (const Pool& pool : inline_pools) {
      if (pool.family() != applied.family()) continue;
      for (const AddressRange& range : pool.ranges) {
        if (range.last < subnet.first || range.first > subnet.last) continue;
        log_warning("pool " + pool.name + " of the configuration: " + range.to_string() +
                    " is in the subnet " + applied.subnet.to_string() + " of the applied pool " +
                    applied.name);
        fail("pool " + pool.name + " of the configuration: " + range.to_string() +
             " has addresses in the subnet of a pool that was applied on this node: name applied "
             "pools in ippools, or choose another subnet (inlinePools of the node policy)");
      }
    }
    return true;
  });
}

bool has_applied_pool(const Txn& pools, const PoolRequest& request, const IpAddress& address,
                      const std::string& likely) {
  const auto serves = [&](const Pool& pool) {
    return pool.contains(address) && !why_out(pool, request);
  };
  const std::optional<Pool> first = get_pool(pools, likely);
  if (first && serves(*first)) return true;
  bool found = false;
  scan_pools(pools, [&](const Pool& pool) { return !(found = serves(pool)); });
  return found;
}

}  // namespace railcni
