// Logging to stderr or a file: never to stdout, which belongs to the protocol.
#ifndef RAILCNI_LOG_H_
#define RAILCNI_LOG_H_

#include <string>
#include <string_view>

namespace railcni {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// "debug", "info", "warning" (or "warn") and "error"; throws Error{kInvalidConfig} for another.
LogLevel parse_log_level(std::string_view name);

// Sends what follows at `level` and above to `file` (appended to, made when missing, as is its
// folder), or to stderr when `file` is empty. `prefix` is put before every message (the verb and
// the attachment). The file must be below a log folder of the node policy, a regular one, root's
// own, and reached without a link; with one that is not, or cannot be opened, a warning says why
// and the log goes to stderr. Before the first call, warnings and errors go to stderr.
void open_log(LogLevel level, const std::string& file, std::string prefix);

// One line each, shown by printable(). A log that cannot be written never fails the verb.
void log_debug(std::string_view message);
void log_info(std::string_view message);
void log_warning(std::string_view message);
void log_error(std::string_view message);

}  // namespace railcni

#endif  // RAILCNI_LOG_H_
