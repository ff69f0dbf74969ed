// What the fuzz targets have in common. Each file beside this one is a target: a function that gets
// bytes and hands them to parsers. A parser may throw Error and nothing else: any other exception
// leaves the target, which libFuzzer takes for the crash that it is.
#ifndef RAILCNI_TESTS_FUZZ_FUZZ_H_
#define RAILCNI_TESTS_FUZZ_FUZZ_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "railcni/error.h"
#include "railcni/log.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);

namespace railcni::fuzz {

// A property that must hold for every input; `what` says it.
inline void require(bool holds, std::string_view what, std::string_view details = {}) {
  if (holds) return;
  fprintf(stderr, "not so: %.*s\n%.*s\n", static_cast<int>(what.size()), what.data(),
          static_cast<int>(details.size()), details.data());
  abort();
}

// Runs `parse`; false when it throws an Error, which must say something.
template <typename Parse>
bool accepts(Parse parse) {
  try {
    parse();
    return true;
  } catch (const Error& error) {
    require(!error.msg().empty(), "an error has a message");
    return false;
  }
}

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Cuts the first line off `text`, and returns it.
inline std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

// Warnings of hostile input would be most of what a run prints.
inline int be_quiet() {
  open_log(LogLevel::kError, "/dev/null", "");
  return 0;
}

}  // namespace railcni::fuzz

#endif  // RAILCNI_TESTS_FUZZ_FUZZ_H_
