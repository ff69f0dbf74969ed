// A network configuration, under every name that railcni is called by. The input's first line is
// "PROGRAM VERB CNI_ARGS", the rest is what comes on stdin.
#include <cstring>
#include <vector>

#include "railcni/backend.h"
#include "railcni/config.h"
#include "railcni/dropin.h"
#include "railcni/ipam_config.h"
#include "railcni/ipam_role.h"
#include "railcni/program_name.h"
#include "railcni/result.h"
#include "src/verbs/pool_request.h"
#include "tests/fuzz/memory_txn.h"

namespace railcni::fuzz {
namespace {

std::string_view take_word(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

Verb verb_of(std::string_view name) {
  for (const Verb verb : {Verb::kDel, Verb::kCheck, Verb::kGc, Verb::kStatus}) {
    if (name == verb_name(verb)) return verb;
  }
  return Verb::kAdd;
}

void check_json(const Json& json) {
  const std::string text = json.dump();
  require(Json::parse(text).dump() == text, "JSON reads back as the same", text);
}

// Applied pools for names and globs to choose from.
const Txn& applied_pools() {
  static MemoryTxn pools;
  static const bool filled = [] {
    for (const char* name : {"gpu1-v4", "gpu2-v4", "gpu1-v6"}) {
      std::vector<std::string> warnings;
      const char* subnet = strstr(name, "v6") != nullptr ? "fd00:1::/64" : "10.1.0.0/24";
      Json spec = Json::object({{"subnet", subnet}});
      if (strstr(name, "gpu2") != nullptr) {
        spec["nodeName"] = "node-1";
        spec["namespaceName"] = "default";
        spec["multusName"] = Json::strings({"kube-system/net", "n"});
        spec["default"] = true;
      }
      put_pool(pools, parse_pool(name, spec, warnings));
    }
    return true;
  }();
  (void)filled;
  return pools;
}

void choose_pools(const Request& request, const NetworkConfig& config) {
  PoolRequest pools = make_pool_request(request, config);
  pools.master = "eth1";
  pools.master_addresses = {*IpPrefix::parse("10.1.0.9/24")};
  const Candidates candidates = select_pools(&applied_pools(), pools);
  for (const Pool& pool : candidates.ipv4) require(pool.family() == Family::kV4, "an IPv4 pool");
  for (const Pool& pool : candidates.ipv6) require(pool.family() == Family::kV6, "an IPv6 pool");
}

void read_as_ipam(const Request& request) {
  const OuterIpamConfig config = read_ipam_config(request);
  for (const RangeSet& set : config.range_sets) {
    for (const Pool& pool : set.pools()) {
      require(set.contains(pool.ranges.front().first), "a set has its pools' addresses");
      require(pool.family() == set.family(), "a set is of one family");
    }
  }
  choose_pools(request, config.network);
}

void read_as_plugin(const Request& request) {
  const NetworkConfig config = read_config(request, backend_types());
  accepts([&] {
    const auto backend = make_backend(config.cni_type);
    require(backend != nullptr, "a type that was accepted has a backend");
    backend->configure(config);
    (void)backend->devices();
  });
  accepts([&] { choose_pools(request, config); });
  if (!config.prev_result.is_null()) {
    accepts([&] { (void)Result::from_json(config.prev_result, "prevResult"); });
  }
}

// As run_cni() does it.
void serve(Request& request, std::string_view args) {
  request.config = Json::parse(request.input);
  check_json(request.config);
  if (!request.config.is_object()) return;
  check_request(request);
  (void)config_version(request.config);
  translate_dropin(program_name(), request);
  check_json(request.config);
  if (request.config.find("cniType") != nullptr) {
    const Json once = request.config;
    translate_dropin(program_name(), request);
    require(request.config == once, "railcni's own form is not translated", once.dump());
  }
  CommonConfig common = read_common_config(request.config);
  accepts([&] { read_log_config(request.config, common); });
  request.args = parse_cni_args(args);
  if (request.verb == Verb::kGc) (void)valid_attachments(request.config);
  if (ipam_role(request.config) != IpamRole::kNone) {
    read_as_ipam(request);
  } else {
    read_as_plugin(request);
  }
}

}  // namespace
}  // namespace railcni::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) { return railcni::fuzz::be_quiet(); }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railcni;
  std::string_view text = fuzz::text_of(data, size);
  std::string_view line = fuzz::take_line(text);
  set_program_name(std::string(fuzz::take_word(line)).c_str());
  Request request;
  request.verb = fuzz::verb_of(fuzz::take_word(line));
  request.container_id = "pod";
  request.netns = "/var/run/netns/pod";
  request.ifname = "net1";
  request.input = text;
  fuzz::accepts([&] { fuzz::serve(request, line); });
  return 0;
}
