#include "ipam/glob.h"

#include <string>

#include "railcni/error.h"
#include "railcni/ipam.h"

namespace railcni {
namespace {

// Walks over the text of a glob.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ == text_.size(); }
  char next() {
    if (at_end()) fail("it ends too early");
    return text_[at_++];
  }
  bool skip(char wanted) {
    if (at_end() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  // One end of a range inside of brackets.
  unsigned char class_char() {
    char c = next();
    if (c == '\\') return static_cast<unsigned char>(next());
    if (c == '-' || c == ']') fail(std::string("a '") + c + "' in brackets needs a '\\' before it");
    return static_cast<unsigned char>(c);
  }
  [[noreturn]] void fail(const std::string& why) const {
    throw Error(Code::kInvalidConfig, "malformed glob \"" + std::string(text_) + "\": " + why);
  }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

// The inside of brackets, behind the '['.
std::bitset<256> parse_class(Cursor& cursor) {
  std::bitset<256> chars;
  bool negated = cursor.skip('^');
  bool first = true;
  while (first || !cursor.skip(']')) {
    first = false;
    unsigned low = cursor.class_char();
    unsigned high = cursor.skip('-') ? cursor.class_char() : low;
    // Go's, too: a range that runs backwards is well-formed and holds nothing.
    for (unsigned c = low; c <= high; ++c) chars.set(c);
  }
  return negated ? ~chars : chars;
}

}  // namespace

Glob::Glob(std::string_view text) {
  Cursor cursor(text);
  while (!cursor.at_end()) {
    char c = cursor.next();
    Part part;
    if (c == '*') {
      // A second star adds nothing but work.
      if (!parts_.empty() && parts_.back().any_run) continue;
      part.any_run = true;
    } else if (c == '?') {
      part.chars.set();
    } else if (c == '[') {
      part.chars = parse_class(cursor);
    } else {
      part.chars.set(static_cast<unsigned char>(c == '\\' ? cursor.next() : c));
    }
    parts_.push_back(part);
  }
}

bool Glob::matches(std::string_view name) const {
  // When a part fails, the last star takes one more character; earlier stars need not change. So
  // the work is at most the product of the two lengths.
  size_t part = 0;
  size_t at = 0;
  size_t star = parts_.size();
  size_t star_end = 0;
  while (at < name.size()) {
    if (part < parts_.size() && parts_[part].any_run) {
      star = part++;
      star_end = at;
    } else if (part < parts_.size() && parts_[part].chars.test(static_cast<uint8_t>(name[at]))) {
      ++part;
      ++at;
    } else if (star < parts_.size()) {
      part = star + 1;
      at = ++star_end;
    } else {
      return false;
    }
  }
  while (part < parts_.size() && parts_[part].any_run) ++part;
  return part == parts_.size();
}

bool Glob::is_glob(std::string_view text) {
  return text.find_first_of("*?[\\") != std::string_view::npos;
}

bool glob_match(std::string_view glob, std::string_view name) { return Glob(glob).matches(name); }

}  // namespace railcni
