// A pool: a named set of addresses of one subnet, as Spiderpool's SpiderIPPool describes it.
#ifndef RAILCNI_POOL_H_
#define RAILCNI_POOL_H_

#include <optional>
#include <string>
#include <vector>

#include "railcni/address.h"
#include "railcni/json.h"

namespace railcni {

struct PoolRoute {
  IpPrefix to;    // destination, host bits cleared
  IpAddress via;  // next hop, inside the pool's subnet or IPv6 link-local

  bool operator==(const PoolRoute&) const = default;
};

struct Pool {
  std::string name;
  IpPrefix subnet;                   // host bits cleared
  std::vector<AddressRange> ranges;  // what may be handed out: sorted, disjoint, never empty
  std::optional<IpAddress> gateway;  // inside the subnet or IPv6 link-local, never handed out
  std::vector<PoolRoute> routes;
  std::vector<std::string> node_names;       // empty: every node
  std::vector<std::string> namespace_names;  // empty: every namespace
  std::vector<std::string> multus_names;     // empty: every network
  bool disabled = false;
  bool is_default = false;

  Family family() const { return subnet.family(); }
  // How many addresses the ranges hold.
  U128 size() const;
  bool contains(const IpAddress& address) const;

  bool operator==(const Pool&) const = default;
};

// Reads a SpiderIPPool's `spec`. Accepts what users' documents hold and says so in `warnings`:
// a subnet with host bits is canonicalised, a range that runs past the subnet's usable hosts is
// clipped (a last octet of 256 at the end of a range counts as just past it). Without `ips`, every
// usable host address but the gateway. Throws Error{kInvalidConfig} for anything else that is
// wrong, an unknown key, an empty pool and a subnet of loopback or multicast addresses included.
// Errors and warnings begin with "pool NAME: ".
//
// Usable hosts: all but network and broadcast address in an IPv4 subnet up to /30, all in a /31
// (RFC 3021) and /32; all but the subnet-router anycast address (RFC 4291, section 2.6.1) in an
// IPv6 subnet up to /126, all in a /127 (RFC 6164) and /128.
Pool parse_pool(const std::string& name, const Json& spec, std::vector<std::string>& warnings);

// The pool's `spec` in canonical form; parse_pool() of it gives an equal pool without warnings.
Json pool_spec(const Pool& pool);

// Checks a pool's name: 1 to 253 characters of [a-zA-Z0-9._-], the first one alphanumeric (as
// Kubernetes object names, upper case allowed). Throws Error{kInvalidConfig}.
void check_pool_name(std::string_view name);

}  // namespace railcni

#endif  // RAILCNI_POOL_H_
