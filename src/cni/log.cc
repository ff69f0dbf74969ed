#include "railcni/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "railcni/error.h"
#include "railcni/fd.h"

namespace railcni {
namespace {

struct Log {
  LogLevel level = LogLevel::kWarning;
  Fd file;
  std::string prefix;
};

Log& the_log() {
  static Log log;
  return log;
}

void write_line(LogLevel level, std::string_view name, std::string_view message) {
  const Log& log = the_log();
  if (level < log.level) return;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  gmtime_r(&now.tv_sec, &utc);
  char stamp[96];
  snprintf(stamp, sizeof stamp, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", utc.tm_year + 1900,
           utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000000);
  std::string line(stamp);
  line.append(" ").append(name).append(" ").append(log.prefix).append(message).append("\n");
  // One write(2) on an O_APPEND file, so that lines of parallel processes do not mix.
  if (::write(log.file ? log.file.get() : STDERR_FILENO, line.data(), line.size()) < 0) return;
}

}  // namespace

LogLevel parse_log_level(std::string_view name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "info") return LogLevel::kInfo;
  if (name == "warning" || name == "warn") return LogLevel::kWarning;
  if (name == "error") return LogLevel::kError;
  throw Error(Code::kInvalidConfig,
              "logLevel \"" + std::string(name) + "\": must be debug, info, warning or error");
}

void open_log(LogLevel level, const std::string& file, std::string prefix) {
  Log& log = the_log();
  log.level = level;
  log.prefix = std::move(prefix);
  log.file.reset();
  if (file.empty()) return;
  // O_NONBLOCK: a FIFO without a reader must not keep us waiting.
  Fd fd(::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
               0640));
  if (!fd) throw_errno(Code::kIoFailure, "cannot open logFile " + file, errno);
  struct stat status {};
  if (fstat(fd.get(), &status) != 0 || !(S_ISREG(status.st_mode) || S_ISCHR(status.st_mode))) {
    throw Error(Code::kIoFailure, "logFile " + file + " is neither a file nor a terminal");
  }
  log.file = std::move(fd);
}

void log_debug(std::string_view message) { write_line(LogLevel::kDebug, "debug", message); }
void log_info(std::string_view message) { write_line(LogLevel::kInfo, "info", message); }
void log_warning(std::string_view message) { write_line(LogLevel::kWarning, "warning", message); }
void log_error(std::string_view message) { write_line(LogLevel::kError, "error", message); }

}  // namespace railcni
