// sysfs read under a root of the test's own: what a switchdev NIC shows, which no machine here has.
#include "railcni/pci.h"

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "railcni/error.h"
#include "railcni/ipoib.h"

using namespace railcni;
namespace fs = std::filesystem;

namespace {

struct FakeSysfs {
  fs::path root;

  FakeSysfs() {
    std::string name = fs::temp_directory_path() / "railcni-sysfs-XXXXXX";
    root = mkdtemp(name.data());
  }
  ~FakeSysfs() { fs::remove_all(root); }

  fs::path device(const std::string& address) const { return root / "bus/pci/devices" / address; }
  void interface(const std::string& address, const std::string& name, int index,
                 const std::string& port, int link = 0) const {
    fs::create_directories(device(address) / "net" / name);
    const fs::path folder = root / "class/net" / name;
    fs::create_directories(folder);
    std::ofstream(folder / "ifindex") << index << '\n';
    std::ofstream(folder / "iflink") << (link != 0 ? link : index) << '\n';
    std::ofstream(folder / "dev_port") << 0 << '\n';
    if (!port.empty()) std::ofstream(folder / "phys_port_name") << port << '\n';
  }
};

}  // namespace

TEST_CASE("a representor is never taken for the PF") {
  const FakeSysfs fake;
  const std::string pf = "0000:3b:00.0";
  // The representors' names sort before the uplink's.
  fake.interface(pf, "a-rep0", 11, "pf0vf0");
  fake.interface(pf, "b-rep1", 12, "c1pf0vf1");
  fake.interface(pf, "enp59s0f0np0", 3, "p0");
  const Sysfs sysfs(fake.root);
  CHECK(sysfs.own_interface(pf) == "enp59s0f0np0");
  CHECK(sysfs.interfaces(pf).size() == 3);
}

TEST_CASE("an IPoIB child is never taken for the function's own interface") {
  const FakeSysfs fake;
  fake.interface("0000:3b:00.0", "ib-child", 9, "", 4);
  fake.interface("0000:3b:00.0", "ib0", 4, "");
  CHECK(Sysfs(fake.root).own_interface("0000:3b:00.0") == "ib0");
}

TEST_CASE("of a PF with two ports the VF's own is found") {
  const FakeSysfs fake;
  fake.interface("0000:05:00.0", "eth4", 4, "");
  fake.interface("0000:05:00.0", "eth5", 5, "");
  fake.interface("0000:05:00.1", "eth6", 6, "");
  std::ofstream(fake.root / "class/net/eth5/dev_port") << "1\n";
  std::ofstream(fake.root / "class/net/eth6/dev_port") << "1\n";
  const Sysfs sysfs(fake.root);
  CHECK(sysfs.own_interface("0000:05:00.0", "eth6") == "eth5");
  CHECK(sysfs.own_interface("0000:05:00.0") == "eth4");
}

TEST_CASE("a VF's number is that of the PF's link to it") {
  const FakeSysfs fake;
  const fs::path pf = fake.device("0000:3b:00.0");
  fs::create_directories(pf);
  std::ofstream(pf / "sriov_totalvfs") << "8\n";
  for (int i = 0; i < 3; ++i) {
    const std::string address = "0000:3b:00." + std::to_string(i + 2);
    fs::create_directories(fake.device(address));
    fs::create_directory_symlink("../0000:3b:00.0", fake.device(address) / "physfn");
    fs::create_directory_symlink("../" + address, pf / ("virtfn" + std::to_string(i)));
  }
  fs::create_directory_symlink("../../../bus/pci/drivers/mlx5_core",
                               fake.device("0000:3b:00.4") / "driver");
  const Sysfs sysfs(fake.root);
  const auto vf = sysfs.find_function("0000:3b:00.4");
  REQUIRE(vf);
  CHECK(vf->physical == "0000:3b:00.0");
  CHECK(vf->vf_number == 2);
  CHECK(vf->driver == "mlx5_core");
  CHECK_FALSE(vf->is_physical);
  CHECK(sysfs.find_function("0000:3b:00.0")->is_physical);
  CHECK_FALSE(sysfs.find_function("0000:3b:01.0"));
  // A VF that is removed and made again is another one.
  fs::create_directory(fake.root / "keeps-the-inode-taken");
  const uint64_t identity = vf->identity;
  fs::rename(fake.device("0000:3b:00.4"), fake.root / "old");
  fs::create_directory(fake.device("0000:3b:00.4"));
  CHECK(sysfs.find_function("0000:3b:00.4")->identity != identity);
}

TEST_CASE("RDMA devices are found on PCI functions and on auxiliary devices") {
  const FakeSysfs fake;
  const fs::path vf = fake.device("0000:3b:00.2");
  const fs::path subfunction = fake.root / "bus/auxiliary/devices/mlx5_core.sf.4";
  fs::create_directories(vf / "infiniband/mlx5_2");
  fs::create_directories(subfunction / "infiniband/mlx5_9");
  const Sysfs sysfs(fake.root);
  using Names = std::vector<std::string>;
  CHECK(sysfs.rdma_devices("0000:3b:00.2") == Names{"mlx5_2"});
  CHECK(sysfs.rdma_devices("mlx5_core.sf.4") == Names{"mlx5_9"});
  CHECK(sysfs.rdma_devices("mlx5_core.sf.5").empty());
  // The character device is seen from every namespace, and tells the device that it is on.
  CHECK(sysfs.uverbs("0000:3b:00.2").empty());
  fs::create_directories(fake.root / "class/infiniband_verbs/uverbs1");
  fs::create_directory_symlink(vf, fake.root / "class/infiniband_verbs/uverbs1/device");
  CHECK(sysfs.uverbs("0000:3b:00.2") == "uverbs1");
  CHECK(sysfs.uverbs("mlx5_core.sf.4").empty());
}

TEST_CASE("the pkeys of the port that an interface is on") {
  FakeSysfs fake;
  fake.interface("0000:3b:00.2", "ib2", 7, "");
  fs::create_directories(fake.device("0000:3b:00.2") / "infiniband/mlx5_2");
  for (const char* port : {"1", "2"}) {
    const fs::path table = fake.root / "class/infiniband/mlx5_2/ports" / port / "pkeys";
    fs::create_directories(table);
    std::ofstream(table / "0") << "0xffff\n";
    std::ofstream(table / "1") << (*port == '1' ? "0x8001\n" : "0x0000\n");
  }
  const Sysfs sysfs(fake.root);
  CHECK(sysfs.pkeys("0000:3b:00.2", "ib2") == std::vector<uint16_t>{0xffff, 0x8001});
  std::ofstream(fake.root / "class/net/ib2/dev_port") << "1\n";
  CHECK(sysfs.pkeys("0000:3b:00.2", "ib2") == std::vector<uint16_t>{0xffff, 0});
  CHECK(sysfs.pkeys("0000:3b:00.3", "ib2").empty());
  // In the partition, with or without full membership; or not, and then it is said what there is.
  std::ofstream(fake.root / "class/net/ib2/dev_port") << "0\n";
  CHECK_NOTHROW(require_pkey(sysfs, "0000:3b:00.2", "ib2", 1));
  CHECK_NOTHROW(require_pkey(sysfs, "0000:3b:00.2", "ib2", 0x8001));
  try {
    require_pkey(sysfs, "0000:3b:00.2", "ib2", 5);
    FAIL("a partition that the port is not in");
  } catch (const Error& error) {
    CHECK(error.code() == Code::kTryAgainLater);
    CHECK_THAT(error.msg(), Catch::Contains("0x8005") && Catch::Contains("0xffff, 0x8001") &&
                                Catch::Contains("full with 2 pkeys"));
  }
}

TEST_CASE("partition keys are read as iproute2 reads them") {
  CHECK(parse_pkey(Json("0x8001"), "pkey") == 1);
  CHECK(parse_pkey(Json("0x1"), "pkey") == 1);
  CHECK(parse_pkey(Json("1000"), "pkey") == 1000);
  CHECK(parse_pkey(Json(1000), "pkey") == 1000);
  for (const Json& bad : {Json("0"), Json("0x8000"), Json("0x10000"), Json("-1"), Json(""),
                          Json("0x"), Json("1 "), Json(nullptr), Json(-1), Json(70000)}) {
    INFO(bad.dump());
    CHECK_THROWS_AS(parse_pkey(bad, "pkey"), Error);
  }
}

TEST_CASE("PCI addresses") {
  CHECK(parse_pci_address("0000:3B:00.2") == "0000:3b:00.2");
  CHECK(parse_pci_address("3b:00.2") == "0000:3b:00.2");
  CHECK(parse_pci_address("10000:01:00.0") == "10000:01:00.0");
  for (const char* bad : {"", "eth0", "0000:3b:00", "0000:3b:00.g", "0000:3b:00.2/../x",
                          "mlx5_core.sf.4", "0000-3b-00.2", "000000000:3b:00.2"}) {
    INFO(bad);
    CHECK_FALSE(parse_pci_address(bad));
  }
}
