#include "src/yaml/yaml_builder.h"

#include <algorithm>
#include <utility>

#include "src/yaml/yaml_scalar.h"

namespace railcni {
namespace {

// What aliases may copy in all: a few hundred bytes of "billion laughs" name 10^9 values.
constexpr size_t kMaxCopied = size_t{64} << 20;

constexpr std::string_view kTagPrefix = "tag:yaml.org,2002:";

// About how many bytes a copy of `value` takes.
size_t copy_cost(const Json& value) {
  size_t cost = sizeof(Json);
  if (value.is_string()) cost += value.as_string().size();
  if (value.is_array()) {
    for (const Json& item : value.as_array()) cost += copy_cost(item);
  }
  if (value.is_object()) {
    for (const auto& [key, member] : value.as_object()) {
      cost += sizeof(std::string) + key.size() + copy_cost(member);
    }
  }
  return cost;
}

int nesting(const Json& value) {
  int depth = 0;
  if (value.is_array()) {
    for (const Json& item : value.as_array()) depth = std::max(depth, nesting(item));
    return depth + 1;
  }
  if (value.is_object()) {
    for (const auto& [key, member] : value.as_object()) depth = std::max(depth, nesting(member));
    return depth + 1;
  }
  return 0;
}

}  // namespace

Error YamlBuilder::error_at(const YAML::Mark& mark, const std::string& what) const {
  return Error(Code::kDecodingFailure, name_ + ":" + std::to_string(mark.line + 1) + ":" +
                                           std::to_string(mark.column + 1) + ": " + what);
}

void YamlBuilder::OnDocumentStart(const YAML::Mark& mark) {
  // yaml-cpp makes a document of nothing out of what no document can begin with (a stray ',' or '}'
  // behind one), and would do so for ever.
  if (mark.pos == last_start_) throw error_at(mark, "no document can begin like this");
  last_start_ = mark.pos;
  levels_.clear();
  anchors_.clear();
  root_ = nullptr;
}

void YamlBuilder::OnDocumentEnd() {
  if (!root_.is_null()) documents_.push_back(std::move(root_));
  root_ = nullptr;
}

void YamlBuilder::OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) {
  if (wants_key()) throw error_at(mark, "a key must not be null");
  add(mark, nullptr, anchor);
}

void YamlBuilder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
  const auto found = anchors_.find(anchor);
  if (found == anchors_.end() || !found->second.complete) {
    throw error_at(mark, "an alias stands inside the value that it names");
  }
  const Anchor& source = found->second;
  if (wants_key()) {
    if (!source.value.is_string()) throw error_at(mark, "a key must be a string");
    return set_key(mark, source.value.as_string(), false);
  }
  copied_ += source.cost;
  if (copied_ > kMaxCopied) {
    throw error_at(mark, "the aliases (*name) copy more than " + std::to_string(kMaxCopied >> 20) +
                             " MiB: write less of them");
  }
  if (static_cast<int>(levels_.size()) + source.depth > Json::kMaxDepth) {
    throw error_at(mark, "nested deeper than " + std::to_string(Json::kMaxDepth) + " levels");
  }
  add(mark, source.value, 0);
}

void YamlBuilder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                           const std::string& value) {
  if (wants_key()) {
    if (anchor != 0) anchors_[anchor] = {true, value, copy_cost(value), 0};
    return set_key(mark, value, value == "<<" && tag == "?");
  }
  add(mark, tagged_scalar(mark, tag, value), anchor);
}

void YamlBuilder::OnSequenceStart(const YAML::Mark& mark, const std::string& tag,
                                  YAML::anchor_t anchor, YAML::EmitterStyle::value) {
  check_collection_tag(mark, tag, "seq");
  open_level(mark, Json::array(), anchor);
}

void YamlBuilder::OnSequenceEnd() { close_level(); }

void YamlBuilder::OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                             YAML::EmitterStyle::value) {
  check_collection_tag(mark, tag, "map");
  open_level(mark, Json::object(), anchor);
}

void YamlBuilder::OnMapEnd() { close_level(); }

bool YamlBuilder::wants_key() const {
  return !levels_.empty() && levels_.back().value.is_object() && !levels_.back().has_key;
}

void YamlBuilder::open_level(const YAML::Mark& mark, Json value, YAML::anchor_t anchor) {
  if (wants_key()) throw error_at(mark, "a key must be a string");
  if (levels_.size() >= static_cast<size_t>(Json::kMaxDepth)) {
    throw error_at(mark, "nested deeper than " + std::to_string(Json::kMaxDepth) + " levels");
  }
  // Known from now on, complete when it is closed: an alias inside it is told from an unknown one.
  if (anchor != 0) anchors_[anchor] = {};
  Level level;
  level.value = std::move(value);
  level.mark = mark;
  level.anchor = anchor;
  levels_.push_back(std::move(level));
}

void YamlBuilder::close_level() {
  take_merged(levels_.back());
  Level level = std::move(levels_.back());
  levels_.pop_back();
  add(level.mark, std::move(level.value), level.anchor);
}

void YamlBuilder::set_key(const YAML::Mark& mark, const std::string& key, bool is_merge) {
  Level& level = levels_.back();
  if (!level.keys.insert(key).second) {
    throw error_at(mark, "key \"" + key + "\" stands twice in one map");
  }
  level.has_key = true;
  level.is_merge = is_merge;
  level.key = key;
}

void YamlBuilder::add(const YAML::Mark& mark, Json value, YAML::anchor_t anchor) {
  if (anchor != 0) anchors_[anchor] = {true, value, copy_cost(value), nesting(value)};
  if (levels_.empty()) {
    root_ = std::move(value);
    return;
  }
  Level& level = levels_.back();
  if (level.value.is_array()) {
    level.value.push_back(std::move(value));
    return;
  }
  level.has_key = false;
  if (!std::exchange(level.is_merge, false)) {
    level.value.as_object().emplace_back(std::move(level.key), std::move(value));
  } else if (value.is_object()) {
    level.merged.push_back(std::move(value));
  } else if (value.is_array() && std::ranges::all_of(value.as_array(), &Json::is_object)) {
    std::ranges::move(value.as_array(), std::back_inserter(level.merged));
  } else {
    throw error_at(mark, "<< takes a map or a list of maps");
  }
}

// What the map says itself counts more than what is merged into it, wherever the `<<` stands; of
// several merged maps the first counts.
void YamlBuilder::take_merged(Level& level) {
  for (Json& source : level.merged) {
    for (auto& [key, value] : source.as_object()) {
      if (!level.keys.insert(key).second) continue;
      level.value.as_object().emplace_back(key, std::move(value));
    }
  }
}

Json YamlBuilder::tagged_scalar(const YAML::Mark& mark, const std::string& tag,
                                const std::string& value) const {
  // yaml-cpp's names: "?" for a plain scalar, "!" for a quoted or block one.
  if (tag == "!") return value;
  try {
    if (tag == "?" || tag.empty()) return resolve_plain_scalar(value);
    const std::string_view type =
        tag.starts_with(kTagPrefix) ? std::string_view(tag).substr(kTagPrefix.size()) : "";
    if (type == "str") return value;
    Json json = resolve_plain_scalar(value);
    if (type == "null"   ? json.is_null()
        : type == "bool" ? json.is_bool()
        : type == "int"  ? json.is_integer()
                         : type == "float" && json.is_number()) {
      return json;
    }
    if (type == "null" || type == "bool" || type == "int" || type == "float") {
      throw Error(Code::kDecodingFailure,
                  "\"" + value + "\" is not of type !!" + std::string(type));
    }
  } catch (const Error& error) {
    throw error_at(mark, error.msg());
  }
  throw error_at(mark, "tag <" + tag + "> is not supported");
}

void YamlBuilder::check_collection_tag(const YAML::Mark& mark, const std::string& tag,
                                       std::string_view wanted) const {
  if (tag.empty() || tag == "?" || tag == "!") return;
  if (tag == std::string(kTagPrefix) + std::string(wanted)) return;
  throw error_at(mark, "tag <" + tag + "> is not supported");
}

}  // namespace railcni
