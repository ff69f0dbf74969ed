#include "src/verbs/original_host_local.h"

#include <dirent.h>
#include <sys/stat.h>

#include <cstdio>
#include <ctime>

#include "railcni/config.h"

namespace railcni {
namespace {

constexpr const char* kDefaultFolder = "/var/lib/cni/networks";
constexpr size_t kLongestContent = 512;

// Seconds since the epoch.
time_t boot_time() {
  timespec since_boot{};
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec - since_boot.tv_sec;
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
