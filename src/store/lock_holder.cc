// Who holds a lock: the kernel does not tell it of an open-file-description lock, but shows each
// lock in the fdinfo of the descriptors that hold it (proc(5)).
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <functional>
#include <optional>

#include "src/store/file_lock.h"

namespace railcni {
namespace {

// Calls `visit` with each entry that is a number, until it returns false.
void for_numbers(const std::string& folder, const std::function<bool(const char*)>& visit) {
  DIR* dir = opendir(folder.c_str());
  if (dir == nullptr) return;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    if (!visit(entry->d_name)) break;
  }
  closedir(dir);
}

std::string first_line(const std::string& path) {
  FILE* file = fopen(path.c_str(), "re");
  if (file == nullptr) return "";
  char line[512] = {};
  if (fgets(line, sizeof line, file) == nullptr) line[0] = '\0';
  fclose(file);
  line[strcspn(line, "\n")] = '\0';
  return line;
}

// A line is "lock:	1: OFDLCK ADVISORY  WRITE -1 00:2a:1117 72 72": the last two are the range.
bool shows_lock(const std::string& fdinfo, off_t offset) {
  FILE* file = fopen(fdinfo.c_str(), "re");
  if (file == nullptr) return false;
  bool found = false;
  char line[512];
  while (!found && fgets(line, sizeof line, file) != nullptr) {
    long long start = -1;
    found = strncmp(line, "lock:", 5) == 0 &&
            sscanf(line, "lock: %*d: %*s %*s %*s %*d %*s %lld", &start) == 1 && start == offset;
  }
  fclose(file);
  return found;
}

bool holds(const std::string& process, const struct stat& locked, off_t offset) {
  bool found = false;
  for_numbers(process + "/fd", [&](const char* fd) {
    struct stat info;
    if (stat((process + "/fd/" + fd).c_str(), &info) != 0) return true;
    if (info.st_dev != locked.st_dev || info.st_ino != locked.st_ino) return true;
    found = shows_lock(process + "/fdinfo/" + fd, offset);
    return !found;
  });
  return found;
}

// The letter of "4711 (railcni) T 1 ..." in proc(5)'s stat, in words.
std::string state_of(const std::string& process) {
  const std::string stat_line = first_line(process + "/stat");
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
  struct stat locked;
  std::string holder = "a process that cannot be seen from here";
  if (fstat(fd, &locked) != 0) return holder;
  for_numbers("/proc", [&](const char* pid) {
    const std::string process = std::string("/proc/") + pid;
    if (!holds(process, locked, offset)) return true;
    holder = std::string("process ") + pid + " (" + first_line(process + "/comm") +
             state_of(process) + ")";
    return false;
  });
  return holder;
}

}  // namespace railcni
