// Names that VFs and RDMA devices of the host could not be given back, since somebody else had them
// when they came home. Such a device is parked under a name that says whose doing it is, so that
// nobody who selects by name takes it for another one; its own name is owed to it, and it gets that
// when it is free.
#ifndef RAILCNI_OWED_NAMES_H_
#define RAILCNI_OWED_NAMES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "railcni/json.h"
#include "railcni/netlink.h"
#include "railcni/pci.h"
#include "railcni/store.h"

namespace railcni {

struct OwedName {
  enum class Kind { kInterface, kRdma } kind = Kind::kInterface;
  std::string device;     // the PCI function, or auxiliary device
  uint64_t identity = 0;  // PciFunction::identity; 0: an auxiliary device has none
  std::string name;
};

// What a parked interface is called: the kernel puts a number for "%d".
inline constexpr const char* kParkedInterface = "railcni%d";
// What a parked RDMA device is called: no other one gets that index.
std::string parked_rdma_name(uint32_t index);
bool is_parked_name(const std::string& name);

// ---- the kernel's part ----

// The names of a backend's record (`link`) that its devices, which are back in the host, do not
// have. Reads a few folders of sysfs where there is a VF or an RDMA device in it, and nothing
// otherwise.
std::vector<OwedName> missing_names(const Sysfs& sysfs, const Json& link);

// Gives the device its name when it is in the host and the name is free. True when nothing is owed
// any more, also because the device is gone.
bool settle_name(RouteSocket& host, const Sysfs& sysfs, const OwedName& owed);

// ---- the table of what is owed, inside a transaction on the state file ----

// One name for each kind and device: what is owed already stays.
void put_owed_name(Txn& txn, const OwedName& owed);
void erase_owed_name(Txn& txn, const OwedName& owed);
// Rows that cannot be read are passed over.
std::vector<OwedName> owed_names(const Txn& txn);

}  // namespace railcni

#endif  // RAILCNI_OWED_NAMES_H_
