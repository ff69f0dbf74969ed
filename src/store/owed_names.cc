#include "railcni/owed_names.h"

#include "railcni/error.h"
#include "src/store/schema.h"

namespace railcni {
namespace {

constexpr char kInterface = 'i';
constexpr char kRdma = 'r';

std::string row_key(const OwedName& owed) {
  const char kind = owed.kind == OwedName::Kind::kRdma ? kRdma : kInterface;
  return schema::table(schema::kOwedName) + kind + owed.device;
}

}  // namespace

void put_owed_name(Txn& txn, const OwedName& owed) {
  const std::string key = row_key(owed);
  if (txn.get(key)) return;
  txn.put(key, Json::object({{"name", owed.name}, {"identity", owed.identity}}).dump());
}

void erase_owed_name(Txn& txn, const OwedName& owed) { txn.erase(row_key(owed)); }

std::vector<OwedName> owed_names(const Txn& txn) {
  std::vector<OwedName> all;
  txn.scan(schema::table(schema::kOwedName), "", [&](std::string_view key, std::string_view value) {
    if (key.size() < 3) return true;
    OwedName owed;
    owed.kind = key[1] == kRdma ? OwedName::Kind::kRdma : OwedName::Kind::kInterface;
    owed.device = key.substr(2);
    try {
      const Json row = Json::parse(value);
      owed.name = row.at("name").as_string();
      owed.identity = row.at("identity").as_uint();
      all.push_back(std::move(owed));
    } catch (const Error&) {  // a name is not worth a failed DEL
    }
    return true;
  });
  return all;
}

}  // namespace railcni
