#include "railcni/json.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "railcni/error.h"

namespace railcni {
namespace {

#if defined(__x86_64__)
// Left alone simdjson asks CPUID for the best of its implementations, 10 to 100 us in a virtual
// machine (see tests/bench/README.md); any of them reads a network configuration in less than that.
[[maybe_unused]] const bool kChosen = [] {
  simdjson::get_active_implementation() = simdjson::get_available_implementations()["fallback"];
  return true;
}();
#endif

[[noreturn]] void throw_too_deep() {
  throw Error(Code::kDecodingFailure,
              "JSON is nested deeper than " + std::to_string(Json::kMaxDepth) + " levels");
}

Json convert(simdjson::dom::element element, int depth) {
  if (depth > Json::kMaxDepth) throw_too_deep();
  using simdjson::dom::element_type;
  switch (element.type()) {
    case element_type::NULL_VALUE:
      return Json();
    case element_type::BOOL:
      return Json(bool(element));
    case element_type::INT64:
      return Json(int64_t(element));
    case element_type::UINT64:
      return Json(uint64_t(element));
    case element_type::DOUBLE:
      return Json(double(element));
    case element_type::STRING:
      return Json(std::string_view(element));
    case element_type::ARRAY: {
      Json::Array items;
      for (simdjson::dom::element item : simdjson::dom::array(element)) {
        items.push_back(convert(item, depth + 1));
      }
      return Json::array(std::move(items));
    }
    case element_type::OBJECT: {
      Json object = Json::object();
      Json::Object& members = object.as_object();
      for (simdjson::dom::key_value_pair field : simdjson::dom::object(element)) {
        Json value = convert(field.value, depth + 1);
        // A look-up per key is quadratic, which a hostile 10 MB object would turn into minutes:
        // beyond a few hundred members (no known document has them) duplicates are kept, and
        // find() gives the last one all the same.
        Json* same = nullptr;
        if (members.size() < 256) same = const_cast<Json*>(object.find(field.key));
        if (same != nullptr) {
          *same = std::move(value);
        } else {
          members.emplace_back(std::string(field.key), std::move(value));
        }
      }
      return object;
    }
  }
  return Json();
}

// How many bytes of `text` make its first character; 0 when they are not UTF-8.
size_t first_character(std::string_view text) {
  for (size_t size = 1; size <= 4 && size <= text.size(); ++size) {
    if (simdjson::validate_utf8(text.data(), size)) return size;
  }
  return 0;
}

void write_string(std::string& out, std::string_view text) {
  if (!is_utf8(text)) {
    // A path or a file's text may hold any bytes; a document that nobody can read must not come of
    // them.
    std::string clean;
    while (!text.empty()) {
      const size_t size = first_character(text);
      clean += size > 0 ? text.substr(0, size) : std::string_view("\xef\xbf\xbd");
      text.remove_prefix(std::max<size_t>(size, 1));
    }
    return write_string(out, clean);
  }
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  // What needs no escape, which is mostly all of it, is written at once.
  size_t written = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, written, i - written);
    written = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out += kHex[(c >> 4) & 0xf];
        out += kHex[c & 0xf];
    }
  }
  out.append(text, written);
  out += '"';
}

// The shortest text that is read as the same number. std::to_chars() would do it, with 150 KB of
// tables.
void write_number(std::string& out, double number) {
  // "-0" would be read as the integer.
  if (number == 0 && std::signbit(number)) {
    out += "-0.0";
    return;
  }
  char buffer[32];
  for (int digits = 15; digits <= 17; ++digits) {
    snprintf(buffer, sizeof buffer, "%.*g", digits, number);
    if (strtod(buffer, nullptr) == number) break;
  }
  out += buffer;
}

template <typename Number>
void write_number(std::string& out, Number number) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number);
  out.append(buffer, end.ptr);
}

struct Writer {
  std::string& out;
  int indent;
  int depth = 0;

  void line() {
    if (indent <= 0) return;
    out += '\n';
    out.append(static_cast<size_t>(indent) * static_cast<size_t>(depth), ' ');
  }

  // Writes `items` between the brackets, each by `write_item`.
  template <typename Items, typename WriteItem>
  void list(char open, char close, const Items& items, WriteItem write_item) {
    out += open;
    ++depth;
    bool first = true;
    for (const auto& item : items) {
      if (!first) out += ',';
      first = false;
      line();
      write_item(item);
    }
    --depth;
    if (!first) line();
    out += close;
  }

  void operator()(const Json& json) {
    if (json.is_object()) {
      list('{', '}', json.as_object(), [this](const Json::Member& member) {
        write_string(out, member.first);
        out += indent > 0 ? ": " : ":";
        (*this)(member.second);
      });
    } else if (json.is_array()) {
      list('[', ']', json.as_array(), [this](const Json& item) { (*this)(item); });
    } else if (json.is_string()) {
      write_string(out, json.as_string());
    } else if (json.is_bool()) {
      out += json.as_bool() ? "true" : "false";
    } else if (json.is_null()) {
      out += "null";
    } else {
      json.write_number_to(out);
    }
  }
};

[[noreturn]] void wrong_type(const Json& json, std::string_view wanted) {
  throw Error(Code::kDecodingFailure,
              "expected " + std::string(wanted) + ", found " + std::string(json.type_name()));
}

}  // namespace

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

Json Json::array(Array items) {
  Json json;
  json.value_ = std::move(items);
  return json;
}

Json Json::object(std::initializer_list<Field> members) {
  Object object;
  object.reserve(members.size());
  for (const Field& member : members) {
    object.emplace_back(member.name, std::move(member.value));
  }
  Json json;
  json.value_ = std::move(object);
  return json;
}

Json Json::strings(const std::vector<std::string>& items) {
  Array array;
  array.reserve(items.size());
  for (const std::string& item : items) array.emplace_back(item);
  return Json::array(std::move(array));
}

Json Json::parse(std::string_view text) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  // It takes memory for as many levels as it is told to expect, and refuses one level more; left
  // alone that is 1024, 9 KB that nobody needs.
  simdjson::error_code error = parser.allocate(text.size(), Json::kMaxDepth + 1);
  // The parser reads up to SIMDJSON_PADDING bytes beyond the text: it makes its own padded copy.
  if (!error) {
    error = parser.parse(reinterpret_cast<const uint8_t*>(text.data()), text.size()).get(root);
  }
  if (error == simdjson::DEPTH_ERROR) throw_too_deep();
  if (error) {
    throw Error(Code::kDecodingFailure,
                std::string("not a JSON document: ") + simdjson::error_message(error));
  }
  return convert(root, 1);
}

int Json::depth() const {
  int deepest = 0;
  if (is_array()) {
    for (const Json& item : as_array()) deepest = std::max(deepest, item.depth());
  } else if (is_object()) {
    for (const Member& member : as_object()) deepest = std::max(deepest, member.second.depth());
  } else {
    return 0;
  }
  return deepest + 1;
}

std::string Json::dump(int indent) const {
  std::string out;
  Writer{out, indent}(*this);
  return out;
}

void Json::write_number_to(std::string& out) const {
  if (const auto* number = std::get_if<int64_t>(&value_)) return write_number(out, *number);
  if (const auto* number = std::get_if<uint64_t>(&value_)) return write_number(out, *number);
  write_number(out, std::get<double>(value_));
}

bool Json::is_integer() const {
  return std::holds_alternative<int64_t>(value_) || std::holds_alternative<uint64_t>(value_);
}

std::string_view Json::type_name() const {
  if (is_null()) return "null";
  if (is_bool()) return "boolean";
  if (is_string()) return "string";
  if (is_array()) return "array";
  if (is_object()) return "object";
  return "number";
}

bool Json::as_bool() const {
  if (!is_bool()) wrong_type(*this, "a boolean");
  return std::get<bool>(value_);
}

int64_t Json::as_int() const {
  if (const auto* number = std::get_if<int64_t>(&value_)) return *number;
  const auto* number = std::get_if<uint64_t>(&value_);
  if (number == nullptr || *number > uint64_t{std::numeric_limits<int64_t>::max()}) {
    wrong_type(*this, "an integer");
  }
  return static_cast<int64_t>(*number);
}

uint64_t Json::as_uint() const {
  if (const auto* number = std::get_if<uint64_t>(&value_)) return *number;
  const int64_t number = as_int();
  if (number < 0) wrong_type(*this, "an integer that is not negative");
  return static_cast<uint64_t>(number);
}

const std::string& Json::as_string() const {
  if (!is_string()) wrong_type(*this, "a string");
  return std::get<std::string>(value_);
}

const Json::Array& Json::as_array() const& {
  if (!is_array()) wrong_type(*this, "an array");
  return std::get<Array>(value_);
}

Json::Array& Json::as_array() & { return const_cast<Array&>(std::as_const(*this).as_array()); }

Json::Array Json::as_array() && { return std::move(as_array()); }

const Json::Object& Json::as_object() const& {
  if (!is_object()) wrong_type(*this, "an object");
  return std::get<Object>(value_);
}

Json::Object& Json::as_object() & { return const_cast<Object&>(std::as_const(*this).as_object()); }

Json::Object Json::as_object() && { return std::move(as_object()); }

const Json* Json::find(std::string_view key) const {
  const auto* members = std::get_if<Object>(&value_);
  if (members == nullptr) return nullptr;
  for (auto member = members->rbegin(); member != members->rend(); ++member) {
    if (member->first == key) return &member->second;
  }
  return nullptr;
}

const Json& Json::at(std::string_view key) const& {
  const Json* value = find(key);
  if (value == nullptr) {
    throw Error(Code::kDecodingFailure, "member \"" + std::string(key) + "\" is missing");
  }
  return *value;
}

Json Json::at(std::string_view key) && {
  return std::move(const_cast<Json&>(std::as_const(*this).at(key)));
}

Json& Json::operator[](std::string_view key) {
  if (is_null()) value_ = Object();
  if (const Json* value = find(key)) return const_cast<Json&>(*value);
  return as_object().emplace_back(std::string(key), Json()).second;
}

void Json::erase(std::string_view key) {
  if (is_object()) {
    std::erase_if(as_object(), [key](const Member& member) { return member.first == key; });
  }
}

void Json::push_back(Json item) {
  if (is_null()) value_ = Array();
  as_array().push_back(std::move(item));
}

}  // namespace railcni
