// The VM is what the other tests take it for.
#include "tests/vm/machine.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <set>

using namespace railcni;
using namespace railcni::test;
namespace fs = std::filesystem;

TEST_CASE("vm: every NIC has seven virtual functions", "[ethernet]") {
  const Machine machine;
  for (const char* nic : kNics) {
    INFO(nic);
    std::set<std::string> names;
    for (const std::string& vf : vfs_of(nic)) {
      CHECK(driver_of(vf) == "igbvf");
      CHECK(fs::read_symlink("/sys/bus/pci/devices/" + vf + "/physfn").filename() ==
            pci_address_of(nic));
      names.insert(netdev_of(vf));
    }
    CHECK(names.size() == 7);
    CHECK(link_of(nic).at("vfinfo_list").as_array().size() == 7);
  }
}

TEST_CASE("vm: a snapshot of the machine tells virtual functions", "[ethernet]") {
  const Machine machine;
  set_vf_count("rail2b", 0);
  const Json before = machine_snapshot();
  vfs_of("rail2b");
  CHECK_FALSE(machine_snapshot() == before);
  set_vf_count("rail2b", 0);
  CHECK(machine_changes_since(before) == "");
}

TEST_CASE("vm: virtual functions of one rail reach each other, those of two do not", "[ethernet]") {
  const Machine machine;
  Pod pods[3];
  int number = 0;
  for (const char* nic : {"rail1", "rail1b", "rail2"}) {
    const std::string name = netdev_of(vfs_of(nic)[0]);
    const std::string netns = pods[number].path();
    ip("link set " + name + " netns " + netns);
    ip("addr add 10.1.1." + std::to_string(++number) + "/24 dev " + name, netns);
    ip("link set " + name + " up", netns);
  }
  CHECK(eventually([&] { return can_ping("10.1.1.2", pods[0].path()); }));
  CHECK_FALSE(can_ping("10.1.1.3", pods[0].path()));
}
