#include "tests/scale/scale.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tests/netns/world.h"
#include "tests/support/fill.h"

namespace railcni::test {

bool full_scale() {
  const char* scale = std::getenv("RAILCNI_SCALE");
  return scale != nullptr && std::strcmp(scale, "full") == 0;
}

Candidates apply_big_pools(const std::string& dir) {
  apply_pools(dir, R"(
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {name: big4}
spec: {subnet: 10.0.0.0/8, gateway: 10.255.255.254}
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {name: big6}
spec: {subnet: "fd10::/64", gateway: "fd10::1"}
)");
  const auto pools =
      Store::open(Store::File::kPools, StorePaths::from_data_dir(dir), Store::Mode::kRead);
  Candidates candidates;
  pools->read([&candidates](const Txn& txn) {
    candidates.ipv4.push_back(get_pool(txn, "big4").value());
    candidates.ipv6.push_back(get_pool(txn, "big6").value());
  });
  return candidates;
}

std::unique_ptr<Store> open_state(const std::string& dir) {
  return Store::open(Store::File::kState, StorePaths::from_data_dir(dir), Store::Mode::kCreate);
}

Attachment like(const Attachment& made, int number) {
  Attachment copy = made;
  copy.key.container_id = container_of(number);
  copy.leases.clear();
  return copy;
}

void report(const std::string& line) { std::printf("  %s\n", line.c_str()); }

double median_ms(int rounds, const std::function<void()>& work) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    times.push_back(took.count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

std::string megabytes(uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

}  // namespace railcni::test
