#include "railcni/policy.h"

#include <catch2/catch.hpp>

using namespace railcni;

namespace {

std::string problems(const std::string& name, const std::string& text) {
  return parse_policy(name, text).summary();
}

}  // namespace

TEST_CASE("policy: what a file does not say has its default", "[policy]") {
  for (const char* text : {"", "# x\n", "{}"}) {
    const PolicyReading reading = parse_policy("p.yaml", text);
    CHECK(reading.problems.empty());
    CHECK(reading.policy.to_json() == NodePolicy().to_json());
  }
  CHECK(NodePolicy().to_json() == Json::parse(R"({"logDirs": ["/var/log"],
      "dataDirs": ["/run", "/var/lib"], "pluginDirs": ["/opt/cni/bin", "/usr/lib/cni"],
      "hostRoutes": "appliedPools", "clusterCIDRs": [], "inlinePools": "separate",
      "maxAddressesPerFamily": 1})"));
}

TEST_CASE("policy: every key, in YAML and in JSON", "[policy]") {
  const Json all = Json::parse(R"({"logDirs": ["/var/log/a"], "dataDirs": [], "pluginDirs": ["/p"],
      "hostRoutes": "none", "clusterCIDRs": ["10.96.0.0/12", "fd00::/112"],
      "inlinePools": "overlap", "maxAddressesPerFamily": 7})");
  CHECK(parse_policy("p.json", all.dump()).policy.to_json() == all);
  CHECK(parse_policy("p.yaml", all.dump()).policy.to_json() == all);
  // Host bits are cleared, null is absent.
  const PolicyReading reading = parse_policy("p.yaml", "clusterCIDRs: [10.1.2.3/8]\nlogDirs: ~\n");
  CHECK(reading.problems.empty());
  CHECK(reading.policy.cluster_cidrs.at(0).to_string() == "10.0.0.0/8");
  CHECK(reading.policy.log_dirs == NodePolicy().log_dirs);
}

TEST_CASE("policy: all that is wrong is said, with its line; the rest is in force", "[policy]") {
  const PolicyReading reading = parse_policy("p.yaml",
                                             "# logDirs: not here\n"
                                             "logDirs: [/var/log/../x]\n"
                                             "\"hostRoutes\": appliedPool\n"
                                             "clusterCIDRs: [10.0.0.0/33]\n"
                                             "maxAddressesPerFamily: \"2\"\n"
                                             "inlinePools: none\n"
                                             "dataDir: /run\n");
  REQUIRE(reading.problems.size() == 5);
  const std::string text = reading.summary();
  for (const char* part :
       {"p.yaml:2: logDirs: \"/var/log/../x\" must be", "p.yaml:3: hostRoutes: must be one of",
        "did you mean appliedPools?", "p.yaml:4: clusterCIDRs", "10.0.0.0/33",
        "p.yaml:5: maxAddressesPerFamily: must be an integer from 1 to 1024, not \"2\"",
        "p.yaml:7: unknown key \"dataDir\": did you mean \"dataDirs\"?"}) {
    CHECK_THAT(text, Catch::Contains(part));
  }
  CHECK(reading.policy.inline_pools == NodePolicy::InlinePools::kNone);
  CHECK(reading.policy.log_dirs == NodePolicy().log_dirs);
  CHECK_THAT(problems("p.yaml", "a: 1\n---\nb: 2\n"), Catch::Contains("2 documents"));
  CHECK_THAT(problems("p.yaml", "logDirs: [/a\n"), Catch::StartsWith("p.yaml:"));
  CHECK_THAT(problems("p.yaml", "logDirs: []\nlogDirs: []\n"), Catch::StartsWith("p.yaml:2: "));
  CHECK_THAT(problems("p.json", "logDirs: []"), Catch::StartsWith("p.json: "));
  CHECK_THAT(problems("p.json", "[1]"), Catch::Contains("must be an object"));
}

TEST_CASE("policy: which paths are below which folders", "[policy]") {
  const std::vector<std::string> folders = {"/run", "/var/lib", "/srv/state"};
  for (const char* path : {"/run/x", "/run/x/y", "/var/lib/railcni", "/srv/state/x", "/run//x/",
                           "/run/containerd2/x", "/run/...x"}) {
    INFO(path);
    CHECK(is_allowed_path(path, folders));
  }
  for (const char* path :
       {"", "/", "/run", "/run/", "//run//", "run/x", "/runx/y", "/srv/stat", "/srv/state",
        "/run/../x", "/run/./x", "/run/x/..", "/run/x\n", "/run/x\xe2\x80\xae", "/run/\xff",
        "/run/containerd", "/run//containerd//x", "/var/lib/kubelet/pods/x",
        "/var/lib/docker/overlay2/x"}) {
    INFO(path);
    CHECK_FALSE(is_allowed_path(path, folders));
  }
  // Who names a folder in there means it.
  CHECK(is_allowed_path("/var/lib/kubelet/railcni/x", {"/var/lib", "/var/lib/kubelet/railcni"}));
  CHECK(is_allowed_path("/var/lib/kubelet/x", {"/var/lib/kubelet"}));
  CHECK_FALSE(is_allowed_path("/var/log/pods/x.log", {"/var/log"}));
  CHECK_FALSE(is_allowed_path("/run/x", {}));
}
