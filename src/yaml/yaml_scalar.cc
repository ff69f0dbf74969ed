#include "src/yaml/yaml_scalar.h"

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "railcni/error.h"

namespace railcni {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (text == word) return true;
  }
  return false;
}

// Digits of `base` only; nothing when there are others or they do not fit.
std::optional<uint64_t> parse_digits(std::string_view digits, int base) {
  uint64_t number = 0;
  const char* end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, number, base);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return number;
}

// As the JSON parser has it: unsigned only where int64_t ends, so that equal numbers compare equal.
Json unsigned_number(uint64_t number) {
  return number <= uint64_t{INT64_MAX} ? Json(static_cast<int64_t>(number)) : Json(number);
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_float(std::string_view text) {
  size_t at = 0;
  const auto skip_digits = [&] {
    const size_t start = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at - start;
  };
  const auto skip_sign = [&] {
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  };
  skip_sign();
  const size_t whole = skip_digits();
  size_t fraction = 0;
  if (at < text.size() && text[at] == '.') {
    ++at;
    fraction = skip_digits();
  }
  if (whole + fraction == 0) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    skip_sign();
    if (skip_digits() == 0) return false;
  }
  return at == text.size();
}

Json resolve_float(std::string_view text) {
  errno = 0;
  const double number = strtod(std::string(text).c_str(), nullptr);
  if (errno == ERANGE) {
    throw Error(Code::kDecodingFailure,
                "number " + std::string(text.substr(0, 40)) + " is out of range");
  }
  return number;
}

}  // namespace

Json resolve_plain_scalar(std::string_view text) {
  if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return nullptr;
  if (is_one_of(text, {"true", "True", "TRUE"})) return true;
  if (is_one_of(text, {"false", "False", "FALSE"})) return false;

  const bool negative = text.starts_with('-');
  const bool is_signed = negative || text.starts_with('+');
  const std::string_view body = text.substr(is_signed ? 1 : 0);
  if (is_one_of(body, {".inf", ".Inf", ".INF"}) || is_one_of(text, {".nan", ".NaN", ".NAN"})) {
    throw Error(Code::kDecodingFailure, std::string(text) + " is not a number that JSON has");
  }
  if (body.empty() || (!is_digit(body[0]) && body[0] != '.')) return text;
  if (!is_signed && body.starts_with("0x")) {
    const auto number = parse_digits(body.substr(2), 16);
    return number ? unsigned_number(*number) : Json(text);
  }
  if (!is_signed && body.starts_with("0o")) {
    const auto number = parse_digits(body.substr(2), 8);
    return number ? unsigned_number(*number) : Json(text);
  }
  if (const auto number = parse_digits(body, 10)) {
    if (!negative) return unsigned_number(*number);
    if (*number <= uint64_t{INT64_MAX}) return -static_cast<int64_t>(*number);
    if (*number == uint64_t{INT64_MAX} + 1) return INT64_MIN;
  }
  return is_float(text) ? resolve_float(text) : Json(text);
}

}  // namespace railcni
