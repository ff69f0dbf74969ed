#include "src/verbs/original_host_local.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "railcni/clock.h"
#include "railcni/config.h"
#include "railcni/error.h"
#include "railcni/named_file.h"

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

}  // namespace

OriginalHostLocal::OriginalHostLocal(const Json& config) {
  const CommonConfig common = read_common_config(config);
  path_ = (common.data_dir.empty() ? kDefaultFolder : common.data_dir) + "/" + common.name;
  try {
    folder_ = open_folder(path_, FolderTrust::kAny);
  } catch (const Error&) {
    // Then the original has given nothing away here.
  }
}

bool OriginalHostLocal::reserves(const IpAddress& address) const {
  struct stat info {};
  return folder_ &&
         fstatat(folder_.get(), address.to_string().c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISREG(info.st_mode) && info.st_mtime >= boot_time();
}

std::vector<std::string> OriginalHostLocal::files_of(const std::string& container_id,
                                                     const std::string& ifname) const {
  std::vector<std::string> files;
  if (!folder_) return files;
  // fdopendir() takes its descriptor over.
  DIR* folder = fdopendir(openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder == nullptr) return files;
  while (const dirent* entry = readdir(folder)) {
    if (!IpAddress::parse(entry->d_name)) continue;
    std::string content;
    try {
      content = read_file_in(folder_, path_, entry->d_name, kLongestContent, FolderTrust::kAny)
                    .value_or("");
    } catch (const Error&) {
      continue;  // none that the original has made
    }
    content.erase(content.find_last_not_of(" \t\r\n") + 1);
    if (content == container_id + "\r\n" + ifname || content == container_id) {
      files.emplace_back(entry->d_name);
    }
  }
  closedir(folder);
  return files;
}

bool OriginalHostLocal::has_files_of(const std::string& container_id,
                                     const std::string& ifname) const {
  return !files_of(container_id, ifname).empty();
}

void OriginalHostLocal::remove_files_of(const std::string& container_id,
                                        const std::string& ifname) const {
  for (const std::string& file : files_of(container_id, ifname)) {
    if (unlinkat(folder_.get(), file.c_str(), 0) != 0 && errno != ENOENT) {
      throw_errno(Code::kIncomplete, "cannot remove " + path_ + "/" + file, errno);
    }
  }
}

}  // namespace railcni
