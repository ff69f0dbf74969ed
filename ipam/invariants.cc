#include <map>
#include <set>

#include "ipam/bitmap.h"
#include "ipam/free_addresses.h"
#include "ipam/pool_state.h"
#include "railcni/error.h"
#include "railcni/ipam.h"
#include "src/store/schema.h"

namespace railcni {
namespace {

// Recomputes every index from the attachments and the lease table, and compares.
class Checker {
 public:
  explicit Checker(const Txn& state) : state_(state) {}

  std::vector<std::string> run() {
    read_pools();
    read_leases();
    read_queues();
    compare_counters();
    compare_bitmaps();
    compare_attachments();
    compare_devices();
    find_unknown_keys();
    return std::move(lines_);
  }

 private:
  // What is stored and what the lease table says it should be.
  struct PoolFacts {
    std::string name;
    IpPrefix subnet;
    PoolCounters stored;
    PoolCounters counted;
    std::map<uint64_t, IpAddress> resting;                // seq, address: by the lease table
    std::set<std::pair<int64_t, IpAddress>> quarantined;  // until, address: by the lease table

    std::string text() const { return "pool " + name + " (" + subnet.to_string() + ")"; }
    std::string text(const IpAddress& address) const { return text() + ": " + address.to_string(); }
  };

  void add(std::string line) { lines_.push_back(std::move(line)); }

  void read_pools();
  void read_leases();
  void read_lease(PoolFacts& pool, const IpAddress& address, const AddressState& used);
  void read_queues();
  void compare_counters();
  void compare_bitmaps();
  void compare_attachments();
  void compare_devices();
  void find_unknown_keys();
  void count_in_block(const IpAddress& address);
  void expect_bit(Family family, U128 block);

  // The pool of that id; nullptr, with a line, when there is none.
  PoolFacts* pool_of(uint32_t id, const char* what);
  // The pool whose row this is; nullptr, with a line, when there is none or the key is malformed.
  PoolFacts* pool_of_key(std::string_view key, size_t key_size, const char* what);

  const Txn& state_;
  std::vector<std::string> lines_;
  std::map<uint32_t, PoolFacts> pools_;
  std::map<std::string, BitmapPage> pages_;  // by key: what the lease table wants
  IpAddress block_;                          // the first address of the one being read
  uint32_t rows_in_block_ = 0;
  std::map<std::string, std::string> lease_owners_;  // "pool address/length", owner
};

std::string lease_text(const Lease& lease) { return lease.pool + " " + lease.address.to_string(); }

void Checker::read_pools() {
  uint32_t next_id = 1;
  if (auto stored = state_.get(schema::table(schema::kNextPoolId)); stored && stored->size() == 4) {
    next_id = schema::number_at<uint32_t>(*stored, 0);
  }
  scan_pool_states(state_, "",
                   [&](const std::string& name, const IpPrefix& subnet, const PoolCounters& row) {
                     PoolFacts facts{name, subnet, row, {}, {}, {}};
                     if (subnet != subnet.network()) add(facts.text() + ": host bits in the key");
                     if (row.id >= next_id) add(facts.text() + ": its id is still to be given out");
                     if (!pools_.emplace(row.id, facts).second) {
                       add(facts.text() + ": another pool has the same id");
                     }
                     return true;
                   });
}

Checker::PoolFacts* Checker::pool_of(uint32_t id, const char* what) {
  auto pool = pools_.find(id);
  if (pool != pools_.end()) return &pool->second;
  add(std::string(what) + ": a row of pool id " + std::to_string(id) + ", which no pool has");
  return nullptr;
}

Checker::PoolFacts* Checker::pool_of_key(std::string_view key, size_t key_size, const char* what) {
  if (key.size() != key_size) {
    add(std::string(what) + ": a key of " + std::to_string(key.size()) + " bytes");
    return nullptr;
  }
  return pool_of(schema::number_at<uint32_t>(key, 1), what);
}

void Checker::read_leases() {
  state_.scan(schema::table(schema::kLease), "", [&](std::string_view key, std::string_view value) {
    const std::optional<IpAddress> address = schema::address_at(key, 1);
    if (!address) {
      add("lease table: a key of " + std::to_string(key.size()) + " bytes that is no address");
      return true;
    }
    count_in_block(*address);
    try {
      const AddressState used = AddressState::unpack(value);
      PoolFacts* pool = pool_of(used.pool_id, "lease table");
      if (pool == nullptr) return true;
      if (!pool->subnet.contains(*address)) {
        add(pool->text(*address) + " is outside of the subnet");
      }
      read_lease(*pool, *address, used);
    } catch (const Error& error) {
      add(address->to_string() + ": " + error.msg());
    }
    return true;
  });
}

// Rows come in the order of their addresses, so a block's come one after the other.
void Checker::count_in_block(const IpAddress& address) {
  const U128 block = block_of(address);
  const IpAddress first{address.family, block << kBlockShift};
  if (first != block_) {
    block_ = first;
    rows_in_block_ = 0;
  }
  if (++rows_in_block_ == 1u << kBlockShift) expect_bit(address.family, block);
}

void Checker::expect_bit(Family family, U128 block) {
  U128 index = block;
  for (uint8_t level = 0;; ++level) {
    const U128 page = index >> BitmapPage::kBitsShift;
    BitmapPage& bits = pages_[schema::bitmap_key(family, level, page)];
    bits.set(static_cast<uint32_t>(index & (BitmapPage::kBits - 1)));
    if (!bits.full()) return;
    index = page;
  }
}

void Checker::read_lease(PoolFacts& pool, const IpAddress& address, const AddressState& used) {
  switch (used.kind) {
    case AddressState::Kind::kLeased: {
      ++pool.counted.leased;
      AttachmentKey::parse(used.owner);  // throws when it is not one
      Lease lease{pool.name, {address, pool.subnet.length}};
      lease_owners_[lease_text(lease)] = used.owner;
      break;
    }
    case AddressState::Kind::kResting:
      ++pool.counted.resting;
      if (!pool.resting.emplace(used.seq, address).second) {
        add(pool.text(address) + " rests with the number of another address");
      }
      if (used.seq >= pool.stored.next_seq)
        add(pool.text(address) + " rests with a number to come");
      break;
    case AddressState::Kind::kQuarantined:
      ++pool.counted.quarantined;
      pool.quarantined.emplace(used.until, address);
      break;
  }
}

void Checker::read_queues() {
  state_.scan(schema::table(schema::kRestQueue), "",
              [&](std::string_view key, std::string_view value) {
                PoolFacts* pool = pool_of_key(key, schema::kRestKeySize, "resting queue");
                if (pool == nullptr) return true;
                auto seq = schema::number_at<uint64_t>(key, schema::kPoolRowsSize);
                auto row = pool->resting.find(seq);
                if (row == pool->resting.end() || schema::address_at(value, 0) != row->second) {
                  add(pool->text() + ": entry " + std::to_string(seq) +
                      " of the resting queue does not agree with the lease table");
                } else {
                  pool->resting.erase(row);
                }
                return true;
              });
  state_.scan(
      schema::table(schema::kQuarantineQueue), "", [&](std::string_view key, std::string_view) {
        PoolFacts* pool = pool_of_key(key, schema::kQuarantineKeySize, "quarantine queue");
        if (pool == nullptr) return true;
        auto until = static_cast<int64_t>(schema::number_at<uint64_t>(key, schema::kPoolRowsSize));
        const auto address = schema::address_at(key, schema::kPoolRowsSize + sizeof until);
        if (!address || pool->quarantined.erase({until, *address}) == 0) {
          add(pool->text(address.value_or(IpAddress())) +
              " is in the quarantine queue, but not in the lease table");
        }
        return true;
      });
  for (const auto& [id, pool] : pools_) {
    for (const auto& [seq, address] : pool.resting) {
      add(pool.text(address) + " rests, but is not in the resting queue");
    }
    for (const auto& [until, address] : pool.quarantined) {
      add(pool.text(address) + " is quarantined, but not in the quarantine queue");
    }
  }
}

void Checker::compare_counters() {
  for (const auto& [id, pool] : pools_) {
    auto compare = [&, &facts = pool](const char* what, uint64_t stored, uint64_t counted) {
      if (stored == counted) return;
      add(facts.text() + ": the counter says " + std::to_string(stored) + " " + what +
          " addresses, the lease table " + std::to_string(counted));
    };
    compare("leased", pool.stored.leased, pool.counted.leased);
    compare("resting", pool.stored.resting, pool.counted.resting);
    compare("quarantined", pool.stored.quarantined, pool.counted.quarantined);
  }
}

void Checker::compare_bitmaps() {
  auto text = [](std::string_view key) {
    if (key.size() != schema::kBitmapKeySize) return std::string("bitmap: a page");
    return "IPv" + std::to_string(schema::number_at<uint8_t>(key, 1)) + " bitmap: page " +
           to_string(schema::number_at<U128>(key, 3)) + " of level " +
           std::to_string(schema::number_at<uint8_t>(key, 2));
  };
  state_.scan(schema::table(schema::kBitmap), "",
              [&](std::string_view key, std::string_view value) {
                auto wanted = pages_.find(std::string(key));
                if (wanted == pages_.end() || value != wanted->second.to_bytes()) {
                  add(text(key) + " differs from the lease table");
                }
                if (wanted != pages_.end()) pages_.erase(wanted);
                return true;
              });
  for (const auto& [key, bits] : pages_) add(text(key) + " is missing");
}

void Checker::compare_attachments() {
  std::map<std::string, std::string> recorded;  // lease, attachment
  scan_attachments(
      state_, "",
      [&](const Attachment& attachment) {
        std::string owner = attachment.key.to_string();
        for (const Lease& lease : attachment.leases) {
          std::string text = lease_text(lease);
          auto [other, is_new] = recorded.emplace(text, owner);
          if (!is_new) {
            add("lease " + text + " is recorded by " + other->second + " and by " + owner);
            continue;
          }
          auto holder = lease_owners_.find(text);
          if (holder == lease_owners_.end()) {
            add("lease " + text + " is recorded by " + owner + ", but nobody holds it");
          } else if (holder->second != owner) {
            add("lease " + text + " is recorded by " + owner + ", but " + holder->second +
                " holds it");
          }
        }
        return true;
      },
      [&](const Error& error) { add(error.msg()); });
  for (const auto& [text, owner] : lease_owners_) {
    if (recorded.count(text) == 0) {
      add("lease " + text + " is held by " + owner + ", which does not record it");
    }
  }
}

void Checker::compare_devices() {
  std::map<std::string, std::string> claims;
  state_.scan(schema::table(schema::kDevice), "",
              [&](std::string_view key, std::string_view value) {
                claims.emplace(key.substr(1), value);
                return true;
              });
  scan_attachments(
      state_, "",
      [&](const Attachment& attachment) {
        std::string owner = attachment.key.to_string();
        for (const std::string& device : attachment.devices) {
          auto claim = claims.find(device);
          if (claim == claims.end()) {
            add("device " + device + " is recorded by " + owner + ", but not claimed by it alone");
          } else if (claim->second != owner) {
            add("device " + device + " is recorded by " + owner + ", but claimed by " +
                claim->second);
          } else {
            claims.erase(claim);
          }
        }
        return true;
      },
      [](const Error&) {});  // compare_attachments() has a line for it
  for (const auto& [device, owner] : claims) {
    add("device " + device + " is claimed by " + owner + ", which does not record it");
  }
}

void Checker::find_unknown_keys() {
  constexpr std::string_view kTables = "MADONPLFQBG";
  state_.scan("", "", [&](std::string_view key, std::string_view) {
    if (kTables.find(key[0]) == std::string_view::npos) {
      add("a key of no known table, " + std::to_string(key.size()) + " bytes long");
    }
    return true;
  });
}

}  // namespace

std::vector<std::string> check_invariants(const Txn& state) { return Checker(state).run(); }

}  // namespace railcni
