#include "railcni/error.h"
#include "railcni/ipam.h"
#include "src/store/schema.h"

namespace railcni {
namespace {

std::string applied_key(const std::string& name) { return schema::table(schema::kPool) + name; }

Pool parse_applied(std::string_view key, std::string_view value) {
  std::string name(key.substr(1));
  try {
    std::vector<std::string> warnings;  // a stored pool is canonical: there are none
    return parse_pool(name, Json::parse(value), warnings);
  } catch (const Error& error) {
    throw Error(Code::kStoreDamaged,
                "the applied pool " + name + " is damaged; apply it again: " + error.msg());
  }
}

}  // namespace

void put_pool(Txn& pools, const Pool& pool) {
  check_pool_name(pool.name);
  pools.put(applied_key(pool.name), pool_spec(pool).dump());
}

std::optional<Pool> get_pool(const Txn& pools, const std::string& name) {
  // A name that no pool can have may be longer than a key.
  if (name.empty() || name.size() > 253) return std::nullopt;
  std::string key = applied_key(name);
  std::optional<std::string_view> value = pools.get(key);
  if (!value) return std::nullopt;
  return parse_applied(key, *value);
}

bool erase_pool(Txn& pools, const std::string& name) {
  if (name.empty() || name.size() > 253) return false;
  return pools.erase(applied_key(name));
}

void scan_pools(const Txn& pools, const std::function<bool(const Pool&)>& visit) {
  pools.scan(schema::table(schema::kPool), "",
             [&visit](std::string_view key, std::string_view value) {
               return visit(parse_applied(key, value));
             });
}

}  // namespace railcni
