// The result of an ADD, in the shape of each version of the specification.
#ifndef RAILCNI_RESULT_H_
#define RAILCNI_RESULT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "railcni/address.h"
#include "railcni/json.h"

namespace railcni {

struct ResultInterface {
  std::string name;
  std::string mac;
  uint32_t mtu = 0;     // 0: not said
  std::string sandbox;  // CNI_NETNS verbatim; empty: in the host
  std::string pci_id;   // empty: none
  std::string socket_path;
};

struct ResultIp {
  IpPrefix address;
  std::optional<IpAddress> gateway;
  std::optional<int64_t> interface;  // index into Result::interfaces
};

// Of a route, `dst` is always there; 1.1.0 adds the numbers.
struct ResultRoute {
  IpPrefix dst;
  std::optional<IpAddress> gw;
  std::optional<int64_t> mtu, advmss, priority, table, scope;

  bool operator==(const ResultRoute&) const = default;
};

struct Result {
  std::vector<ResultInterface> interfaces;
  std::vector<ResultIp> ips;
  std::vector<ResultRoute> routes;
  Json dns;  // the `dns` object, or null

  // The result as `version` (a supported one) shapes it. Routes with a table need 1.1.0. 0.1.0 and
  // 0.2.0 have the first address of each family and no interfaces.
  Json to_json(std::string_view version) const;

  // Reads a result of any supported version (`cniVersion` inside it, 0.1.0 when absent). `what`
  // names it in errors ("prevResult"). Throws Error{kDecodingFailure}.
  static Result from_json(const Json& json, std::string_view what);
};

}  // namespace railcni

#endif  // RAILCNI_RESULT_H_
