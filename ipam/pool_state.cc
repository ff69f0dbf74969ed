#include "ipam/pool_state.h"

#include <algorithm>
#include <utility>

#include "ipam/free_addresses.h"
#include "railcni/error.h"
#include "src/store/schema.h"

namespace railcni {
namespace {

constexpr size_t kPackedSize = 4 + 16 + 5 * 8;

[[noreturn]] void damaged(const std::string& what) {
  throw Error(Code::kStoreDamaged, "the state is damaged: " + what);
}

uint64_t forgotten_count(const Txn& state) {
  std::optional<std::string_view> count = state.get(schema::table(schema::kForgotten));
  if (count && count->size() != sizeof(uint64_t)) damaged("a counter has the wrong size");
  return count ? schema::number_at<uint64_t>(*count, 0) : 0;
}

// Takes an address that `counters`' pool gave out of the queue and the counter of its state.
void take_out(Txn& state, const IpAddress& address, const AddressState& old,
              PoolCounters& counters) {
  switch (old.kind) {
    case AddressState::Kind::kLeased:
      --counters.leased;
      break;
    case AddressState::Kind::kResting:
      state.erase(schema::rest_key(counters.id, old.seq));
      --counters.resting;
      break;
    case AddressState::Kind::kQuarantined:
      state.erase(schema::quarantine_key(counters.id, old.until, address));
      --counters.quarantined;
      break;
  }
}

}  // namespace

std::string PoolCounters::pack() const {
  std::string bytes;
  bytes.reserve(kPackedSize);
  schema::append(bytes, id);
  schema::append(bytes, cursor);
  schema::append(bytes, leased);
  schema::append(bytes, resting);
  schema::append(bytes, quarantined);
  schema::append(bytes, next_seq);
  schema::append(bytes, none_new);
  return bytes;
}

PoolCounters PoolCounters::unpack(std::string_view bytes) {
  if (bytes.size() != kPackedSize) damaged("a pool's counters have the wrong size");
  return {schema::number_at<uint32_t>(bytes, 0),  schema::number_at<U128>(bytes, 4),
          schema::number_at<uint64_t>(bytes, 20), schema::number_at<uint64_t>(bytes, 28),
          schema::number_at<uint64_t>(bytes, 36), schema::number_at<uint64_t>(bytes, 44),
          schema::number_at<uint64_t>(bytes, 52)};
}

std::string AddressState::pack() const {
  std::string bytes;
  schema::append(bytes, pool_id);
  switch (kind) {
    case Kind::kLeased:
      bytes += schema::kLeased;
      bytes += owner;
      break;
    case Kind::kResting:
      bytes += schema::kResting;
      schema::append(bytes, seq);
      break;
    case Kind::kQuarantined:
      bytes += schema::kQuarantined;
      schema::append(bytes, static_cast<uint64_t>(until));
      break;
  }
  return bytes;
}

AddressState AddressState::unpack(std::string_view bytes) {
  constexpr size_t kKind = sizeof(uint32_t);
  constexpr size_t kData = kKind + 1;
  if (bytes.size() < kData) damaged("a lease is too short");
  AddressState value;
  value.pool_id = schema::number_at<uint32_t>(bytes, 0);
  const char type = bytes[kKind];
  if (type == schema::kLeased) {
    value.owner = bytes.substr(kData);
  } else if (type == schema::kResting && bytes.size() == kData + sizeof value.seq) {
    value.kind = Kind::kResting;
    value.seq = schema::number_at<uint64_t>(bytes, kData);
  } else if (type == schema::kQuarantined && bytes.size() == kData + sizeof value.until) {
    value.kind = Kind::kQuarantined;
    value.until = static_cast<int64_t>(schema::number_at<uint64_t>(bytes, kData));
  } else {
    damaged("a lease is of no known kind");
  }
  return value;
}

std::optional<AddressState> address_state(const Txn& state, const IpAddress& address) {
  std::optional<std::string_view> packed = state.get(schema::lease_key(address));
  if (!packed) return std::nullopt;
  return AddressState::unpack(*packed);
}

std::optional<PoolCounters> pool_counters(const Txn& state, const std::string& name,
                                          const IpPrefix& subnet) {
  std::optional<std::string_view> packed = state.get(schema::pool_key(name, subnet));
  if (!packed) return std::nullopt;
  return PoolCounters::unpack(*packed);
}

uint64_t new_mark(const Txn& state, const std::vector<AddressRange>& ranges) {
  // FNV-1a over words, whose upper halves are mixed back into the lower ones.
  uint64_t mark = 0xcbf29ce484222325;
  auto mix = [&mark](uint64_t word) {
    mark = (mark ^ word) * 0x100000001b3;
    mark ^= mark >> 29;
  };
  mix(forgotten_count(state));
  for (const AddressRange& range : ranges) {
    for (U128 value : {range.first.value, range.last.value}) {
      mix(static_cast<uint64_t>(value >> 64));
      mix(static_cast<uint64_t>(value));
    }
  }
  return std::max<uint64_t>(mark, 1);
}

void scan_pool_states(const Txn& state, const std::string& name,
                      const std::function<bool(const std::string& name, const IpPrefix& subnet,
                                               const PoolCounters& counters)>& visit) {
  std::string prefix = schema::table(schema::kPool);
  if (!name.empty()) prefix.append(name).push_back('\0');
  state.scan(prefix, "", [&visit](std::string_view key, std::string_view value) {
    size_t end = key.find('\0');
    std::optional<IpPrefix> subnet;
    if (end != std::string_view::npos) subnet = IpPrefix::parse(key.substr(end + 1));
    if (!subnet) damaged("a pool's key has no subnet");
    return visit(std::string(key.substr(1, end - 1)), *subnet, PoolCounters::unpack(value));
  });
}

PoolEditor::PoolEditor(Txn& state, const std::string& name, const IpPrefix& subnet)
    : state_(state), key_(schema::pool_key(name, subnet)), subnet_(subnet) {
  if (std::optional<std::string_view> packed = state_.get(key_)) {
    counters_ = PoolCounters::unpack(*packed);
    return;
  }
  std::optional<std::string_view> next = state_.get(schema::table(schema::kNextPoolId));
  if (next && next->size() != sizeof(uint32_t)) damaged("the next pool id has the wrong size");
  counters_.id = next ? schema::number_at<uint32_t>(*next, 0) : 1;
  std::string following;
  schema::append(following, counters_.id + 1);
  state_.put(schema::table(schema::kNextPoolId), following);
  save();
}

void PoolEditor::save() { state_.put(key_, counters_.pack()); }

bool PoolEditor::remove(const IpAddress& address) {
  const std::optional<AddressState> old = address_state(state_, address);
  if (!old) return false;
  if (old->pool_id == counters_.id) {
    take_out(state_, address, *old, counters_);
    return true;
  }
  // Rare, so that rows by name, found by a walk over the few pools, will do.
  std::optional<std::pair<std::string, PoolCounters>> giver;
  scan_pool_states(state_, "",
                   [&](const std::string& name, const IpPrefix& subnet, const PoolCounters& row) {
                     if (row.id == old->pool_id) giver.emplace(schema::pool_key(name, subnet), row);
                     return !giver;
                   });
  if (!giver) damaged("a lease is of a pool that is not there");
  take_out(state_, address, *old, giver->second);
  state_.put(giver->first, giver->second.pack());
  return true;
}

void PoolEditor::put(const IpAddress& address, AddressState value, bool had_row) {
  value.pool_id = counters_.id;
  state_.put(schema::lease_key(address), value.pack());
  if (!had_row) note_row(state_, address);
}

void PoolEditor::lease(const IpAddress& address, const std::string& owner) {
  bool had_row = remove(address);
  put(address, {0, AddressState::Kind::kLeased, owner, 0, 0}, had_row);
  ++counters_.leased;
  save();
}

void PoolEditor::lease_new(const IpAddress& address, const std::string& owner) {
  // Behind the last address of the IPv6 space this is 0: the search begins anew, as it should.
  counters_.cursor = address.value - subnet_.first().value + 1;
  lease(address, owner);
}

void PoolEditor::rest(const IpAddress& address) {
  bool had_row = remove(address);
  uint64_t seq = counters_.next_seq++;
  put(address, {0, AddressState::Kind::kResting, "", seq, 0}, had_row);
  std::string bytes;
  schema::append(bytes, address);
  state_.put(schema::rest_key(counters_.id, seq), bytes);
  ++counters_.resting;
  if (counters_.resting > kMaxResting) {
    std::optional<IpAddress> oldest;
    state_.scan(schema::pool_rows(schema::kRestQueue, counters_.id), "",
                [&oldest](std::string_view, std::string_view value) {
                  oldest = schema::address_at(value, 0);
                  return false;
                });
    if (!oldest) damaged("a pool's resting queue is empty, its counter is not");
    forget(*oldest);
  }
  save();
}

void PoolEditor::quarantine(const IpAddress& address, int64_t until) {
  bool had_row = remove(address);
  put(address, {0, AddressState::Kind::kQuarantined, "", 0, until}, had_row);
  state_.put(schema::quarantine_key(counters_.id, until, address), "");
  ++counters_.quarantined;
  save();
}

void PoolEditor::forget(const IpAddress& address) {
  if (!remove(address)) return;
  state_.erase(schema::lease_key(address));
  note_no_row(state_, address);
  std::string count;
  schema::append(count, forgotten_count(state_) + 1);
  state_.put(schema::table(schema::kForgotten), count);
  save();
}

void PoolEditor::remember_none_new(const std::vector<AddressRange>& ranges) {
  const uint64_t mark = new_mark(state_, ranges);
  if (counters_.none_new == mark) return;
  counters_.none_new = mark;
  save();
}

}  // namespace railcni
