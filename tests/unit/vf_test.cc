// The records that a VF is restored from.
#include "railcni/vf.h"

#include <linux/if_ether.h>

#include <catch2/catch.hpp>

#include "railcni/netdev_state.h"

using namespace railcni;

TEST_CASE("a VF's state survives its record") {
  VfState state;
  CHECK(VfState::from_json(Json::parse(state.to_json().dump())) == state);
  state.mac = parse_hw_address("02:00:00:00:00:07");
  state.vlan = 100;
  state.qos = 3;
  state.vlan_protocol = ETH_P_8021AD;
  state.min_rate = 0;
  state.max_rate = 4000000000;
  state.spoofchk = false;
  state.trust = true;
  state.link_state = 2;
  state.node_guid = 0xffffffffffffffff;
  state.port_guid = 1;
  CHECK(VfState::from_json(Json::parse(state.to_json().dump())) == state);
}

TEST_CASE("an interface's state survives its record") {
  NetdevState state;
  state.name = "enp59s0f0v2";
  state.alt_names = {"one", "two"};
  state.mac = *parse_hw_address("02:00:00:00:00:07");
  state.mtu = 9000;
  state.tx_queue_length = 77;
  state.group = 9;
  state.flags = 0x1100;
  const NetdevState again = NetdevState::from_json(Json::parse(state.to_json().dump()));
  CHECK(again.to_json() == state.to_json());
  CHECK(again.alt_names == state.alt_names);
  CHECK(again.mac == state.mac);
}
