#include "src/cli/pool_documents.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "railcni/error.h"
#include "railcni/fd.h"
#include "railcni/object_reader.h"
#include "src/cli/document_head.h"
#include "src/yaml/yaml.h"

namespace railcni::cli {
namespace {

constexpr std::string_view kApiVersion = "spiderpool.spidernet.io/v2beta1";

PoolDocument parse_pool_document(const Json& document, const std::string& where) {
  ObjectReader reader(document, "");
  // What kubectl get prints besides is of no use here.
  reader.allow({"apiVersion", "kind", "status"});
  const Json* metadata = reader.object("metadata");
  const Json* spec = reader.object("spec");
  reader.finish();
  if (metadata == nullptr) throw Error(Code::kInvalidConfig, "metadata is missing");
  const auto name = ObjectReader(*metadata, "metadata").string("name");
  if (!name || name->empty()) throw Error(Code::kInvalidConfig, "metadata.name is missing");
  if (spec == nullptr) throw Error(Code::kInvalidConfig, "spec is missing");
  PoolDocument result;
  result.where = where;
  result.pool = parse_pool(*name, *spec, result.warnings);
  return result;
}

}  // namespace

std::string read_file(const std::string& path) {
  const bool is_stdin = path == "-";
  const std::string name = is_stdin ? "stdin" : path;
  Fd file;
  if (!is_stdin) {
    file = Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) throw_errno(Code::kIoFailure, name, errno);
  }
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t count = ::read(is_stdin ? STDIN_FILENO : file.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno(Code::kIoFailure, name, errno);
    if (count == 0) return text;
    text.append(buffer, static_cast<size_t>(count));
    // One byte too many is enough for the parser to refuse the file.
    if (text.size() > kMaxYamlSize) return text;
  }
}

std::vector<PoolDocument> parse_pool_documents(const std::string& name, std::string_view text,
                                               std::vector<std::string>& notices) {
  std::vector<PoolDocument> pools;
  int number = 0;
  for (const Json& document : parse_yaml(name, text)) {
    const std::string where = name + ": document " + std::to_string(++number);
    const DocumentHead head = read_document_head(document, where);
    const std::string& pool_name = head.name;
    if (head.kind != kPoolKind || !head.is_spiderpool) {
      notices.push_back(where + ": " + head.kind + (pool_name.empty() ? "" : " ") + pool_name +
                        " skipped: only SpiderIPPool of " + std::string(kApiVersion) +
                        " is applied");
      continue;
    }
    try {
      pools.push_back(parse_pool_document(document, where));
    } catch (const Error& error) {
      // What parse_pool() says names the pool already.
      const bool names_pool = error.msg().starts_with("pool ") || pool_name.empty();
      throw error.with_context(names_pool ? where : where + ": pool " + pool_name);
    }
  }
  if (pools.empty()) {
    throw Error(Code::kInvalidConfig, name + ": no " + std::string(kPoolKind) + " in it");
  }
  return pools;
}

Json pool_document(const Pool& pool) {
  return Json::object({{"apiVersion", kApiVersion},
                       {"kind", kPoolKind},
                       {"metadata", Json::object({{"name", pool.name}})},
                       {"spec", pool_spec(pool)}});
}

void refuse_overlaps(const std::vector<Pool>& pools) {
  struct Entry {
    AddressRange range;
    const Pool* pool;
  };
  std::vector<Entry> entries;
  for (const Pool& pool : pools) {
    for (const AddressRange& range : pool.ranges) entries.push_back({range, &pool});
  }
  std::ranges::sort(entries, {}, &Entry::range);
  // In order of their starts, a range can only overlap the one that reaches furthest so far.
  const Entry* furthest = nullptr;
  for (const Entry& entry : entries) {
    const bool overlaps = furthest != nullptr && furthest->pool != entry.pool &&
                          entry.range.first <= furthest->range.last;
    if (overlaps) {
      throw Error(Code::kInvalidConfig,
                  "pool " + entry.pool->name + ": " + entry.range.to_string() + " overlaps " +
                      furthest->range.to_string() + " of pool " + furthest->pool->name);
    }
    if (furthest == nullptr || entry.range.last > furthest->range.last) furthest = &entry;
  }
}

}  // namespace railcni::cli
