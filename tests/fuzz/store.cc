// The rows of a state file, whatever they hold: every walk over them, and changes to them. The
// input's first byte is the family of the pool that an address is asked of.
#include <utility>
#include <vector>

#include "railcni/attachment.h"
#include "railcni/ipam.h"
#include "tests/fuzz/memory_txn.h"

namespace railcni::fuzz {
namespace {

const AttachmentKey kOwner{"net", "new", "net1"};
constexpr int64_t kNow = 1000;

// Rows as the input has them: size of the key (one byte), of the value (two), key, value.
void read_rows(std::string_view input, Txn& state) {
  const auto take = [&input](size_t size) {
    const std::string_view part = input.substr(0, size);
    input.remove_prefix(part.size());
    return part;
  };
  while (input.size() >= 3) {
    const auto byte = [&input](size_t at) { return static_cast<uint8_t>(input[at]); };
    const size_t key_size = byte(0);
    const size_t value_size = static_cast<size_t>(byte(1)) << 8 | byte(2);
    input.remove_prefix(3);
    const std::string_view key = take(key_size);
    const std::string_view value = take(value_size);
    if (!key.empty()) state.put(key, value);
  }
}

Pool pool_of(const char* spec) {
  std::vector<std::string> warnings;
  return parse_pool("a", Json::parse(spec), warnings);
}

// Names that reading has found in the rows, so that the look-ups by name have something to find.
struct Known {
  std::vector<Attachment> attachments;
  std::vector<LeaseInfo> leases;
};

Known read_everything(const Txn& state) {
  Known known;
  accepts([&] {
    scan_attachments(
        state, "",
        [&known](const Attachment& attachment) {
          known.attachments.push_back(attachment);
          return true;
        },
        [](const Error&) {});
  });
  for (const Attachment& attachment : known.attachments) {
    const auto found = get_attachment(state, attachment.key);
    require(found && found->to_json() == attachment.to_json(), "an attachment that a walk has met");
    for (const std::string& device : attachment.devices) {
      if (device.size() <= 200) accepts([&] { (void)device_owner(state, device); });
    }
  }
  accepts([&] {
    scan_leases(state, "", [&known](const LeaseInfo& info) {
      known.leases.push_back(info);
      return true;
    });
  });
  accepts([&] { scan_pools(state, [](const Pool&) { return true; }); });
  return known;
}

bool is_sound(const Txn& state) {
  bool sound = false;
  accepts([&] { sound = check_invariants(state).empty(); });
  return sound;
}

// An attachment comes, its first address is in use by somebody else, and it goes. A sound state
// stays one through all of that.
void use(Txn& state, const Pool& pool, const Known& known) {
  const bool was_sound = is_sound(state);
  accepts([&] {
    (void)stranded_leases(state, pool.name, pool);
    (void)pool_usage(state, pool);
    for (const LeaseInfo& info : known.leases) {
      release(state, {info.lease}, info.owner);
      require(!holds_lease(state, info.lease, info.owner), "a released lease is nobody's");
    }
    for (const Attachment& attachment : known.attachments) {
      for (const std::string& device : attachment.devices) {
        if (device.size() <= 200) release_device(state, device, attachment.key);
      }
      require(erase_attachment(state, attachment.key), "an attachment that a walk has met");
    }
    if (was_sound) require(is_sound(state), "a sound state that was emptied");

    Candidates candidates;
    (pool.family() == Family::kV4 ? candidates.ipv4 : candidates.ipv6).push_back(pool);
    for (const bool as_one : {false, true}) {
      candidates.as_one = as_one;
      const std::vector<Lease> leases = allocate(state, candidates, {}, kOwner, kNow);
      require(leases.size() == 1 && holds_lease(state, leases[0], kOwner), "a lease is held");
      require(pool.contains(leases[0].address.address), "a lease is of its pool");
      quarantine(state, leases[0], kOwner, kNow + 60);
      require(!holds_lease(state, leases[0], kOwner), "a quarantined lease is nobody's");
    }
    Attachment attachment;
    attachment.key = kOwner;
    attachment.leases = allocate(state, candidates, {}, kOwner, kNow + 120);
    attachment.devices = {"0000:01:00.1"};
    if (!claim_device(state, attachment.devices[0], kOwner)) {
      put_attachment(state, attachment);
      if (was_sound) require(is_sound(state), "a sound state with an attachment");
    }
  });
}

}  // namespace
}  // namespace railcni::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) { return railcni::fuzz::be_quiet(); }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railcni;
  static const Pool v4 =
      fuzz::pool_of(R"({"subnet": "10.9.0.0/29", "ips": ["10.9.0.2-10.9.0.5"]})");
  static const Pool v6 = fuzz::pool_of(R"({"subnet": "fd00:9::/64", "gateway": "fd00:9::1"})");
  if (size == 0) return 0;
  fuzz::MemoryTxn state;
  fuzz::read_rows(fuzz::text_of(data + 1, size - 1), state);
  const fuzz::Known known = fuzz::read_everything(state);
  fuzz::use(state, data[0] == 6 ? v6 : v4, known);
  return 0;
}
