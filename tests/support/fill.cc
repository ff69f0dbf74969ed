#include "tests/support/fill.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "railcni/result.h"

namespace railcni::test {
namespace {

// Few: what a large transaction rewrites stays behind as free pages, of which a node, with its one
// lease at a time, has a handful.
constexpr int kLeasesPerTransaction = 20;

}  // namespace

std::string container_of(int number) {
  uint64_t bits = static_cast<uint64_t>(number);
  std::string id;
  for (int part = 0; part < 4; ++part) {
    // splitmix64
    bits += 0x9e3779b97f4a7c15;
    uint64_t mixed = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    char text[17];
    snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(mixed ^ (mixed >> 31)));
    id += text;
  }
  return id;
}

void fill_store(Store& state, const Candidates& candidates, int first, int last,
                const std::function<Attachment(int)>& attachment) {
  const int64_t now = time(nullptr);
  for (int done = first; done < last; done += kLeasesPerTransaction) {
    const int end = std::min(last, done + kLeasesPerTransaction);
    state.write([&](Txn& txn) {
      for (int i = done; i < end; ++i) {
        Attachment made = attachment(i);
        made.settled = true;
        made.created = now;
        made.leases = allocate(txn, candidates, {}, made.key, now);
        Result result;
        for (const Lease& lease : made.leases) {
          result.ips.push_back({lease.address, std::nullopt, std::nullopt});
        }
        made.result = result.to_json("1.1.0");
        put_attachment(txn, made);
      }
    });
  }
}

}  // namespace railcni::test
