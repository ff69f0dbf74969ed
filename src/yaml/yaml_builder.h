// Builds Json values out of yaml-cpp's events.
#ifndef RAILCNI_SRC_YAML_YAML_BUILDER_H_
#define RAILCNI_SRC_YAML_YAML_BUILDER_H_

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/mark.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "railcni/error.h"
#include "railcni/json.h"

namespace railcni {

// yaml-cpp's own YAML::Node is not used: it forgets which of two equal keys came first, shares
// aliased nodes (a graph that may have loops), and frees a deep tree by recursion.
class YamlBuilder final : public YAML::EventHandler {
 public:
  explicit YamlBuilder(std::string name) : name_(std::move(name)) {}

  // The documents so far, those that are null left out.
  std::vector<Json>& documents() { return documents_; }

  void OnDocumentStart(const YAML::Mark& mark) override;
  void OnDocumentEnd() override;
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override;
  void OnSequenceEnd() override;
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override;
  void OnMapEnd() override;

  // Error{kDecodingFailure} "NAME:LINE:COL: what".
  Error error_at(const YAML::Mark& mark, const std::string& what) const;

 private:
  // A list or map that is not closed yet.
  struct Level {
    Json value;
    YAML::Mark mark;
    YAML::anchor_t anchor = 0;
    bool has_key = false;   // maps: `key` was read, its value comes next
    bool is_merge = false;  // the key is `<<`
    std::string key;
    std::unordered_set<std::string> keys = {};  // maps: what was set explicitly
    std::vector<Json> merged = {};              // maps: the values of `<<`
  };
  struct Anchor {
    bool complete = false;
    Json value;
    size_t cost = 0;  // about how many bytes a copy takes
    int depth = 0;    // levels of nesting inside it
  };

  void open_level(const YAML::Mark& mark, Json value, YAML::anchor_t anchor);
  void close_level();
  // True when a scalar that comes now is the key of a map.
  bool wants_key() const;
  void set_key(const YAML::Mark& mark, const std::string& key, bool is_merge);
  // Puts a finished value in its place.
  void add(const YAML::Mark& mark, Json value, YAML::anchor_t anchor);
  void take_merged(Level& level);
  Json tagged_scalar(const YAML::Mark& mark, const std::string& tag,
                     const std::string& value) const;
  void check_collection_tag(const YAML::Mark& mark, const std::string& tag,
                            std::string_view wanted) const;

  std::string name_;
  std::vector<Json> documents_;
  int last_start_ = -1;  // where the last document began
  std::vector<Level> levels_;
  Json root_;
  std::unordered_map<YAML::anchor_t, Anchor> anchors_;
  size_t copied_ = 0;  // bytes that aliases have copied so far, in all documents
};

}  // namespace railcni

#endif  // RAILCNI_SRC_YAML_YAML_BUILDER_H_
