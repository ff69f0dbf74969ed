#include "railcni/error.h"

#include <cstring>
#include <utility>

namespace railcni {

Error::Error(Code code, std::string msg, std::string details)
    : code_(code), msg_(std::move(msg)), details_(std::move(details)) {}

Error Error::with_context(std::string_view context) const {
  return Error(code_, std::string(context) + ": " + msg_, details_);
}

std::string errno_text(int error_number) {
  // strerrordesc_np() is a table look-up; strerror() would pull the message catalogues into the
  // static binary.
  const char* text = strerrordesc_np(error_number);
  return text != nullptr ? text : "error " + std::to_string(error_number);
}

void throw_errno(Code code, std::string_view what, int error_number) {
  throw Error(code, std::string(what) + ": " + errno_text(error_number));
}

}  // namespace railcni
