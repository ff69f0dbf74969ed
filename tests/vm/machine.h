// The VM's hardware: four igb NICs (run.sh wires them) and the virtual functions made of them.
#ifndef RAILCNI_TESTS_VM_MACHINE_H_
#define RAILCNI_TESTS_VM_MACHINE_H_

#include <functional>
#include <string>
#include <vector>

#include "railcni/json.h"
#include "tests/support/sandbox.h"

namespace railcni::test {

// The physical functions, as guest.sh names them: two ends of the wire of rail 1, two of rail 2.
inline constexpr const char* kNics[] = {"rail1", "rail1b", "rail2", "rail2b"};
// How many virtual functions a NIC can have: as an igb seven, as an InfiniBand adapter eight.
int max_vfs(const std::string& nic);

// The PCI address of a network interface of this namespace, "0000:01:00.0".
std::string pci_address_of(const std::string& ifname);
// The driver that a PCI function is bound to; empty when it has none.
std::string driver_of(const std::string& pci_address);
// The interface of a PCI function; empty when it is not in the caller's network namespace.
std::string netdev_of(const std::string& pci_address);

// The PCI addresses of a NIC's virtual functions, by index. Makes all there can be when there are
// fewer, and waits for their interfaces; they stay for the next test, since to take them away costs
// seconds. Throws std::runtime_error.
std::vector<std::string> vfs_of(const std::string& nic);
int vf_count(const std::string& nic);
// Writes sriov_numvfs; throws std::runtime_error when the kernel refuses it.
void set_vf_count(const std::string& nic, int count);

// The host as a test finds it: every NIC up with a carrier and no more, no bond, VLAN or
// dummy. Cleans up at both ends.
class Machine {
 public:
  // Without virtual functions where VLANs on a NIC itself have to work: QEMU's igb lets none
  // through to the physical function once it has virtual ones.
  explicit Machine(bool with_vfs = true);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine();
};

// Deletes the host's bonds, VLANs and dummies.
void remove_virtual_links();

// True when the link is up, and has the link-local address that the kernel gives it in the
// background.
bool has_settled(const std::string& ifname);

// The RDMA devices that a namespace (empty: the host) sees, by name.
std::vector<std::string> rdma_devices(const std::string& netns = "");

// As snapshot() of the host, and the driver and interface of every PCI function, and the RDMA
// devices. What the kernel makes anew when an RDMA device moves is left out: indices, and the queue
// pair's number in an IPoIB link's address.
Json machine_snapshot();
// What differs from an earlier one, in words, carriers left out; empty when it is (or comes to be,
// soon) the same.
std::string machine_changes_since(const Json& before);

// The names in a folder, sorted; none when it cannot be read.
std::vector<std::string> list_folder(const std::string& path);

// Reads a file of /sys or /proc, without the newline at its end; empty when it cannot be read.
std::string read_line(const std::string& path);

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_VM_MACHINE_H_
