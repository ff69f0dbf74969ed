#include "railcni/pci.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>

#include "railcni/error.h"
#include "railcni/fd.h"

namespace railcni {
namespace {

// The last component of what a symbolic link points to; empty when it is not there.
std::string link_target(const std::string& path) {
  std::array<char, PATH_MAX> target;
  const ssize_t size = readlink(path.c_str(), target.data(), target.size());
  if (size <= 0) return "";
  const std::string text(target.data(), static_cast<size_t>(size));
  return text.substr(text.rfind('/') + 1);
}

std::vector<std::string> list_folder(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path.c_str()), closedir);
  if (!folder) return names;
  while (const dirent* entry = readdir(folder.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// phys_port_name of a port of the NIC itself: "p0", or "p0s1" where it is split. Representors are
// called "pf0vf1", "c1pf0sf88" (drivers/net: devlink_port_phys_port_name_get()).
bool names_a_port(const std::string& name) {
  return name.size() >= 2 && name[0] == 'p' && std::isdigit(static_cast<unsigned char>(name[1]));
}

}  // namespace

std::optional<std::string> parse_pci_address(const std::string& text) {
  std::string address = text;
  for (char& c : address) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (std::count(address.begin(), address.end(), ':') == 1) address = "0000:" + address;
  constexpr std::string_view kShape = "xxxx:xx:xx.x";
  // A domain above 0xffff has more digits (VMD, Hyper-V).
  const size_t extra = address.size() > kShape.size() ? address.size() - kShape.size() : 0;
  if (address.size() < kShape.size() || extra > 4) return std::nullopt;
  for (size_t i = 0; i < address.size(); ++i) {
    const char wanted = i < extra ? 'x' : kShape[i - extra];
    const bool fits = wanted == 'x' ? std::isxdigit(static_cast<unsigned char>(address[i])) != 0
                                    : address[i] == wanted;
    if (!fits) return std::nullopt;
  }
  return address;
}

std::string Sysfs::function_folder(const std::string& address) const {
  return root_ + "/bus/pci/devices/" + address;
}

std::optional<PciFunction> Sysfs::find_function(const std::string& address) const {
  if (address.empty()) return std::nullopt;
  const std::string folder = function_folder(address);
  struct stat info {};
  if (stat(folder.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw_errno(Code::kIoFailure, "cannot read " + folder, errno);
  }
  PciFunction function;
  function.address = address;
  function.identity = info.st_ino;
  function.driver = link_target(folder + "/driver");
  function.is_physical = access((folder + "/sriov_totalvfs").c_str(), F_OK) == 0;
  function.physical = link_target(folder + "/physfn");
  if (function.physical.empty()) return function;
  const std::string physical = function_folder(function.physical);
  for (int number = 0;; ++number) {
    const std::string target = link_target(physical + "/virtfn" + std::to_string(number));
    if (target.empty()) break;
    if (target != address) continue;
    function.vf_number = number;
    break;
  }
  return function;
}

std::vector<std::string> Sysfs::interfaces(const std::string& address) const {
  if (address.empty()) return {};
  return list_folder(function_folder(address) + "/net");
}

std::string Sysfs::interface_attribute(const std::string& name,
                                       const std::string& attribute) const {
  return read_file(root_ + "/class/net/" + name + "/" + attribute);
}

// The first line; empty when it cannot be read.
std::string Sysfs::read_file(const std::string& path) const {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 64> text;
  // Reading an attribute that the driver does not have fails (EOPNOTSUPP): empty, too.
  const ssize_t size = fd ? read(fd.get(), text.data(), text.size()) : 0;
  std::string value(text.data(), static_cast<size_t>(std::max<ssize_t>(size, 0)));
  while (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}

std::string Sysfs::own_interface(const std::string& address, const std::string& port_like) const {
  std::vector<std::string> own;
  for (const std::string& name : interfaces(address)) {
    const std::string port = interface_attribute(name, "phys_port_name");
    if (!port.empty() && !names_a_port(port)) continue;
    if (interface_attribute(name, "iflink") != interface_attribute(name, "ifindex")) continue;
    own.push_back(name);
  }
  if (own.size() > 1 && !port_like.empty()) {
    const std::string wanted = interface_attribute(port_like, "dev_port");
    for (const std::string& name : own) {
      if (interface_attribute(name, "dev_port") == wanted) return name;
    }
  }
  return own.empty() ? "" : own.front();
}

std::vector<std::string> Sysfs::stacked_on(const std::string& interface) const {
  constexpr std::string_view kPrefix = "upper_";  // Documentation/ABI/testing/sysfs-class-net
  std::vector<std::string> names;
  for (const std::string& entry : list_folder(root_ + "/class/net/" + interface)) {
    if (entry.starts_with(kPrefix)) names.push_back(entry.substr(kPrefix.size()));
  }
  return names;
}

std::vector<std::string> Sysfs::rdma_devices(const std::string& device) const {
  if (device.empty()) return {};
  for (const char* bus : {"pci", "auxiliary"}) {
    auto names = list_folder(root_ + "/bus/" + bus + "/devices/" + device + "/infiniband");
    if (!names.empty()) return names;
  }
  return {};
}

std::string Sysfs::uverbs(const std::string& device) const {
  if (device.empty()) return "";  // which is what one without hardware shows
  const std::string folder = root_ + "/class/infiniband_verbs/";
  for (const std::string& name : list_folder(folder)) {
    if (link_target(folder + name + "/device") == device) return name;
  }
  return "";
}

std::string Sysfs::uverbs_function(const std::string& name) const {
  return name.empty() ? "" : link_target(root_ + "/class/infiniband_verbs/" + name + "/device");
}

std::vector<uint16_t> Sysfs::pkeys(const std::string& device, const std::string& interface) const {
  std::vector<uint16_t> table;
  const std::vector<std::string> names = rdma_devices(device);
  if (names.size() != 1) return table;
  // dev_port counts from 0, RDMA ports from 1.
  const int port = atoi(interface_attribute(interface, "dev_port").c_str()) + 1;
  const std::string folder =
      root_ + "/class/infiniband/" + names.front() + "/ports/" + std::to_string(port) + "/pkeys/";
  for (const std::string& entry : list_folder(folder)) {
    table.push_back(static_cast<uint16_t>(strtoul(read_file(folder + entry).c_str(), nullptr, 16)));
  }
  return table;
}

void Sysfs::write_file(const std::string& path, const std::string& text) const {
  const Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd || TEMP_FAILURE_RETRY(write(fd.get(), text.data(), text.size())) < 0) {
    throw_errno(Code::kKernel, "cannot write " + text + " to " + path, errno);
  }
}

void Sysfs::bind(const std::string& address, const std::string& driver) const {
  write_file(root_ + "/bus/pci/drivers/" + driver + "/bind", address);
}

void Sysfs::unbind(const std::string& address, const std::string& driver) const {
  write_file(root_ + "/bus/pci/drivers/" + driver + "/unbind", address);
}

}  // namespace railcni
