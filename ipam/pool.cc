#include "railcni/pool.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "ipam/ranges.h"
#include "railcni/error.h"
#include "railcni/object_reader.h"

namespace railcni {
namespace {

[[noreturn]] void fail(const std::string& msg) { throw Error(Code::kInvalidConfig, msg); }

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_link_local(const IpAddress& address) {
  return address.family == Family::kV6 && address.value >> 118 == 0xfe80 >> 6;
}

// Reads one spec. Messages and warnings are without the pool's name; parse_pool() adds it.
class SpecReader {
 public:
  SpecReader(const std::string& name, const Json& spec, std::vector<std::string>& warnings)
      : spec_(spec, ""), warnings_(warnings) {
    pool_.name = name;
  }

  Pool read();

 private:
  // One entry of ips or excludeIPs. There may be tens of thousands of them in a pool that every ADD
  // reads, so the path is only put together for a message.
  struct Entry {
    const char* key;
    size_t index;
    const std::string& text;

    std::string path() const { return std::string(key) + "[" + std::to_string(index) + "]"; }
  };

  void read_subnet();
  void read_ip_version();
  void read_gateway();
  void read_ranges();
  void read_routes();
  void read_route(const Json& route, const std::string& path);
  void refuse_affinities();
  std::vector<std::string> names(std::string_view key);

  AddressRange parse_range(const Entry& entry) const;
  std::optional<IpAddress> parse_range_end(std::string_view text) const;
  IpAddress parse_own_family(std::string_view text, const std::string& path) const;
  void check_on_link(const IpAddress& router, const std::string& what) const;
  AddressRange clip(const AddressRange& range, const Entry& entry, const AddressRange& hosts);

  ObjectReader spec_;
  std::vector<std::string>& warnings_;
  Pool pool_;
};

Pool SpecReader::read() {
  read_subnet();
  read_ip_version();
  read_gateway();
  read_ranges();
  read_routes();
  pool_.node_names = names("nodeName");
  pool_.namespace_names = names("namespaceName");
  pool_.multus_names = names("multusName");
  pool_.disabled = spec_.boolean("disable").value_or(false);
  pool_.is_default = spec_.boolean("default").value_or(false);
  refuse_affinities();
  spec_.finish();
  return std::move(pool_);
}

void SpecReader::read_subnet() {
  std::optional<std::string> text = spec_.string("subnet");
  if (!text) fail("subnet: is missing (such as \"172.16.11.0/24\")");
  IpPrefix subnet = IpPrefix::parse_or_throw(*text, "subnet");
  pool_.subnet = subnet.network();
  if (pool_.subnet != subnet) {
    warnings_.push_back("subnet " + *text + " has host bits set: " + pool_.subnet.to_string() +
                        " is used");
  }
  if (const std::string why = not_for_interfaces(pool_.subnet); !why.empty()) {
    fail("subnet: " + *text + " lies inside of " + why);
  }
}

void SpecReader::read_ip_version() {
  const Json* value = spec_.any("ipVersion");
  if (value == nullptr) return;
  std::string text = value->is_string() ? value->as_string() : value->dump();
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  bool v4 = text == "4" || text == "ipv4";
  if (!v4 && text != "6" && text != "ipv6") {
    fail("ipVersion: must be 4 or 6, not " + value->dump());
  }
  if (v4 != (pool_.family() == Family::kV4)) {
    fail("ipVersion: " + value->dump() + " does not agree with the " +
         std::string(family_name(pool_.family())) + " subnet " + pool_.subnet.to_string());
  }
}

void SpecReader::read_gateway() {
  std::optional<std::string> text = spec_.string("gateway");
  // Documents written by programs have "" where there is none.
  if (!text || text->empty()) return;
  IpAddress gateway = parse_own_family(*text, "gateway");
  check_on_link(gateway, "gateway: " + *text);
  // The IPv6 address left out of the usable ones is the routers' own, so it may be a gateway.
  if (pool_.family() == Family::kV4) {
    AddressRange hosts = usable_hosts(pool_.subnet);
    if (!hosts.contains(gateway)) {
      fail("gateway: " + *text + " is the " + (gateway < hosts.first ? "network" : "broadcast") +
           " address of the subnet " + pool_.subnet.to_string());
    }
  }
  pool_.gateway = gateway;
}

// A link-local address is on every link: IPv6 routers announce themselves with theirs.
void SpecReader::check_on_link(const IpAddress& router, const std::string& what) const {
  if (pool_.subnet.contains(router) || is_link_local(router)) return;
  fail(what + " is outside of the subnet " + pool_.subnet.to_string() +
       (pool_.family() == Family::kV6 ? " and not link-local (fe80::/10)" : ""));
}

void SpecReader::read_ranges() {
  std::vector<AddressRange> ranges;
  bool all = spec_.any("ips") == nullptr;
  const AddressRange hosts = usable_hosts(pool_.subnet);
  if (all) ranges.push_back(hosts);
  size_t index = 0;
  for (const std::string& text : spec_.strings("ips")) {
    const Entry entry{"ips", index++, text};
    ranges.push_back(clip(parse_range(entry), entry, hosts));
  }
  ranges = merge_ranges(std::move(ranges));

  std::vector<AddressRange> holes;
  index = 0;
  for (const std::string& text : spec_.strings("excludeIPs")) {
    const Entry entry{"excludeIPs", index++, text};
    AddressRange hole = parse_range(entry);
    if (hole.last < pool_.subnet.first() || pool_.subnet.last() < hole.first) {
      fail(entry.path() + ": " + text + " is outside of the subnet " + pool_.subnet.to_string());
    }
    holes.push_back(hole);
  }
  if (pool_.gateway) {
    bool inside = std::any_of(ranges.begin(), ranges.end(), [this](const AddressRange& range) {
      return range.contains(*pool_.gateway);
    });
    bool excluded = std::any_of(holes.begin(), holes.end(), [this](const AddressRange& range) {
      return range.contains(*pool_.gateway);
    });
    if (inside && !excluded && !all) {
      warnings_.push_back("gateway " + pool_.gateway->to_string() +
                          " is among the ips: it is not handed out");
    }
    holes.push_back({*pool_.gateway, *pool_.gateway});
  }
  pool_.ranges = subtract_ranges(ranges, merge_ranges(std::move(holes)));
  if (pool_.ranges.empty()) {
    fail(all || index > 0 || !ranges.empty()
             ? "no address is left without gateway and excludeIPs"
             : "ips: the list is empty (leave it out for every usable host of the subnet)");
  }
}

IpAddress SpecReader::parse_own_family(std::string_view text, const std::string& path) const {
  IpAddress address = IpAddress::parse_or_throw(text, path);
  if (address.family != pool_.family()) {
    fail(path + ": " + std::string(text) + " is not an address of the " +
         std::string(family_name(pool_.family())) + " subnet " + pool_.subnet.to_string());
  }
  return address;
}

// The address behind a range's '-'. Users count a /27's end as 172.16.1.256; that is taken for the
// address behind 172.16.1.255 where this is beyond the usable hosts, and clipped.
std::optional<IpAddress> SpecReader::parse_range_end(std::string_view text) const {
  constexpr std::string_view kPastOctet = ".256";
  if (!text.ends_with(kPastOctet)) return std::nullopt;
  std::string octet_end(text.substr(0, text.size() - kPastOctet.size()));
  std::optional<IpAddress> address = IpAddress::parse(octet_end + ".255");
  if (!address || address->family != pool_.family()) return std::nullopt;
  ++address->value;
  if (*address <= usable_hosts(pool_.subnet).last) return std::nullopt;
  return address;
}

AddressRange SpecReader::parse_range(const Entry& entry) const {
  const std::string_view text = entry.text;
  auto check_family = [&](const IpAddress& address, std::string_view its_text) {
    if (address.family != pool_.family()) parse_own_family(its_text, entry.path());
    return address;
  };
  auto parse = [&](std::string_view part) {
    const std::optional<IpAddress> address = IpAddress::parse(part);
    if (address) return check_family(*address, part);
    fail(entry.path() + ": \"" + entry.text + "\" is neither an address nor a range (first-last)");
  };
  const size_t dash = text.find('-');
  const IpAddress first = parse(text.substr(0, dash));
  if (dash == std::string_view::npos) return {first, first};
  const std::string_view last_text = text.substr(dash + 1);
  const std::optional<IpAddress> past = parse_range_end(last_text);
  const IpAddress last = past ? *past : parse(last_text);
  if (last < first) fail(entry.path() + ": the range " + entry.text + " ends before it begins");
  return {first, last};
}

AddressRange SpecReader::clip(const AddressRange& range, const Entry& entry,
                              const AddressRange& hosts) {
  AddressRange clipped{std::max(range.first, hosts.first), std::min(range.last, hosts.last)};
  if (clipped.last < clipped.first) {
    fail(entry.path() + ": " + entry.text + " is outside of the usable hosts " + hosts.to_string() +
         " of the subnet " + pool_.subnet.to_string());
  }
  if (clipped != range) {
    warnings_.push_back(entry.path() + ": " + entry.text +
                        " runs past the usable hosts of the subnet " + pool_.subnet.to_string() +
                        ": " + clipped.to_string() + " is used");
  }
  return clipped;
}

void SpecReader::read_routes() {
  const Json* routes = spec_.array("routes");
  if (routes == nullptr) return;
  size_t index = 0;
  for (const Json& route : routes->as_array()) {
    read_route(route, "routes[" + std::to_string(index++) + "]");
  }
}

void SpecReader::read_route(const Json& route, const std::string& path) {
  ObjectReader reader(route, path);
  std::optional<std::string> to = reader.string("to");
  std::optional<std::string> via = reader.string("via");
  std::optional<std::string> dst = reader.string("dst");
  std::optional<std::string> gw = reader.string("gw");
  reader.finish();
  bool railcni_way = to && via && !dst && !gw;
  bool spiderpool_way = dst && gw && !to && !via;
  if (!railcni_way && !spiderpool_way) {
    fail(path + ": must have either \"to\" and \"via\" or \"dst\" and \"gw\"");
  }
  const std::string& to_text = railcni_way ? *to : *dst;
  const std::string& via_text = railcni_way ? *via : *gw;
  IpPrefix written = IpPrefix::parse_or_throw(to_text, path + (railcni_way ? ".to" : ".dst"));
  PoolRoute parsed{written.network(),
                   parse_own_family(via_text, path + (railcni_way ? ".via" : ".gw"))};
  if (parsed.to.family() != pool_.family()) {
    fail(path + ": " + to_text + " is not a destination for the " +
         std::string(family_name(pool_.family())) + " subnet " + pool_.subnet.to_string());
  }
  if (parsed.to.length == 0) {
    fail(path + ": the gateway is the default route; " + to_text +
         " must not be one of the routes");
  }
  check_on_link(parsed.via, path + ": the next hop " + via_text);
  for (const PoolRoute& other : pool_.routes) {
    if (other.to == parsed.to) {
      fail(path + ": there is another route to " + parsed.to.to_string());
    }
  }
  if (parsed.to != written) {
    warnings_.push_back(path + ": " + to_text + " has host bits set: " + parsed.to.to_string() +
                        " is used");
  }
  pool_.routes.push_back(parsed);
}

std::vector<std::string> SpecReader::names(std::string_view key) {
  std::vector<std::string> list = spec_.string_or_strings(key);
  if (std::find(list.begin(), list.end(), "") != list.end()) {
    fail(std::string(key) + ": must not hold an empty name");
  }
  return list;
}

void SpecReader::refuse_affinities() {
  for (std::string_view key : {"podAffinity", "namespaceAffinity", "nodeAffinity"}) {
    const Json* value = spec_.any(key);
    if (value == nullptr || (value->is_object() && value->as_object().empty())) continue;
    fail(std::string(key) + ": labels are known to the Kubernetes API server only, which railcni " +
         "does not ask; use nodeName, namespaceName or multusName");
  }
}

}  // namespace

U128 Pool::size() const {
  U128 total = 0;
  for (const AddressRange& range : ranges) total += range.last.value - range.first.value + 1;
  return total;
}

bool Pool::contains(const IpAddress& address) const {
  if (address.family != family()) return false;
  auto behind = std::upper_bound(
      ranges.begin(), ranges.end(), address,
      [](const IpAddress& wanted, const AddressRange& range) { return wanted < range.first; });
  return behind != ranges.begin() && std::prev(behind)->contains(address);
}

Pool parse_pool(const std::string& name, const Json& spec, std::vector<std::string>& warnings) {
  check_pool_name(name);
  std::vector<std::string> own;
  try {
    if (!spec.is_object()) fail("spec must be an object, not " + std::string(spec.type_name()));
    Pool pool = SpecReader(name, spec, own).read();
    for (const std::string& warning : own) warnings.push_back("pool " + name + ": " + warning);
    return pool;
  } catch (const Error& error) {
    throw error.with_context("pool " + name);
  }
}

Json pool_spec(const Pool& pool) {
  Json spec = Json::object(
      {{"ipVersion", pool.family() == Family::kV4 ? 4 : 6}, {"subnet", pool.subnet.to_string()}});
  Json ips = Json::array();
  for (const AddressRange& range : pool.ranges) ips.push_back(range.to_string());
  spec["ips"] = std::move(ips);
  if (pool.gateway) spec["gateway"] = pool.gateway->to_string();
  if (!pool.routes.empty()) {
    Json routes = Json::array();
    for (const PoolRoute& route : pool.routes) {
      routes.push_back(
          Json::object({{"to", route.to.to_string()}, {"via", route.via.to_string()}}));
    }
    spec["routes"] = std::move(routes);
  }
  if (!pool.node_names.empty()) spec["nodeName"] = Json::strings(pool.node_names);
  if (!pool.namespace_names.empty()) spec["namespaceName"] = Json::strings(pool.namespace_names);
  if (!pool.multus_names.empty()) spec["multusName"] = Json::strings(pool.multus_names);
  if (pool.disabled) spec["disable"] = true;
  if (pool.is_default) spec["default"] = true;
  return spec;
}

void check_pool_name(std::string_view name) {
  bool good = !name.empty() && name.size() <= 253 && is_alphanumeric(name[0]) &&
              std::all_of(name.begin(), name.end(), [](char c) {
                return is_alphanumeric(c) || c == '.' || c == '_' || c == '-';
              });
  if (good) return;
  std::string shown(name.substr(0, 60));
  throw Error(Code::kInvalidConfig,
              "pool name \"" + shown + (name.size() > 60 ? "..." : "") +
                  "\" must have 1 to 253 characters of a-z, A-Z, 0-9, '.', '_' and '-', " +
                  "the first one a letter or digit");
}

}  // namespace railcni
