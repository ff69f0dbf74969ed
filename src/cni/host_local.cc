// The configuration of the reference IPAM host-local.
#include <algorithm>
#include <cctype>

#include "railcni/error.h"
#include "railcni/ipam_config.h"
#include "railcni/named_file.h"
#include "railcni/object_reader.h"

namespace railcni {
namespace {

std::vector<ResultRoute> read_routes(ObjectReader& ipam) {
  std::vector<ResultRoute> routes;
  const Json* list = ipam.array("routes");
  if (list == nullptr) return routes;
  for (const Json& entry : list->as_array()) {
    ObjectReader reader(entry, "ipam.routes[" + std::to_string(routes.size()) + "]");
    ResultRoute route;
    route.dst =
        IpPrefix::parse_or_throw(reader.string("dst").value_or(""), reader.full_name("dst"));
    if (const auto gw = reader.string("gw"); gw && !gw->empty()) {
      route.gw = IpAddress::parse_or_throw(*gw, reader.full_name("gw"));
    }
    // Of CNI 1.1.0.
    route.mtu = reader.integer("mtu", 0, INT32_MAX);
    route.advmss = reader.integer("advmss", 0, INT32_MAX);
    route.priority = reader.integer("priority", 0, INT32_MAX);
    route.table = reader.integer("table", 0, UINT32_MAX);
    route.scope = reader.integer("scope", 0, UINT8_MAX);
    reader.finish_with_warnings();
    routes.push_back(route);
  }
  return routes;
}

std::vector<std::string> words_of(const std::string& line) {
  constexpr const char* kSpace = " \t\r\n";
  std::vector<std::string> words;
  for (size_t at = line.find_first_not_of(kSpace); at != std::string::npos;) {
    const size_t end = std::min(line.find_first_of(kSpace, at), line.size());
    words.push_back(line.substr(at, end - at));
    at = line.find_first_not_of(kSpace, end);
  }
  return words;
}

// A word that a resolver knows: an address, a domain, an option. Who may name any file of the node
// must not get at others' lines by it.
bool is_resolver_word(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || std::string_view("._-:%").find(c) != std::string_view::npos;
  });
}

// A line of resolv.conf(5): the keywords that the result of a plugin has members for.
void read_resolv_line(const std::string& line, Json& dns) {
  const std::vector<std::string> words = words_of(line);
  if (words.size() < 2 || line[0] == '#' || line[0] == ';') return;
  if (!std::all_of(words.begin(), words.end(), is_resolver_word)) return;
  const std::string& keyword = words.front();
  if (keyword == "nameserver") {
    // fe80::1%eth0 has a zone (RFC 4007, section 11).
    const std::string address = words[1].substr(0, words[1].find('%'));
    if (IpAddress::parse(address)) dns["nameservers"].push_back(words[1]);
  } else if (keyword == "domain") {
    dns["domain"] = words[1];
  } else if (keyword == "search" || keyword == "options") {
    for (size_t i = 1; i < words.size(); ++i) dns[keyword].push_back(words[i]);
  }
}

Json read_resolv_conf(const std::string& path) {
  // A resolver reads some kilobytes of it at most.
  constexpr size_t kLargest = size_t{64} << 10;
  std::string text;
  try {
    text = read_named_file(path, kLargest);
  } catch (const Error& error) {
    throw error.with_context("ipam.resolvConf");
  }
  Json dns = Json::object();
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    read_resolv_line(text.substr(at, end - at), dns);
    at = end + 1;
  }
  return dns;
}

// CNI before 0.3.0 has room for one address of each family.
void check_version(const OuterIpamConfig& config) {
  if (!older_than(config.network.cni_version, "0.3.0")) return;
  int v4 = 0;
  int v6 = 0;
  for (const RangeSet& set : config.range_sets) ++(set.family() == Family::kV4 ? v4 : v6);
  if (v4 <= 1 && v6 <= 1) return;
  throw Error(Code::kInvalidConfig, "CNI version " + config.network.cni_version +
                                        " does not support more than one address per family, and "
                                        "there are " +
                                        std::to_string(config.range_sets.size()) + " range sets");
}

}  // namespace

void read_host_local(const Json& ipam, const Request& request, OuterIpamConfig& config) {
  ObjectReader reader(ipam, "ipam");
  reader.allow({"type", "dataDir"});
  const auto append = [&config](std::vector<RangeSet> sets) {
    for (RangeSet& set : sets) config.range_sets.push_back(std::move(set));
  };
  // The order of the original: the runtime's, the old form's, the list.
  if (const Json* runtime = request.config.find("runtimeConfig"); runtime != nullptr) {
    const Json* ranges = runtime->find("ipRanges");
    if (ranges != nullptr && !ranges->is_null()) {
      append(read_range_sets(*ranges, "runtimeConfig.ipRanges"));
    }
  }
  reader.allow({"subnet", "rangeStart", "rangeEnd", "gateway"});
  if (const auto subnet = reader.string("subnet"); subnet && !subnet->empty()) {
    append({read_single_range(ipam, "ipam")});
  }
  if (const Json* ranges = reader.array("ranges")) append(read_range_sets(*ranges, "ipam.ranges"));
  if (config.range_sets.empty()) {
    throw Error(Code::kInvalidConfig,
                "no IP ranges specified: ipam needs \"ranges\" or \"subnet\"");
  }
  check_version(config);
  check_disjoint(config.range_sets);
  config.routes = read_routes(reader);
  if (const auto path = reader.string("resolvConf"); path && !path->empty()) {
    // A DEL must work without the file, and a CHECK has no use for it.
    if (request.verb == Verb::kAdd || request.verb == Verb::kStatus) {
      config.dns = read_resolv_conf(*path);
    }
  }
  reader.finish_with_warnings();
}

}  // namespace railcni
