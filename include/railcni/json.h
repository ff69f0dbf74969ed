// A JSON value that keeps the order of an object's members. Parsing is simdjson's; this type is
// what the rest of railcni passes around, so that no other room depends on the library.
#ifndef RAILCNI_JSON_H_
#define RAILCNI_JSON_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace railcni {

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;
  struct Field;  // of a list in braces: a name and a value, which is moved out of the list

  // Documents nested deeper than this are refused: nothing of CNI comes near it, and every walk
  // over a value is recursive.
  static constexpr int kMaxDepth = 100;

  Json() = default;  // null
  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  Json(int value) : value_(static_cast<int64_t>(value)) {}
  Json(int64_t value) : value_(value) {}
  Json(uint32_t value) : value_(static_cast<int64_t>(value)) {}
  Json(uint64_t value) : value_(value) {}
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}

  static Json array(Array items = {});
  static Json object() { return object({}); }
  static Json object(std::initializer_list<Field> members);
  // Returns an array with one string item for each of `items`.
  static Json strings(const std::vector<std::string>& items);

  // Parses one document. Of members with the same name the last one counts (as Go's decoder
  // does it). Throws Error{kDecodingFailure} on anything but one well-formed UTF-8 document,
  // trailing text and nesting beyond kMaxDepth included.
  static Json parse(std::string_view text);

  // How many objects and arrays are inside of each other: 0 for a number, 1 for []. What is nested
  // kMaxDepth - 1 deep at most, and written by dump(), parse() can read.
  int depth() const;

  // Writes the value; what is not UTF-8 in a string becomes U+FFFD. With `indent` > 0 over several
  // lines, indented by that many spaces.
  std::string dump(int indent = 0) const;

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  // True for numbers without a fraction or exponent that fit int64_t or uint64_t.
  bool is_integer() const;
  bool is_number() const { return is_integer() || std::holds_alternative<double>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }
  // The JSON name of the value's type: "null", "boolean", "number", "string", "array", "object".
  std::string_view type_name() const;

  // The value as that type; throw Error{kDecodingFailure} when it is another one (or an integer
  // out of int64_t's range).
  bool as_bool() const;
  int64_t as_int() const;
  uint64_t as_uint() const;
  const std::string& as_string() const;
  // Of a temporary, array and object are moved out, so that a range-for over it is safe.
  const Array& as_array() const&;
  Array& as_array() &;
  Array as_array() &&;
  const Object& as_object() const&;
  Object& as_object() &;
  Object as_object() &&;

  // The member of that name, or nullptr when there is none or this is not an object.
  const Json* find(std::string_view key) const;
  // The member of that name (moved out of a temporary); throws Error{kDecodingFailure} when there
  // is none.
  const Json& at(std::string_view key) const&;
  Json at(std::string_view key) &&;
  // The member of that name, added as null when there is none. A null becomes an object.
  Json& operator[](std::string_view key);
  // Removes the member of that name, if there is one.
  void erase(std::string_view key);
  // Appends to an array. A null becomes an array.
  void push_back(Json item);

  // Appends the text of a number to `out`; the value must be one.
  void write_number_to(std::string& out) const;

  bool operator==(const Json& other) const = default;

 private:
  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, Array, Object> value_;
};

struct Json::Field {
  std::string_view name;
  mutable Json value;
};

// True when the text is well-formed UTF-8.
bool is_utf8(std::string_view text);

}  // namespace railcni

#endif  // RAILCNI_JSON_H_
