#include "railcni/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "railcni/error.h"
#include "railcni/fd.h"
#include "railcni/named_file.h"
#include "railcni/policy.h"
#include "railcni/utf8.h"

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
  // Whoever wrote what the message quotes, it is one line.
  line.append(" ")
      .append(name)
      .append(" ")
      .append(printable(log.prefix))
      .append(printable(message));
  line += '\n';
  // One write(2) on an O_APPEND file, so that lines of parallel processes do not mix.
  if (::write(log.file ? log.file.get() : STDERR_FILENO, line.data(), line.size()) < 0) return;
}

// A file that is a log, be it a new one. What the name may be is the policy's to say; a link, or a
// file that somebody else has made or has by another name, too, is not written to.
Fd open_log_file(const std::string& path) {
  if (!is_allowed_path(path, node_policy().log_dirs)) {
    throw Error(Code::kInvalidConfig, "logFile \"" + path + "\": must be a file below " +
                                          joined(node_policy().log_dirs) +
                                          " (logDirs of the node policy)");
  }
  const auto fail = [&path](const std::string& why) {
    throw Error(Code::kIoFailure, "logFile " + path + ": " + why);
  };
  const size_t slash = path.rfind('/');
  Fd folder;
  try {
    folder = open_folder(path.substr(0, slash), FolderTrust::kAny, true);
  } catch (const Error& error) {
    throw error.with_context("logFile");
  }
  // O_NONBLOCK: a FIFO without a reader must not keep us waiting.
  Fd fd(openat(folder.get(), path.c_str() + slash + 1,
               O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK,
               0640));
  if (!fd && errno == ELOOP) fail("must not be a link");
  if (!fd) fail(errno_text(errno));
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) fail(errno_text(errno));
  if (!S_ISREG(status.st_mode)) fail("must be a regular file");
  if (status.st_uid != 0) fail("must be owned by root");
  if (status.st_nlink != 1) fail("the file has other names, too");
  return fd;
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
  try {
    log.file = open_log_file(file);
  } catch (const Error& error) {
    log_warning(error.msg() + "; the log goes to stderr");
  }
}

void log_debug(std::string_view message) { write_line(LogLevel::kDebug, "debug", message); }
void log_info(std::string_view message) { write_line(LogLevel::kInfo, "info", message); }
void log_warning(std::string_view message) { write_line(LogLevel::kWarning, "warning", message); }
void log_error(std::string_view message) { write_line(LogLevel::kError, "error", message); }

}  // namespace railcni
