// What the tests of the sriov backend share.
#ifndef RAILCNI_TESTS_VM_SRIOV_WORLD_H_
#define RAILCNI_TESTS_VM_SRIOV_WORLD_H_

#include <string>

#include "railcni/json.h"
#include "tests/support/runtime.h"

namespace railcni::test {

// A list of one plugin: {"cniType":"sriov","sriov":BLOCK} with pool 10.8.0.0/24, and no probes.
Json sriov_list(const std::string& data_dir, const Json& block = Json::object());

// As Multus does it: the VF that the device plugin gave to the Pod goes into the plugin's
// configuration.
Json with_device(const Json& conflist, const std::string& pci_address);

// VF `number` in the list of `ip -d -j link show NIC`.
Json vf_of(const std::string& nic, int number);

// Unbinds the function's driver and binds it again, and waits for the interface.
void rebind(const std::string& pci_address);

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_VM_SRIOV_WORLD_H_
