#include "railcni/ipam.h"
#include "temp_store.h"

namespace railcni {
namespace {

using test::error_of;

Pool pool(const std::string& name, const std::string& subnet, const std::string& more = "") {
  std::vector<std::string> warnings;
  return parse_pool(name, Json::parse("{\"subnet\":\"" + subnet + "\"" + more + "}"), warnings);
}

std::string names(const std::vector<Pool>& pools) {
  std::string text;
  for (const Pool& p : pools) text += (text.empty() ? "" : " ") + p.name;
  return text;
}

// Applied pools: the seeds' rails, an IPv6 one, and some with conditions.
class Applied {
 public:
  Applied() {
    store_ = Store::open(Store::File::kPools, dir_.paths(), Store::Mode::kCreate);
    store_->write([](Txn& txn) {
      put_pool(txn, pool("rail2-node1", "172.16.1.32/27"));
      put_pool(txn, pool("rail1-node1", "172.16.1.0/27"));
      put_pool(txn, pool("rail1-node2", "172.16.2.0/27"));
      put_pool(txn, pool("rail1-v6", "fd00:1::/64"));
      put_pool(txn, pool("off", "10.1.0.0/24", R"(,"disable":true)"));
      put_pool(txn, pool("for-n2", "10.2.0.0/24", R"(,"nodeName":"n2")"));
      put_pool(txn, pool("for-ns", "10.3.0.0/24", R"(,"namespaceName":["team-a"])"));
      put_pool(txn, pool("for-net", "10.4.0.0/24", R"(,"multusName":["kube-system/rail"])"));
    });
  }

  Candidates select(const PoolRequest& request) {
    Candidates candidates;
    store_->read([&](const Txn& txn) { candidates = select_pools(&txn, request); });
    return candidates;
  }
  std::string v4(std::vector<std::string> entries, PoolRequest request = {}) {
    request.ipv4 = std::move(entries);
    return names(select(request).ipv4);
  }
  std::string error(std::vector<std::string> entries, PoolRequest request = {}) {
    request.ipv4 = std::move(entries);
    Error thrown = error_of([&] { select(request); });
    CHECK(thrown.code() == Code::kInvalidConfig);
    return thrown.msg();
  }
  Store& store() { return *store_; }

 private:
  test::TempDir dir_;
  std::unique_ptr<Store> store_;
};

TEST_CASE("globs are Go's filepath.Match", "[select]") {
  struct Case {
    const char* glob;
    const char* name;
    bool matches;
  };
  // From the documentation and the rules of path/filepath.
  for (const Case& c : std::initializer_list<Case>{{"abc", "abc", true},
                                                   {"*", "abc", true},
                                                   {"*", "", true},
                                                   {"*c", "abc", true},
                                                   {"a*", "a", true},
                                                   {"a*", "abc", true},
                                                   {"a*b", "ab", true},
                                                   {"a*b*c*d*e*", "axbxcxdxe", true},
                                                   {"a*b*c*d*e*", "axbxcxdxexxx", true},
                                                   {"a*b?c*x", "abxbbxdbxebxczzx", true},
                                                   {"a*b?c*x", "abxbbxdbxebxczzy", false},
                                                   {"ab[c]", "abc", true},
                                                   {"ab[b-d]", "abc", true},
                                                   {"ab[e-g]", "abc", false},
                                                   {"ab[^c]", "abc", false},
                                                   {"ab[^b-d]", "abc", false},
                                                   {"ab[^e-g]", "abc", true},
                                                   {"a\\*b", "a*b", true},
                                                   {"a\\*b", "ab", false},
                                                   {"a?b", "axb", true},
                                                   {"a?b", "ab", false},
                                                   {"a[^a]b", "axb", true},
                                                   {"[\\]a]", "]", true},
                                                   {"[\\-]", "-", true},
                                                   {"[x\\-]", "x", true},
                                                   {"[x\\-]", "z", false},
                                                   {"[\\-x]", "a", false},
                                                   {"a]", "a]", true},
                                                   {"", "", true},
                                                   {"", "x", false},
                                                   {"*-rail1-*", "eno3np1-rail1-node1", true},
                                                   {"*-rail1-*", "eno3np1-rail10-node1", false},
                                                   {"[b-a]", "a", false},
                                                   {"*x", "xxx", true},
                                                   {"**", "ab", true},
                                                   {"?", "", false},
                                                   {"[ab]c", "bc", true}}) {
    CAPTURE(c.glob, c.name);
    CHECK(glob_match(c.glob, c.name) == c.matches);
  }
  for (const char* glob : {"[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[", "[^", "[^bc", "a[", "\\",
                           "[]", "[^]", "[a"}) {
    CAPTURE(glob);
    Error thrown = error_of([&] { glob_match(glob, "whatever"); });
    CHECK(thrown.code() == Code::kInvalidConfig);
    CHECK_THAT(thrown.msg(), Catch::Contains(glob));
  }
}

TEST_CASE("a glob of many stars does not take for ever", "[select]") {
  std::string glob;
  for (int i = 0; i < 1000; ++i) glob += "*a";
  CHECK_FALSE(glob_match(glob + "b", std::string(5000, 'a')));
}

TEST_CASE("names in the user's order, a glob's matches in name order, each pool once", "[select]") {
  Applied applied;
  CHECK(applied.v4({"rail2-node1", "rail1-node1"}) == "rail2-node1 rail1-node1");
  CHECK(applied.v4({"rail1-*"}) == "rail1-node1 rail1-node2");
  CHECK(applied.v4({"rail1-node2", "rail*", "rail1-node1"}) ==
        "rail1-node2 rail1-node1 rail2-node1");
  PoolRequest request;
  request.ipv4 = {"rail1-*"};
  request.ipv6 = {"rail1-*"};
  CHECK(names(applied.select(request).ipv6) == "rail1-v6");
}

TEST_CASE("what names nothing is an error that says so", "[select]") {
  Applied applied;
  CHECK_THAT(applied.error({"rail1-nod1"}),
             Catch::Contains("\"rail1-nod1\"") && Catch::Contains("did you mean \"rail1-node1\""));
  CHECK_THAT(applied.error({"zz*"}), Catch::Contains("\"zz*\" matches no IPv4 pool"));
  CHECK_THAT(applied.error({"*-v6"}), Catch::Contains("rail1-v6"));
  CHECK_THAT(applied.error({"rail1-v6"}), Catch::Contains("is not an IPv4 pool"));
  CHECK_THAT(applied.error({"rail[1"}), Catch::Contains("malformed glob \"rail[1\""));
  PoolRequest request;
  request.ipv4 = {"rail1-node1"};
  CHECK(error_of([&] { select_pools(nullptr, request); }).code() == Code::kInvalidConfig);
}

TEST_CASE("pools for others are passed over; when none is left, the reasons are said", "[select]") {
  Applied applied;
  CHECK(applied.v4({"off", "for-n2", "rail1-node1"}) == "rail1-node1");
  std::string msg = applied.error({"off", "for-*"});
  CHECK_THAT(msg, Catch::Contains("pool off: it is disabled"));
  // Of pools that a glob has brought, neither their names nor whom they are for.
  CHECK_THAT(msg, Catch::Contains("1 pool: it is for other nodes than \"\"") &&
                      Catch::Contains("1 pool: it is for other namespaces") &&
                      Catch::Contains("1 pool: it is for other networks than \"\""));
  for (const char* secret : {"for-n", "n2", "team-a", "kube-system"}) {
    CHECK_THAT(msg, !Catch::Contains(std::string("pool ") + secret));
    CHECK_THAT(msg, !Catch::Contains(std::string("for ") + secret));
  }
  // Who names one is told, and not whom it is for.
  CHECK(applied.error({"for-ns"}) ==
        "no IPv4 pool is for this attachment: pool for-ns: it is for other namespaces (the runtime "
        "gave none of the Pod)");
  CHECK_THAT(applied.error({"for-x"}), !Catch::Contains("for-n"));
  PoolRequest request;
  request.node = "n2";
  CHECK(applied.v4({"for-n2"}, request) == "for-n2");
  request.pod_namespace = "team-a";
  CHECK(applied.v4({"for-ns"}, request) == "for-ns");
  request.network = "rail";
  CHECK(applied.v4({"for-net"}, request) == "for-net");
  request.network = "kube-system/rail";
  CHECK(applied.v4({"for-net"}, request) == "for-net");
  request.network = "other/rail";
  CHECK_THAT(applied.error({"for-net"}, request), Catch::Contains("for-net"));
}

TEST_CASE("matchMasterSubnet", "[select]") {
  Applied applied;
  PoolRequest request;
  request.match_master_subnet = true;
  request.master = "eno3np1";
  request.master_addresses = {*IpPrefix::parse("172.16.2.1/27"), *IpPrefix::parse("fe80::1/64")};
  CHECK(applied.v4({"rail*"}, request) == "rail1-node2");
  request.master_addresses = {*IpPrefix::parse("192.168.0.1/24")};
  std::string msg = applied.error({"rail1*"}, request);
  CHECK_THAT(msg, Catch::Contains("eno3np1") && Catch::Contains("192.168.0.1/24") &&
                      Catch::Contains("rail1-node1: 172.16.1.0/27") &&
                      Catch::Contains("rail1-node2: 172.16.2.0/27"));
  request.master_addresses.clear();
  CHECK_THAT(applied.error({"rail1*"}, request), Catch::Contains("has no address"));
}

TEST_CASE("inline pools: all in order without names, and they hide applied ones", "[select]") {
  Applied applied;
  PoolRequest request;
  request.inline_pools = {pool("z", "10.9.0.0/24"), pool("a6", "fd00:9::/64"),
                          pool("rail1-node1", "10.8.0.0/24")};
  Candidates all = applied.select(request);
  CHECK(names(all.ipv4) == "z rail1-node1");
  CHECK(names(all.ipv6) == "a6");
  CHECK(names(select_pools(nullptr, request).ipv4) == "z rail1-node1");
  request.ipv4 = {"rail1-*", "z"};
  Candidates named = applied.select(request);
  CHECK(names(named.ipv4) == "rail1-node1 rail1-node2 z");
  CHECK(named.ipv4[0].subnet.to_string() == "10.8.0.0/24");
  CHECK(named.ipv6.empty());
  request.inline_pools.push_back(pool("z", "10.7.0.0/24"));
  CHECK_THAT(error_of([&] { applied.select(request); }).msg(), Catch::Contains("\"z\""));
}

TEST_CASE("an inline pool has no address in an applied pool's subnet", "[select]") {
  Applied applied;
  const auto refused = [&](const Pool& own) {
    std::optional<Error> error;
    applied.store().read([&](const Txn& txn) {
      try {
        refuse_shared_addresses(txn, {pool("mine", "10.99.0.0/24"), own});
      } catch (const Error& thrown) {
        error = thrown;
      }
    });
    return error;
  };
  CHECK_FALSE(refused(pool("z", "10.9.0.0/24")));
  // Around it, inside of it, beside what it hands out, of a disabled one.
  for (const char* subnet : {"10.0.0.0/8", "10.3.0.128/25", "10.1.0.0/24", "172.16.1.32/27"}) {
    const auto error = refused(pool("z", subnet));
    REQUIRE(error);
    CHECK(error->code() == Code::kInvalidConfig);
    CHECK_THAT(error->msg(), Catch::StartsWith("pool z of the configuration: "));
    CHECK_THAT(error->msg(), !Catch::Contains("for-ns") && !Catch::Contains("rail2"));
  }
  CHECK(refused(pool("z", "fd00:1::/48")));
  CHECK_FALSE(refused(pool("z", "fd00:2::/64")));
  // What it hands out counts, not its subnet.
  CHECK_FALSE(refused(pool("z", "10.0.0.0/8", R"(,"ips":["10.77.0.1-10.77.0.9"])")));
}

TEST_CASE("default pools when nothing is named", "[select]") {
  Applied applied;
  CHECK(applied.select({}).empty());
  CHECK(select_pools(nullptr, {}).empty());
  applied.store().write([](Txn& txn) {
    put_pool(txn, pool("d2", "10.6.0.0/24", R"(,"default":true)"));
    put_pool(txn, pool("d1", "10.5.0.0/24", R"(,"default":true)"));
  });
  CHECK(names(applied.select({}).ipv4) == "d1 d2");
}

TEST_CASE("default pools for other nodes are as none", "[select]") {
  Applied applied;
  applied.store().write([](Txn& txn) {
    put_pool(txn, pool("d1", "10.5.0.0/24", R"(,"default":true,"nodeName":["elsewhere"])"));
    put_pool(txn, pool("d2", "10.6.0.0/24", R"(,"default":true,"disable":true)"));
  });
  CHECK(applied.select({}).empty());
  PoolRequest by_name;
  by_name.ipv4 = {"d1"};
  CHECK_THROWS_AS(applied.select(by_name), Error);
}

TEST_CASE("applied pools are kept by name", "[select]") {
  Applied applied;
  applied.store().write([](Txn& txn) {
    std::vector<std::string> all;
    scan_pools(txn, [&](const Pool& p) {
      all.push_back(p.name);
      return true;
    });
    CHECK(all == std::vector<std::string>{"for-n2", "for-net", "for-ns", "off", "rail1-node1",
                                          "rail1-node2", "rail1-v6", "rail2-node1"});
    CHECK(get_pool(txn, "for-n2")->node_names == std::vector<std::string>{"n2"});
    CHECK(erase_pool(txn, "off"));
    CHECK_FALSE(erase_pool(txn, "off"));
    CHECK_FALSE(get_pool(txn, "off"));
    CHECK_FALSE(get_pool(txn, std::string(600, 'x')));
    txn.put("Pbad", "{");
    CHECK(error_of([&] { get_pool(txn, "bad"); }).code() == Code::kStoreDamaged);
  });
}

}  // namespace
}  // namespace railcni
