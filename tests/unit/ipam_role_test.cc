#include "railcni/ipam_role.h"

#include <catch2/catch.hpp>

#include "railcni/program_name.h"

using namespace railcni;

namespace {

IpamRole role(const char* program, const char* config) {
  set_program_name(program);
  const IpamRole found = ipam_role(Json::parse(config));
  set_program_name("railcni");
  return found;
}

}  // namespace

TEST_CASE("railcni is an IPAM when ipam.type names it and type names another plugin") {
  CHECK(role("/opt/cni/bin/railcni", R"({"type":"bridge","ipam":{"type":"railcni"}})") ==
        IpamRole::kRailcni);
  // Under another name, and from a build's folder.
  CHECK(role("rail2", R"({"type":"bridge","ipam":{"type":"rail2"}})") == IpamRole::kRailcni);
  CHECK(role("rail2", R"({"type":"railcni","ipam":{"type":"rail2"}})") == IpamRole::kRailcni);
  CHECK(role("a.out", R"({"type":"bridge","ipam":{"type":"railcni"}})") == IpamRole::kRailcni);
}

TEST_CASE("railcni is not an IPAM of its own configurations") {
  CHECK(role("railcni", R"({"type":"railcni","ipam":{"type":"railcni"}})") == IpamRole::kNone);
  CHECK(role("railcni", R"({"type":"railcni","ipam":{"type":"host-local"}})") == IpamRole::kNone);
  CHECK(role("railcni", R"({"type":"railcni","cniType":"macvlan"})") == IpamRole::kNone);
  CHECK(role("railcni", R"({"ipam":{"type":"railcni"}})") == IpamRole::kNone);
  CHECK(role("railcni", R"({"type":"bridge","ipam":{"type":"host-local"}})") == IpamRole::kNone);
  CHECK(role("railcni", R"({"type":"bridge","ipam":{}})") == IpamRole::kNone);
  CHECK(role("railcni", R"({"type":7,"ipam":[]})") == IpamRole::kNone);
  // Under a peer's name it is that peer.
  CHECK(role("macvlan", R"({"type":"macvlan","ipam":{"type":"railcni"}})") == IpamRole::kNone);
  CHECK(role("macvlan", R"({"type":"macvlan","ipam":{"type":"macvlan"}})") == IpamRole::kNone);
  CHECK(role("a.out", R"({"type":"railcni","ipam":{"type":"railcni"}})") == IpamRole::kNone);
}

TEST_CASE("host-local and spiderpool are IPAMs whatever the configuration says") {
  CHECK(role("host-local", R"({"type":"railcni","ipam":{"type":"host-local"}})") ==
        IpamRole::kHostLocal);
  CHECK(role("/opt/cni/bin/host-local", R"({})") == IpamRole::kHostLocal);
  CHECK(role("spiderpool", R"({"type":"macvlan","ipam":{"type":"spiderpool"}})") ==
        IpamRole::kSpiderpool);
}
