#include "tests/vm/sriov_world.h"

#include <fstream>
#include <stdexcept>

#include "tests/support/sandbox.h"
#include "tests/vm/machine.h"

namespace railcni::test {

Json sriov_list(const std::string& data_dir, const Json& block) {
  const Json pool = Json::object({{"name", "vf-pool"},
                                  {"subnet", "10.8.0.0/24"},
                                  {"ips", Json::array({"10.8.0.10-10.8.0.200"})}});
  Json plugin = Json::object({{"type", "railcni"},
                              {"cniType", "sriov"},
                              {"dataDir", data_dir},
                              {"sriov", block},
                              {"ipam", Json::object({{"pools", Json::array({pool})}})}});
  return make_conflist("1.1.0", "rail", {plugin});
}

Json with_device(const Json& conflist, const std::string& pci_address) {
  Json list = conflist;
  for (Json& plugin : list["plugins"].as_array()) {
    plugin["deviceID"] = pci_address;
    plugin["pciBusID"] = pci_address;
  }
  return list;
}

Json vf_of(const std::string& nic, int number) {
  const Json link = link_of(nic);
  for (const Json& vf : link.at("vfinfo_list").as_array()) {
    if (vf.at("vf").as_int() == number) return vf;
  }
  throw std::runtime_error(nic + " has no VF " + std::to_string(number));
}

void rebind(const std::string& pci_address) {
  const std::string driver = "/sys/bus/pci/drivers/" + driver_of(pci_address);
  for (const char* file : {"/unbind", "/bind"}) {
    std::ofstream stream(driver + file);
    stream << pci_address << std::flush;
    if (!stream) throw std::runtime_error(driver + file + " refuses " + pci_address);
  }
  if (!eventually([&] { return !netdev_of(pci_address).empty(); })) {
    throw std::runtime_error(pci_address + " has no interface after a rebind");
  }
}

}  // namespace railcni::test
