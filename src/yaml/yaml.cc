#include "src/yaml/yaml.h"

#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <istream>
#include <optional>
#include <streambuf>
#include <utility>

#include "railcni/error.h"
#include "railcni/utf8.h"
#include "src/yaml/yaml_builder.h"
#include "src/yaml/yaml_scalar.h"

namespace railcni {
namespace {

// Reads a text in place: an istringstream would copy it.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    // streambuf has no constant areas; nothing writes to it, as it is only read from.
    char* begin = const_cast<char*>(text.data());
    setg(begin, begin, begin + text.size());
  }
};

// The characters of YAML 1.2.2, section 5.1: no control characters but tab, line feed and carriage
// return, no U+FFFE and U+FFFF.
bool is_allowed(const Utf8Character& character) {
  const uint32_t point = character.point;
  if (character.size == 0) return false;
  if (point < 0xa0) {
    return point == '\t' || point == '\n' || point == '\r' || point == 0x85 ||
           (point >= 0x20 && point < 0x7f);
  }
  return point != 0xfffe && point != 0xffff;
}

// yaml-cpp replaces what is not UTF-8, and takes a NUL or EOT byte for the end of the file: a
// document could lose its tail without a word.
void check_characters(const YamlBuilder& builder, std::string_view text) {
  YAML::Mark mark;
  for (size_t at = 0; at < text.size();) {
    const Utf8Character character = decode_utf8(text.substr(at));
    if (!is_allowed(character)) {
      static constexpr char kHex[] = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(text[at]);
      throw builder.error_at(mark, std::string("byte 0x") + kHex[byte >> 4] + kHex[byte & 15] +
                                       " is not text: the file must be UTF-8 without control "
                                       "characters");
    }
    if (text[at] == '\n') {
      ++mark.line;
      mark.column = 0;
    } else {
      ++mark.column;
    }
    at += character.size;
  }
}

void append_items(Json document, std::vector<Json>& out) {
  const Json* kind = document.find("kind");
  const Json* items = document.find("items");
  if (kind == nullptr || !kind->is_string() || !kind->as_string().ends_with("List") ||
      items == nullptr || !items->is_array()) {
    out.push_back(std::move(document));
    return;
  }
  for (const Json& item : items->as_array()) append_items(item, out);
}

// True when `text` starts as a JSON document does.
bool looks_like_json(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
}

// JSON that yaml-cpp cannot read: tabs before a key, \ud83d\ude00 escapes.
std::optional<Json> parse_as_json(std::string_view text) {
  if (!looks_like_json(text)) return std::nullopt;
  try {
    return Json::parse(text);
  } catch (const Error&) {
    return std::nullopt;  // the YAML parser's complaint has a line and column
  }
}

// True when the text can stand without quotes and is read back as the same string.
bool is_plain(const std::string& text) {
  static constexpr std::string_view kSafe = "._/-";
  for (const char c : text) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && kSafe.find(c) == std::string_view::npos) {
      return false;
    }
  }
  // A dash may begin an item or, as three of them, a document; three dots end one.
  if (text.starts_with('-') || text == "...") return false;
  try {
    return resolve_plain_scalar(text).is_string();
  } catch (const Error&) {
    return false;
  }
}

// JSON has characters as they are that YAML has as escapes only: U+007F to U+009F, U+FFFE, U+FFFF.
std::string with_escapes(std::string_view json) {
  std::string text;
  while (!json.empty()) {
    const Utf8Character character = decode_utf8(json);
    if (is_allowed(character)) {
      text += json.substr(0, character.size);
    } else {
      char escape[16];
      snprintf(escape, sizeof escape, "\\u%04x", character.point);
      text += escape;
    }
    json.remove_prefix(character.size);
  }
  return text;
}

std::string scalar_text(const Json& value) {
  if (!value.is_string()) return value.dump();
  if (is_plain(value.as_string())) return value.as_string();
  // A JSON string is a double-quoted YAML one, its escapes included.
  return with_escapes(value.dump());
}

// True for lines that a literal block scalar (YAML 1.2.2, section 8.1.2) shows as they are: a
// configuration inside a document stays readable.
bool is_literal(const Json& value) {
  if (!value.is_string()) return false;
  const std::string& text = value.as_string();
  // The first line's spaces would be taken for indentation, a last line break would be stripped.
  return text.find('\n') != std::string::npos && text.front() != ' ' && text.front() != '\n' &&
         text.back() != '\n' && is_utf8(text) && std::ranges::none_of(text, [](unsigned char c) {
           return (c < 0x20 && c != '\n') || c >= 0x7f;
         });
}

void write_literal(std::string& out, const std::string& text, size_t indent) {
  out += " |-\n";
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) out += std::string(indent, ' ') + text.substr(at, end - at);
    out += '\n';
    at = end + 1;
  }
}

void write_yaml(std::string& out, const Json& value, size_t indent) {
  const std::string margin(indent, ' ');
  const auto write_value = [&](const Json& item, size_t deeper) {
    const bool is_block = (item.is_object() && !item.as_object().empty()) ||
                          (item.is_array() && !item.as_array().empty());
    if (is_block) {
      out += '\n';
      write_yaml(out, item, deeper);
    } else if (is_literal(item)) {
      write_literal(out, item.as_string(), deeper);
    } else {
      out += ' ' + scalar_text(item) + '\n';
    }
  };
  if (value.is_object()) {
    for (const auto& [key, member] : value.as_object()) {
      out += margin + scalar_text(Json(key)) + ':';
      write_value(member, indent + 2);
    }
  } else {
    for (const Json& item : value.as_array()) {
      out += margin + '-';
      if (item.is_object() && !item.as_object().empty()) {
        // "- key: value": the first member stands behind the dash.
        std::string block;
        write_yaml(block, item, indent + 2);
        out += ' ' + block.substr(indent + 2);
      } else {
        write_value(item, indent + 2);
      }
    }
  }
}

}  // namespace

std::vector<Json> parse_yaml(const std::string& name, std::string_view text) {
  if (text.size() > kMaxYamlSize) {
    throw Error(Code::kDecodingFailure,
                name + ": larger than " + std::to_string(kMaxYamlSize >> 20) + " MiB");
  }
  YamlBuilder builder(name);
  check_characters(builder, text);
  std::vector<Json> documents;
  try {
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    documents = std::move(builder.documents());
  } catch (const YAML::Exception& exception) {
    std::optional<Json> json = parse_as_json(text);
    if (!json) throw builder.error_at(exception.mark, exception.msg);
    documents.push_back(std::move(*json));
  }
  std::vector<Json> result;
  for (Json& document : documents) append_items(std::move(document), result);
  return result;
}

std::string to_yaml(const Json& value) {
  std::string out;
  const bool is_block = (value.is_object() && !value.as_object().empty()) ||
                        (value.is_array() && !value.as_array().empty());
  if (!is_block) return scalar_text(value) + '\n';
  write_yaml(out, value, 0);
  return out;
}

}  // namespace railcni
