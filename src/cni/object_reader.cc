#include "railcni/object_reader.h"

#include <algorithm>
#include <limits>

#include "railcni/error.h"
#include "railcni/log.h"

namespace railcni {
namespace {

// How many single-character changes turn `a` into `b`.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted =
          diagonal + (std::tolower(a[i - 1]) == std::tolower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest_word(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  // More than a third of the word changed is another word.
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  if (word.size() > 64) return best;
  for (const std::string& candidate : known) {
    const size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

ObjectReader::ObjectReader(const Json& object, std::string path)
    : object_(object), path_(std::move(path)) {
  if (!object.is_object()) {
    throw Error(Code::kInvalidConfig, (path_.empty() ? "the configuration" : path_) +
                                          " must be an object, not " +
                                          std::string(object.type_name()));
  }
}

std::string ObjectReader::full_name(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const Json* ObjectReader::read(std::string_view key) {
  known_.emplace_back(key);
  const Json* value = object_.find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

void ObjectReader::wrong_type(std::string_view key, const Json& value,
                              std::string_view wanted) const {
  std::string text = value.dump();
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  throw Error(Code::kInvalidConfig,
              full_name(key) + ": must be " + std::string(wanted) + ", not " + text);
}

std::optional<std::string> ObjectReader::string(std::string_view key) {
  const Json* value = read(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) wrong_type(key, *value, "a string");
  return value->as_string();
}

std::optional<bool> ObjectReader::boolean(std::string_view key) {
  const Json* value = read(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_bool()) wrong_type(key, *value, "true or false");
  return value->as_bool();
}

std::optional<int64_t> ObjectReader::integer(std::string_view key, int64_t min, int64_t max) {
  const Json* value = read(key);
  if (value == nullptr) return std::nullopt;
  const std::string wanted =
      "an integer from " + std::to_string(min) + " to " + std::to_string(max);
  if (!value->is_integer()) wrong_type(key, *value, wanted);
  // Beyond int64_t the value is an unsigned one: larger than any maximum.
  int64_t number = 0;
  try {
    number = value->as_int();
  } catch (const Error&) {
    wrong_type(key, *value, wanted);
  }
  if (number < min || number > max) wrong_type(key, *value, wanted);
  return number;
}

std::vector<std::string> ObjectReader::strings(std::string_view key) {
  std::vector<std::string> result;
  const Json* value = read(key);
  if (value == nullptr) return result;
  if (!value->is_array()) wrong_type(key, *value, "a list of strings");
  for (const Json& item : value->as_array()) {
    if (!item.is_string()) wrong_type(key, *value, "a list of strings");
    result.push_back(item.as_string());
  }
  return result;
}

std::vector<std::string> ObjectReader::string_or_strings(std::string_view key) {
  const Json* value = object_.find(key);
  if (value != nullptr && value->is_string()) return {string(key).value()};
  return strings(key);
}

const Json* ObjectReader::any(std::string_view key) { return read(key); }

const Json* ObjectReader::object(std::string_view key) {
  const Json* value = read(key);
  if (value != nullptr && !value->is_object()) wrong_type(key, *value, "an object");
  return value;
}

const Json* ObjectReader::array(std::string_view key) {
  const Json* value = read(key);
  if (value != nullptr && !value->is_array()) wrong_type(key, *value, "a list");
  return value;
}

void ObjectReader::allow(std::initializer_list<std::string_view> keys) {
  known_.insert(known_.end(), keys.begin(), keys.end());
}

void ObjectReader::allow_prefix(std::string_view prefix) { prefixes_.emplace_back(prefix); }

bool ObjectReader::is_known(const std::string& key) const {
  if (std::find(known_.begin(), known_.end(), key) != known_.end()) return true;
  return std::any_of(prefixes_.begin(), prefixes_.end(),
                     [&key](const std::string& prefix) { return key.starts_with(prefix); });
}

std::string ObjectReader::unknown_key_text(const std::string& key) const {
  std::string msg = "unknown key \"" + full_name(key) + "\"";
  const std::string nearest = nearest_word(key, known_);
  if (!nearest.empty()) msg += ": did you mean \"" + full_name(nearest) + "\"?";
  return msg;
}

std::vector<std::string> ObjectReader::unknown_keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object_.as_object()) {
    if (!is_known(key)) keys.push_back(key);
  }
  return keys;
}

void ObjectReader::finish() const {
  for (const std::string& key : unknown_keys()) {
    throw Error(Code::kInvalidConfig, unknown_key_text(key));
  }
}

void ObjectReader::finish_with_warnings() const {
  for (const std::string& key : unknown_keys()) {
    log_warning(unknown_key_text(key) + " (it is passed over)");
  }
}

}  // namespace railcni
