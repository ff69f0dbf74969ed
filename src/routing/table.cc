// Table numbers: a function of the interface's name, so that they are the same at each ADD and on
// each node, whatever else the Pod has.
#include <algorithm>
#include <charconv>

#include "railcni/routing.h"

namespace railcni {
namespace {

constexpr uint32_t kHashedFirst = 1000;
constexpr uint32_t kHashedCount = 9000;
// net150 has table 250; the kernel's own begin at 253.
constexpr uint32_t kLastNumbered = 150;
constexpr uint32_t kPriorityBase = 20000;

// FNV-1a (draft-eastlake-fnv): stable across builds, which std::hash is not.
uint32_t hash(std::string_view text) {
  uint32_t value = 2166136261u;
  for (const char c : text) value = (value ^ static_cast<uint8_t>(c)) * 16777619u;
  return value;
}

// The N of "netN", as Multus names interfaces; 0 for another name.
uint32_t net_number(std::string_view name) {
  if (!name.starts_with("net")) return 0;
  const std::string_view digits = name.substr(3);
  uint32_t number = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (end.ec != std::errc() || end.ptr != digits.data() + digits.size() || digits[0] == '0') {
    return 0;
  }
  return number;
}

bool in_use(const NamespaceView& pod, uint32_t table) {
  const uint32_t priority = rule_priority(table);
  return std::any_of(pod.routes.begin(), pod.routes.end(),
                     [table](const RouteInfo& route) { return route.table == table; }) ||
         std::any_of(pod.rules.begin(), pod.rules.end(), [&](const RuleInfo& rule) {
           return rule.table == table || rule.priority == priority;
         });
}

}  // namespace

uint32_t rule_priority(uint32_t table) {
  // A table fixed by hand may be any number: its rule still goes before main's (32766).
  return kPriorityBase + table % 10000;
}

uint32_t choose_table(const NamespaceView& pod, std::string_view name, std::string_view cni_nic) {
  uint32_t table = 0;
  const uint32_t number = net_number(name);
  if (name == cni_nic) {
    table = 100;
  } else if (number > 0 && number <= kLastNumbered) {
    table = 100 + number;
  }
  if (table != 0 && !in_use(pod, table)) return table;
  const uint32_t start = hash(name);
  for (uint32_t step = 0; step < kHashedCount; ++step) {
    table = kHashedFirst + (start + step) % kHashedCount;
    if (!in_use(pod, table)) return table;
  }
  return table;
}

}  // namespace railcni
