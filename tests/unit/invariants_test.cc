#include "ipam/bitmap.h"
#include "ipam/free_addresses.h"
#include "ipam_fixture.h"
#include "src/store/schema.h"

namespace railcni {
namespace {

using test::error_of;
using test::Ipam;
using test::owner;
using test::pool;

TEST_CASE("the invariants are able to fail", "[allocate]") {
  Pool p = pool("p", "10.0.0.0/16");
  auto after = [&](const std::function<void(Txn&)>& damage) {
    Ipam ipam;
    for (int i = 0; i < 4; ++i) ipam.get(i, p);
    ipam.del(owner(0));
    ipam.conflict(owner(1), 99999);
    ipam.check();
    size_t lines = 0;
    ipam.store().write([&](Txn& txn) {
      damage(txn);
      lines = check_invariants(txn).size();
    });
    return lines;
  };
  auto address = [&p](unsigned n) { return IpAddress{Family::kV4, p.subnet.first().value + n}; };
  CHECK(after([](Txn& txn) { erase_attachment(txn, owner(2)); }) == 1);
  CHECK(after([&](Txn& txn) { txn.erase(schema::lease_key(address(3))); }) >= 2);
  CHECK(after([&](Txn& txn) { txn.erase(schema::lease_key(address(1))); }) >= 2);
  CHECK(after([&](Txn& txn) { bitmap_set(txn, Family::kV4, block_of(address(0))); }) == 1);
  CHECK(after([&](Txn& txn) { bitmap_set(txn, Family::kV4, block_of(address(9000))); }) == 1);
  CHECK(after([](Txn& txn) { txn.erase(schema::rest_key(1, 0)); }) == 1);
  CHECK(after([](Txn& txn) { txn.put(schema::rest_key(1, 5), std::string(17, '\0')); }) == 1);
  CHECK(after([&](Txn& txn) { txn.erase(schema::quarantine_key(1, 99999, address(2))); }) == 1);
  CHECK(after([&](Txn& txn) {
          txn.put(schema::lease_key(address(3)), std::string("\0\0\0\1Lnet/other/net1", 20));
        }) >= 1);
  CHECK(after([&](Txn& txn) {
          txn.put(schema::lease_key(address(3)), std::string("\0\0\0\7Lnet/other/net1", 20));
        }) >= 1);
  CHECK(after([](Txn& txn) { txn.put("Zx", "?"); }) == 1);
  CHECK(after([](Txn& txn) { claim_device(txn, "0000:01:00.1", owner(2)); }) == 1);
  CHECK(after([](Txn& txn) {
          Attachment twin = *get_attachment(txn, owner(2));
          twin.key = owner(50);
          put_attachment(txn, twin);
        }) == 1);
  CHECK(after([](Txn& txn) {
          Attachment lost = *get_attachment(txn, owner(2));
          lost.devices = {"0000:01:00.1"};
          put_attachment(txn, lost);
        }) == 1);
}

TEST_CASE("the invariants miss the mark of a block that is used up", "[allocate]") {
  Ipam ipam;
  const Pool p = pool("p", "10.0.0.0/16");
  for (int i = 0; i < 520; ++i) ipam.get(i, p);
  ipam.check();
  ipam.store().write([&](Txn& txn) {
    bitmap_clear(txn, Family::kV4, block_of(*IpAddress::parse("10.0.1.0")));
    CHECK(check_invariants(txn).size() == 1);
    bitmap_set(txn, Family::kV4, block_of(*IpAddress::parse("10.0.1.0")));
    CHECK(check_invariants(txn).empty());
    bitmap_set(txn, Family::kV4, block_of(*IpAddress::parse("10.0.2.0")));
    CHECK(check_invariants(txn).size() == 1);
  });
}

TEST_CASE("a record that cannot be read back is not written, and hides no other", "[allocate]") {
  Ipam ipam;
  Pool p = pool("p", "10.0.0.0/24");
  for (int i = 1; i <= 3; ++i) ipam.get(i, p);
  ipam.store().write([](Txn& txn) {
    Attachment bad = *get_attachment(txn, owner(2));
    Json deep = Json::array();
    for (int i = 0; i < 1000; ++i) {
      Json outer = Json::array();
      outer.push_back(std::move(deep));
      deep = std::move(outer);
    }
    bad.link = std::move(deep);
    Error error = error_of([&] { put_attachment(txn, bad); });
    CHECK_THAT(error.msg(), Catch::Contains("net/container2/net1 cannot be recorded"));
    CHECK(get_attachment(txn, owner(2)));

    const std::string key = schema::attachment_key("net", "container2", "net1");
    std::string poisoned(*txn.get(key));
    poisoned.replace(poisoned.find("container2"), 10, "container\xff");
    txn.put(key, poisoned);
    std::vector<std::string> readable;
    std::vector<std::string> unreadable;
    scan_attachments(
        txn, "net",
        [&](const Attachment& attachment) {
          readable.push_back(attachment.key.container_id);
          return true;
        },
        [&](const Error& why) { unreadable.push_back(why.msg()); });
    CHECK(readable == std::vector<std::string>{"container1", "container3"});
    REQUIRE(unreadable.size() == 1);
    CHECK_THAT(unreadable[0], Catch::Contains("net/container2 is damaged"));
    const Error damaged = error_of([&] { get_attachment(txn, owner(2)); });
    CHECK(damaged.code() == Code::kStoreDamaged);
    CHECK_THAT(damaged.msg(), Catch::Contains("net/container2/net1 is damaged"));
    std::vector<std::string> lines = check_invariants(txn);
    REQUIRE(lines.size() == 2);  // the record, and the lease that it no longer speaks of
    CHECK_THAT(lines[0], Catch::Contains("is damaged"));
    CHECK(erase_attachment(txn, owner(2)));
  });
}

TEST_CASE("attachments and device claims", "[allocate]") {
  Ipam ipam;
  ipam.store().write([](Txn& txn) {
    Attachment a;
    a.key = owner(1);
    a.settled = true;
    a.netns_path = "/run/netns/x";
    a.netns = {4, ~uint64_t{0}};
    a.cni_type = "macvlan";
    a.pod_namespace = "ns";
    a.created = 1234567;
    a.devices = {"0000:01:00.1"};
    a.leases = {{"p", *IpPrefix::parse("10.0.0.1/24")}, {"q", *IpPrefix::parse("fd00::1/64")}};
    a.link = Json::parse(R"({"master":"eth0","n":[1,2]})");
    put_attachment(txn, a);
    auto back = get_attachment(txn, a.key);
    REQUIRE(back);
    CHECK(back->to_json() == a.to_json());
    CHECK(back->netns == a.netns);
    CHECK(back->leases == a.leases);
    CHECK_FALSE(get_attachment(txn, owner(2)));

    Attachment other = a;
    other.key = {"net2", "c", "net1"};
    put_attachment(txn, other);
    int all = 0;
    scan_attachments(txn, "", [&](const Attachment&) { return ++all > 0; });
    CHECK(all == 2);
    std::vector<std::string> of_net;
    scan_attachments(txn, "net", [&](const Attachment& found) {
      of_net.push_back(found.key.network);
      return true;
    });
    CHECK(of_net == std::vector<std::string>{"net"});

    CHECK_FALSE(claim_device(txn, "0000:01:00.1", owner(1)));
    CHECK_FALSE(claim_device(txn, "0000:01:00.1", owner(1)));
    CHECK(claim_device(txn, "0000:01:00.1", owner(2)) == owner(1));
    release_device(txn, "0000:01:00.1", owner(2));
    CHECK(claim_device(txn, "0000:01:00.1", owner(2)) == owner(1));
    release_device(txn, "0000:01:00.1", owner(1));
    CHECK_FALSE(claim_device(txn, "0000:01:00.1", owner(2)));

    CHECK(erase_attachment(txn, a.key));
    CHECK_FALSE(erase_attachment(txn, a.key));
    txn.put(schema::attachment_key("net2", "c", "net1"), "{\"network\":1}");
    Error damaged = error_of([&] { get_attachment(txn, other.key); });
    CHECK(damaged.code() == Code::kStoreDamaged);
    CHECK_THAT(damaged.msg(), Catch::Contains("net2/c/net1"));
  });
  CHECK(AttachmentKey::parse("a/b/c") == AttachmentKey{"a", "b", "c"});
  for (const char* text : {"", "a", "a/b", "a/b/c/d"})
    CHECK_THROWS_AS(AttachmentKey::parse(text), Error);
  CHECK_NOTHROW(
      check_attachment_key({std::string(200, 'n'), std::string(255, 'c'), "123456789012345"}));
  CHECK(error_of([] {
          check_attachment_key({std::string(201, 'n'), "c", "i"});
        }).code() == Code::kInvalidConfig);
  for (const AttachmentKey& key :
       {AttachmentKey{"n", "", "i"}, AttachmentKey{"n", "c/d", "i"},
        AttachmentKey{"n", std::string(256, 'c'), "i"}, AttachmentKey{"n", "c", "net1:x"},
        AttachmentKey{"n", "c", "1234567890123456"}}) {
    CHECK(error_of([&] { check_attachment_key(key); }).code() == Code::kInvalidEnvironment);
  }
  // The longest key of all fits.
  ipam.store().write([](Txn& txn) {
    Attachment longest;
    longest.key = {std::string(200, 'n'), std::string(255, 'c'), "123456789012345"};
    put_attachment(txn, longest);
    CHECK(get_attachment(txn, longest.key));
    Pool p = pool(std::string(253, 'p'), "feff:ffff:ffff:ffff:ffff:ffff:ffff:0/112");
    CHECK(allocate(txn, {{}, {p}}, {}, longest.key, 1).size() == 1);
  });
}

}  // namespace
}  // namespace railcni
