// The SpiderIPPool documents in files.
#ifndef RAILCNI_SRC_CLI_POOL_DOCUMENTS_H_
#define RAILCNI_SRC_CLI_POOL_DOCUMENTS_H_

#include <string>
#include <string_view>
#include <vector>

#include "railcni/json.h"
#include "railcni/pool.h"

namespace railcni::cli {

inline constexpr std::string_view kPoolKind = "SpiderIPPool";

struct PoolDocument {
  Pool pool;
  std::string where;  // "pools.yaml: document 2", for messages
  std::vector<std::string> warnings;
};

// Reads a file, or stdin when `path` is "-", whole. Throws Error{kIoFailure}.
std::string read_file(const std::string& path);

// Reads the pools in `text`. `name` is the file's, for messages. What is passed over (documents of
// other kinds) is added to `notices`. Throws Error{kDecodingFailure} or Error{kInvalidConfig} that
// names file, document and pool; a text without any pool is an error, too.
std::vector<PoolDocument> parse_pool_documents(const std::string& name, std::string_view text,
                                               std::vector<std::string>& notices);

// The document that makes `pool` when it is applied.
Json pool_document(const Pool& pool);

// Throws Error{kInvalidConfig} when a range of one pool shares an address with one of another: two
// Pods would get it.
void refuse_overlaps(const std::vector<Pool>& pools);

}  // namespace railcni::cli

#endif  // RAILCNI_SRC_CLI_POOL_DOCUMENTS_H_
