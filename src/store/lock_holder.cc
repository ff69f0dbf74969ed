#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "src/store/file_lock.h"

namespace railcni {
namespace {

std::string first_line(const std::string& path) {
  FILE* file = fopen(path.c_str(), "re");
  if (file == nullptr) return "";
  char line[512] = {};
  if (fgets(line, sizeof line, file) == nullptr) line[0] = '\0';
  fclose(file);
  line[strcspn(line, "\n")] = '\0';
  return line;
}

// "4711 (railcni) T 1 ..." of proc(5)'s stat as ", stopped".
std::string state_in_words(const std::string& stat_line) {
  const size_t name_end = stat_line.rfind(')');
  const char state = name_end + 2 < stat_line.size() ? stat_line[name_end + 2] : '?';
  switch (state) {
    case 'T':
    case 't':
      return ", stopped";
    case 'D':
      return ", waiting in the kernel";
    default:
      return "";
  }
}

}  // namespace

std::string lock_holder(int fd, off_t offset) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = offset;
  lock.l_len = 1;
  if (fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return "nobody any more";
  // Only a lock of another kind (an older railcni's) has its holder's number where it belongs.
  const long long pid = lock.l_pid > 0 ? lock.l_pid : static_cast<long long>(lock.l_len);
  const std::string process = "/proc/" + std::to_string(pid);
  const std::string name = first_line(process + "/comm");
  const std::string holder = "process " + std::to_string(pid);
  if (name.empty()) return holder + " (not seen from here, or a child of it)";
  return holder + " (" + name + state_in_words(first_line(process + "/stat")) + ")";
}

}  // namespace railcni
