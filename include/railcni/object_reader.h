// Reads a JSON object key by key and, at the end, refuses every key that nobody asked for. Reading
// an option is what makes it known, so an option cannot be accepted and then forgotten.
#ifndef RAILCNI_OBJECT_READER_H_
#define RAILCNI_OBJECT_READER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "railcni/json.h"

namespace railcni {

class ObjectReader {
 public:
  // `path` names the object in messages ("macvlan", "ipam.pools[0]"), empty for the document
  // itself. The object must outlive the reader. Throws Error{kInvalidConfig} when `object` is not
  // an object.
  ObjectReader(const Json& object, std::string path);

  // Each of these marks `key` as known. A key that is absent or null gives the empty optional (or
  // the default); a value of the wrong type or out of range throws Error{kInvalidConfig} naming
  // the key, the value and what would be right.
  std::optional<std::string> string(std::string_view key);
  std::optional<bool> boolean(std::string_view key);
  std::optional<int64_t> integer(std::string_view key, int64_t min, int64_t max);
  std::vector<std::string> strings(std::string_view key);
  // As strings(), but a lone string counts as a list of one.
  std::vector<std::string> string_or_strings(std::string_view key);
  // Any value; nullptr when absent or null.
  const Json* any(std::string_view key);
  // An object; nullptr when absent or null.
  const Json* object(std::string_view key);
  // An array; nullptr when absent or null.
  const Json* array(std::string_view key);

  // Marks keys as known without reading them (somebody else's, such as the specification's own).
  void allow(std::initializer_list<std::string_view> keys);
  void allow_prefix(std::string_view prefix);

  // Throws Error{kInvalidConfig} for the first key that is neither known nor allowed, naming it,
  // its place and the nearest known one.
  void finish() const;
  // For objects of plugins that pass over what they do not know: only logs a warning for each such
  // key.
  void finish_with_warnings() const;

  // The keys that are neither known nor allowed, and for each of them what finish() says.
  std::vector<std::string> unknown_keys() const;
  std::string unknown_key_text(const std::string& key) const;

  // "path.key", or "key" at the top.
  std::string full_name(std::string_view key) const;

 private:
  const Json* read(std::string_view key);
  bool is_known(const std::string& key) const;
  [[noreturn]] void wrong_type(std::string_view key, const Json& value,
                               std::string_view wanted) const;

  const Json& object_;
  std::string path_;
  std::vector<std::string> known_;
  std::vector<std::string> prefixes_;
};

// Returns the entry of `known` that is nearest to `word` by edit distance, or "" when none is near
// enough to be what was meant.
std::string nearest_word(std::string_view word, const std::vector<std::string>& known);

}  // namespace railcni

#endif  // RAILCNI_OBJECT_READER_H_
