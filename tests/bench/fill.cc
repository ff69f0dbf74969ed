#include "tests/bench/fill.h"

#include <sys/stat.h>

#include <fstream>
#include <stdexcept>

#include "railcni/ipam_role.h"
#include "railcni/range_set.h"
#include "tests/support/fill.h"

namespace railcni::bench {
namespace {

std::string folder_of(const Json& config) {
  return config.at("ipam").at("dataDir").as_string() + "/" + config.at("name").as_string();
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
  test::fill_store(*store, candidates, 0, count, [&network](int number) {
    Attachment attachment;
    attachment.key = {network, test::container_of(number), "eth0", kIpamAttachment};
    attachment.netns_path = "/run/netns/cni-" + attachment.key.container_id.substr(0, 16);
    return attachment;
  });
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
    std::ofstream(folder + "/" + last) << test::container_of(i) << "\r\neth0";
  }
  if (count > 0) std::ofstream(folder + "/last_reserved_ip.0") << last;
}

}  // namespace railcni::bench
