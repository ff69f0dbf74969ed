#include "src/verbs/original_host_local.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "railcni/clock.h"
#include "railcni/config.h"

namespace railcni {
namespace {

constexpr const char* kDefaultFolder = "/var/lib/cni/networks";
constexpr size_t kLongestContent = 512;

// What has no earlier time than this is of this boot. Seconds since the epoch: by the clock as it
// is now, or as it was when the kernel made its first device files, whichever is earlier. A clock
// that was set since then moves only one of the two.
time_t boot_time() {
  const time_t by_clock = time(nullptr) - static_cast<time_t>(boot_seconds());
  struct stat device {};
  if (stat("/dev/null", &device) != 0) return by_clock;
  return std::min(by_clock, device.st_mtime);
}

std::string content_of(const std::string& path) {
  std::string text(kLongestContent, '\0');
  FILE* file = fopen(path.c_str(), "re");
  if (file == nullptr) return "";
  text.resize(fread(text.data(), 1, text.size(), file));
  fclose(file);
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  return text;
}

}  // namespace

OriginalHostLocal::OriginalHostLocal(const Json& config) {
  const CommonConfig common = read_common_config(config);
  folder_ = (common.data_dir.empty() ? kDefaultFolder : common.data_dir) + "/" + common.name;
}

bool OriginalHostLocal::reserves(const IpAddress& address) const {
  struct stat info {};
  const std::string path = folder_ + "/" + address.to_string();
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && info.st_mtime >= boot_time();
}

std::vector<std::string> OriginalHostLocal::files_of(const std::string& container_id,
                                                     const std::string& ifname) const {
  std::vector<std::string> files;
  DIR* folder = opendir(folder_.c_str());
  if (folder == nullptr) return files;
  while (const dirent* entry = readdir(folder)) {
    if (!IpAddress::parse(entry->d_name)) continue;
    std::string path = folder_ + "/" + entry->d_name;
    const std::string content = content_of(path);
    if (content == container_id + "\r\n" + ifname || content == container_id) {
      files.push_back(std::move(path));
    }
  }
  closedir(folder);
  return files;
}

}  // namespace railcni
