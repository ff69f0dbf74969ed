#include "railcni/range_set.h"

#include <algorithm>

#include "railcni/error.h"
#include "railcni/object_reader.h"

namespace railcni {
namespace {

[[noreturn]] void fail(const std::string& msg) { throw Error(Code::kInvalidConfig, msg); }

bool overlap(const AddressRange& a, const AddressRange& b) {
  return a.first.family == b.first.family && a.first <= b.last && b.first <= a.last;
}

// The last address that is handed out without a rangeEnd: not the broadcast address of IPv4.
IpAddress last_host(const IpPrefix& subnet) {
  IpAddress last = subnet.last();
  if (subnet.family() == Family::kV4) --last.value;
  return last;
}

// Reads the keys of a range; other keys are the caller's to refuse.
SetRange read_range(ObjectReader& reader) {
  const auto name = [&reader](const char* key) { return reader.full_name(key); };
  const std::string subnet_text = reader.string("subnet").value_or("");
  if (subnet_text.empty()) fail(name("subnet") + " is missing (such as \"10.1.0.0/16\")");
  SetRange result;
  result.subnet = IpPrefix::parse_or_throw(subnet_text, name("subnet"));
  const IpPrefix& subnet = result.subnet;
  if (subnet.length > address_bits(subnet.family()) - 2) {
    fail(name("subnet") + ": the network " + subnet_text + " is too small to allocate from");
  }
  if (subnet != subnet.network()) {
    fail(name("subnet") + ": " + subnet_text + " has host bits set; the network is " +
         subnet.network().to_string());
  }
  IpAddress first = subnet.first();
  ++first.value;
  const auto address = [&](const char* key, const IpAddress& otherwise) {
    const std::string text = reader.string(key).value_or("");
    return text.empty() ? otherwise : IpAddress::parse_or_throw(text, name(key));
  };
  result.gateway = address("gateway", first);
  result.range = {address("rangeStart", first), address("rangeEnd", last_host(subnet))};
  const auto check_inside = [&](const char* key, const IpAddress& end) {
    if (subnet.contains(end)) return;
    fail(name(key) + ": " + end.to_string() + " is not in the network " + subnet.to_string());
  };
  check_inside("rangeStart", result.range.first);
  check_inside("rangeEnd", result.range.last);
  if (result.range.last < result.range.first) {
    fail(name("rangeStart") + ": " + result.range.first.to_string() + " is behind the rangeEnd " +
         result.range.last.to_string());
  }
  return result;
}

void check_set(const RangeSet& set, const std::string& path) {
  for (size_t i = 0; i < set.ranges.size(); ++i) {
    const SetRange& range = set.ranges[i];
    if (range.subnet.family() != set.family()) fail(path + ": mixed address families");
    for (size_t j = 0; j < i; ++j) {
      if (!overlap(range.range, set.ranges[j].range)) continue;
      fail(path + ": the ranges " + set.ranges[j].range.to_string() + " and " +
           range.range.to_string() + " overlap");
    }
  }
}

}  // namespace

bool RangeSet::contains(const IpAddress& address) const {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const SetRange& range) { return range.range.contains(address); });
}

std::string RangeSet::to_string() const {
  std::string text;
  for (const SetRange& range : ranges) {
    text += (text.empty() ? "" : ",") + range.range.to_string();
  }
  return text;
}

std::vector<RangeSet> read_range_sets(const Json& value, const std::string& path) {
  const std::string wanted = ": must be a list of lists of {\"subnet\", ...}, not ";
  if (!value.is_array()) fail(path + wanted + value.dump());
  std::vector<RangeSet> sets;
  for (const Json& entry : value.as_array()) {
    const std::string set_path = path + "[" + std::to_string(sets.size()) + "]";
    if (!entry.is_array()) fail(set_path + wanted + entry.dump());
    if (entry.as_array().empty()) fail(set_path + ": an empty range set");
    RangeSet set;
    for (const Json& range : entry.as_array()) {
      ObjectReader reader(range, set_path + "[" + std::to_string(set.ranges.size()) + "]");
      set.ranges.push_back(read_range(reader));
      reader.finish_with_warnings();
    }
    check_set(set, set_path);
    sets.push_back(std::move(set));
  }
  return sets;
}

RangeSet read_single_range(const Json& object, const std::string& path) {
  ObjectReader reader(object, path);
  return {{read_range(reader)}};
}

void check_disjoint(const std::vector<RangeSet>& sets) {
  for (size_t i = 0; i < sets.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      for (const SetRange& a : sets[i].ranges) {
        const bool meets =
            std::any_of(sets[j].ranges.begin(), sets[j].ranges.end(),
                        [&a](const SetRange& b) { return overlap(a.range, b.range); });
        if (!meets) continue;
        fail("range set " + std::to_string(j) + " (" + sets[j].to_string() +
             ") overlaps with range set " + std::to_string(i) + " (" + sets[i].to_string() + ")");
      }
    }
  }
}

}  // namespace railcni
