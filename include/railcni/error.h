// The one exception type of railcni.
#ifndef RAILCNI_ERROR_H_
#define RAILCNI_ERROR_H_

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

namespace railcni {

// Error codes of the CNI specification 1.1.0, section "Error" (1-99 are reserved by it), and
// railcni's own from 100 on.
enum class Code : uint32_t {
  kIncompatibleVersion = 1,   // cniVersion is not one of the supported ones
  kUnsupportedField = 2,      // a field of the configuration has a value that is not supported
  kUnknownContainer = 3,      // the container (its netns) does not exist
  kInvalidEnvironment = 4,    // a CNI_* variable is missing or malformed
  kIoFailure = 5,             // a file or stream could not be read or written
  kDecodingFailure = 6,       // stdin, or a file, is not what its format says
  kInvalidConfig = 7,         // the network configuration is wrong
  kInvalidNetns = 8,          // CNI_NETNS must not be used as given (it is the caller's own netns)
  kTryAgainLater = 11,        // a passing condition: the runtime should call again
  kNotAvailable = 50,         // STATUS: ADD cannot be served
  kLimitedConnectivity = 51,  // STATUS: ADD cannot be served, running containers are affected too
  kKernel = 100,              // the kernel refused a step
  kCheckFailed = 101,         // CHECK: the container's networking is not as it was left
  kStoreDamaged = 102,        // a file of the store is foreign, newer or damaged
  kIncomplete = 103,          // DEL or GC could not undo everything; the rest stays recorded
};

// What went wrong: a CNI error code, a message for the person who reads it (what is wrong, with
// which value, of which key or device, and what would be right) and optional details.
class Error : public std::exception {
 public:
  Error(Code code, std::string msg, std::string details = "");

  Code code() const { return code_; }
  const std::string& msg() const { return msg_; }
  const std::string& details() const { return details_; }
  // Same as msg(), for code that only knows std::exception.
  const char* what() const noexcept override { return msg_.c_str(); }

  // Returns this error with "context: " put before its message.
  Error with_context(std::string_view context) const;

 private:
  Code code_;
  std::string msg_;
  std::string details_;
};

// Returns the text of an errno value, such as "No such file or directory".
std::string errno_text(int error_number);

// Throws Error{code} with "what: <text of error_number>".
[[noreturn]] void throw_errno(Code code, std::string_view what, int error_number);

}  // namespace railcni

#endif  // RAILCNI_ERROR_H_
