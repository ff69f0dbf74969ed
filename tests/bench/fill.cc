#include "tests/bench/fill.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <stdexcept>

#include "railcni/ipam.h"
#include "railcni/ipam_role.h"
#include "railcni/range_set.h"
#include "railcni/result.h"

namespace railcni::bench {
namespace {

constexpr int kLeasesPerTransaction = 10000;

std::string folder_of(const Json& config) {
  return config.at("ipam").at("dataDir").as_string() + "/" + config.at("name").as_string();
}

// Spread as a runtime's random IDs are, not in order.
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

}  // namespace

void fill_ours(const Json& config, int count) {
  const std::string data_dir = config.at("ipam").at("dataDir").as_string();
  const std::string network = config.at("name").as_string();
  const auto store = Store::open(Store::File::kState,
                                 StorePaths::from_data_dir(data_dir).of_network(data_dir, network),
                                 Store::Mode::kCreate);
  const std::vector<RangeSet> sets = read_range_sets(config.at("ipam").at("ranges"), "ranges");
  Candidates candidates;
  candidates.ipv4 = sets.front().pools();
  candidates.as_one = true;
  const int64_t now = time(nullptr);
  for (int done = 0; done < count; done += kLeasesPerTransaction) {
    const int end = std::min(count, done + kLeasesPerTransaction);
    store->write([&](Txn& txn) {
      for (int i = done; i < end; ++i) {
        Attachment attachment;
        attachment.key = {network, container_of(i), "eth0", kIpamAttachment};
        attachment.settled = true;
        attachment.netns_path = "/run/netns/cni-" + attachment.key.container_id.substr(0, 16);
        attachment.created = now;
        attachment.leases = allocate(txn, candidates, {}, attachment.key, now);
        Result result;
        result.ips.push_back({attachment.leases.front().address, std::nullopt, std::nullopt});
        attachment.result = result.to_json("1.1.0");
        put_attachment(txn, attachment);
      }
    });
  }
}

void fill_original(const Json& config, int count) {
  const std::string folder = folder_of(config);
  const RangeSet set = read_range_sets(config.at("ipam").at("ranges"), "ranges").front();
  mkdir(config.at("ipam").at("dataDir").as_string().c_str(), 0755);
  if (mkdir(folder.c_str(), 0755) != 0) throw std::runtime_error(folder + ": cannot be made");
  IpAddress address = set.ranges.front().range.first;
  std::string last;
  for (int i = 0; i < count; ++i, address.value += 1) {
    if (address == set.ranges.front().gateway) address.value += 1;
    last = address.to_string();
    std::ofstream(folder + "/" + last) << container_of(i) << "\r\neth0";
  }
  if (count > 0) std::ofstream(folder + "/last_reserved_ip.0") << last;
}

}  // namespace railcni::bench
