// PCI functions as sysfs shows them: which of them is a VF of which PF, and what hangs on it.
#ifndef RAILCNI_PCI_H_
#define RAILCNI_PCI_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace railcni {

struct PciFunction {
  std::string address;  // "0000:3b:00.2"
  // The inode of its sysfs folder. The kernel numbers them anew, so a VF that was removed and made
  // again at the same address (sriov_numvfs) is another one.
  uint64_t identity = 0;
  std::string driver;        // empty: none is bound
  bool is_physical = false;  // it can have VFs itself
  std::string physical;      // the PF's address; empty: none, or hidden (a VF given to a VM)
  int vf_number = -1;        // N of the PF's virtfnN; -1 without a visible PF
};

// Lowercase with the domain "0000:" put before a short address; nothing when the text is no PCI
// address (Documentation/PCI: DOMAIN:BUS:DEVICE.FUNCTION, hexadecimal).
std::optional<std::string> parse_pci_address(const std::string& text);

// sysfs under a root that tests can replace. Folders of network interfaces show those of the
// namespace that sysfs was mounted in: the host's.
class Sysfs {
 public:
  explicit Sysfs(std::string root = "/sys") : root_(std::move(root)) {}

  // Nothing when there is no such function. Throws Error{kIoFailure} when its folder cannot be
  // read.
  std::optional<PciFunction> find_function(const std::string& address) const;

  // The interfaces on the function, by name. A switchdev PF has its representors here as well, an
  // IPoIB function its children.
  std::vector<std::string> interfaces(const std::string& address) const;

  // The one that is the function's own: neither a representor (its phys_port_name would be
  // "pf0vf3", "c1pf0sf2") nor a child of another interface. Of several ports it is the one with the
  // dev_port of `port_like`, an interface. Empty when there is none.
  std::string own_interface(const std::string& address, const std::string& port_like = "") const;

  // What is stacked on an interface, in its own namespace: the bridge or bond that it is a port of,
  // VLANs and macvlans on it.
  std::vector<std::string> stacked_on(const std::string& interface) const;

  // The RDMA devices of the namespace on a function, or on an auxiliary device such as
  // "mlx5_core.sf.4", by name.
  std::vector<std::string> rdma_devices(const std::string& device) const;
  // The character device for user programs ("uverbs3") of the RDMA device on `device`, whatever
  // namespace that is in; empty when it has none.
  std::string uverbs(const std::string& device) const;
  // The function, or auxiliary device, that such a one is on; empty when it is on none.
  std::string uverbs_function(const std::string& name) const;

  // The table of pkeys of the RDMA port on `device` that `interface` is on; empty when it is not to
  // be seen from here.
  std::vector<uint16_t> pkeys(const std::string& device, const std::string& interface) const;

  // Binds a driver to the function, or takes it off. Both throw Error{kKernel}.
  void bind(const std::string& address, const std::string& driver) const;
  void unbind(const std::string& address, const std::string& driver) const;

 private:
  std::string function_folder(const std::string& address) const;
  std::string interface_attribute(const std::string& name, const std::string& attribute) const;
  std::string read_file(const std::string& path) const;
  void write_file(const std::string& path, const std::string& text) const;

  std::string root_;
};

}  // namespace railcni

#endif  // RAILCNI_PCI_H_
