#include <algorithm>
#include <set>

#include "ipam/glob.h"
#include "railcni/error.h"
#include "railcni/ipam.h"
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

// Why `pool` is not for this attachment; empty when it is.
std::string why_out(const Pool& pool, const PoolRequest& request) {
  auto is_for = [](const std::vector<std::string>& names) {
    return "it is for " + joined(names, ", ");
  };
  if (pool.disabled) return "it is disabled";
  if (!pool.node_names.empty() && !has(pool.node_names, request.node)) {
    return is_for(pool.node_names) + ", this node is \"" + request.node + "\"";
  }
  if (!pool.namespace_names.empty() && !has(pool.namespace_names, request.pod_namespace)) {
    return is_for(pool.namespace_names) +
           (request.pod_namespace.empty()
                ? ", the runtime gave no namespace of the Pod"
                : ", the Pod's namespace is \"" + request.pod_namespace + "\"");
  }
  if (!pool.multus_names.empty() && !names_network(pool.multus_names, request.network)) {
    return is_for(pool.multus_names) + ", this network is \"" + request.network + "\"";
  }
  return "";
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
  // Takes the pool in unless it is in already, or not for this attachment.
  void add(const Pool& pool);
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
  std::string family_text() const { return std::string(family_name(family_)); }
  void match_master();

  const Txn* applied_;
  const PoolRequest& request_;
  Family family_;
  std::vector<Pool> chosen_;
  std::set<std::string> seen_;
  std::vector<std::string> out_;  // "pool a: why"
};

void Selection::add(const Pool& pool) {
  if (!seen_.insert(pool.name).second) return;
  std::string why = why_out(pool, request_);
  if (why.empty()) {
    chosen_.push_back(pool);
  } else {
    out_.push_back("pool " + pool.name + ": " + why);
  }
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
    std::vector<std::string> names;
    for (const Pool& other : all_pools()) {
      if (other.family() == family_) names.push_back(other.name);
    }
    std::string near = nearest_word(name, names);
    std::string hint;
    if (!near.empty()) {
      hint = ": did you mean \"" + near + "\"?";
    } else if (names.empty()) {
      hint = ": no " + family_text() + " pool was applied (railcni apply -f FILE)";
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
    fail("ippools: pool " + name + " (" + pool->subnet.to_string() + ") is not an " +
         family_text() + " pool");
  }
  add(*pool);
}

void Selection::add_glob(const std::string& glob) {
  Glob matcher(glob);
  std::vector<std::string> other_family;
  bool matched = false;
  for (const Pool& pool : all_pools()) {
    if (!matcher.matches(pool.name)) continue;
    if (pool.family() != family_) {
      other_family.push_back(pool.name);
      continue;
    }
    matched = true;
    add(pool);
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
         " pool's subnet holds an address of the master " + master + ": " + joined(out_, "; "));
  }
  chosen_ = std::move(matching);
}

std::vector<Pool> Selection::finish(bool asked_for) {
  if (seen_.empty() || (chosen_.empty() && !asked_for)) return {};
  if (chosen_.empty()) {
    fail("no " + family_text() + " pool is for this attachment: " + joined(out_, "; "));
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
      (pool.family() == Family::kV4 ? v4 : v6).add(pool);
    }
  } else if (pools != nullptr) {
    asked_for = false;
    scan_pools(*pools, [&](const Pool& pool) {
      if (pool.is_default) (pool.family() == Family::kV4 ? v4 : v6).add(pool);
      return true;
    });
  }
  Candidates candidates;
  candidates.ipv4 = v4.finish(asked_for);
  candidates.ipv6 = v6.finish(asked_for);
  return candidates;
}

}  // namespace railcni
