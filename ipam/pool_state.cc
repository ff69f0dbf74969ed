#include "ipam/pool_state.h"

#include "ipam/bitmap.h"
#include "railcni/error.h"
#include "src/store/schema.h"

namespace railcni {
namespace {

constexpr size_t kPackedSize = 4 + 16 + 4 * 8;

int levels_of(const IpPrefix& subnet) {
  return bitmap_levels(address_bits(subnet.family()) - subnet.length);
}

[[noreturn]] void damaged(const std::string& what) {
  throw Error(Code::kStoreDamaged, "the state is damaged: " + what);
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
  return bytes;
}

PoolCounters PoolCounters::unpack(std::string_view bytes) {
  if (bytes.size() != kPackedSize) damaged("a pool's counters have the wrong size");
  return {schema::number_at<uint32_t>(bytes, 0),  schema::number_at<U128>(bytes, 4),
          schema::number_at<uint64_t>(bytes, 20), schema::number_at<uint64_t>(bytes, 28),
          schema::number_at<uint64_t>(bytes, 36), schema::number_at<uint64_t>(bytes, 44)};
}

std::string AddressState::pack() const {
  std::string bytes;
  switch (kind) {
    case Kind::kLeased:
      bytes = schema::kLeased + owner;
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
  AddressState value;
  char type = bytes.empty() ? '\0' : bytes[0];
  if (type == schema::kLeased) {
    value.owner = bytes.substr(1);
  } else if (type == schema::kResting && bytes.size() == 9) {
    value.kind = Kind::kResting;
    value.seq = schema::number_at<uint64_t>(bytes, 1);
  } else if (type == schema::kQuarantined && bytes.size() == 9) {
    value.kind = Kind::kQuarantined;
    value.until = static_cast<int64_t>(schema::number_at<uint64_t>(bytes, 1));
  } else {
    damaged("a lease is of no known kind");
  }
  return value;
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

PoolView::PoolView(const Txn& state, const IpPrefix& subnet, const PoolCounters& counters)
    : state_(&state), subnet_(subnet), counters_(counters), levels_(levels_of(subnet)) {}

std::optional<PoolView> PoolView::find(const Txn& state, const std::string& name,
                                       const IpPrefix& subnet) {
  std::optional<std::string_view> packed = state.get(schema::pool_key(name, subnet));
  if (!packed) return std::nullopt;
  return PoolView(state, subnet, PoolCounters::unpack(*packed));
}

std::optional<AddressState> PoolView::address(const IpAddress& address) const {
  std::optional<std::string_view> packed =
      state_->get(schema::lease_key(counters_.id, address.value));
  if (!packed) return std::nullopt;
  return AddressState::unpack(*packed);
}

std::optional<U128> PoolView::next_unused(U128 from, U128 to) const {
  return bitmap_next_clear(*state_, counters_.id, levels_, from, to);
}

PoolEditor::PoolEditor(Txn& state, const std::string& name, const IpPrefix& subnet)
    : state_(state),
      key_(schema::pool_key(name, subnet)),
      subnet_(subnet),
      levels_(levels_of(subnet)) {
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
  std::optional<std::string_view> packed =
      state_.get(schema::lease_key(counters_.id, address.value));
  if (!packed) return false;
  AddressState old = AddressState::unpack(*packed);
  switch (old.kind) {
    case AddressState::Kind::kLeased:
      --counters_.leased;
      break;
    case AddressState::Kind::kResting:
      state_.erase(schema::rest_key(counters_.id, old.seq));
      --counters_.resting;
      break;
    case AddressState::Kind::kQuarantined:
      state_.erase(schema::quarantine_key(counters_.id, old.until, address.value));
      --counters_.quarantined;
      break;
  }
  return true;
}

void PoolEditor::put(const IpAddress& address, const AddressState& value, bool had_row) {
  state_.put(schema::lease_key(counters_.id, address.value), value.pack());
  if (!had_row) {
    bitmap_set(state_, counters_.id, levels_, address.value - subnet_.first().value);
  }
}

void PoolEditor::lease(const IpAddress& address, const std::string& owner) {
  bool had_row = remove(address);
  put(address, {AddressState::Kind::kLeased, owner, 0, 0}, had_row);
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
  put(address, {AddressState::Kind::kResting, "", seq, 0}, had_row);
  std::string bytes;
  schema::append(bytes, address.value);
  state_.put(schema::rest_key(counters_.id, seq), bytes);
  ++counters_.resting;
  if (counters_.resting > kMaxResting) {
    std::optional<U128> oldest;
    state_.scan(schema::pool_rows(schema::kRestQueue, counters_.id), "",
                [&oldest](std::string_view, std::string_view value) {
                  if (value.size() == schema::kAddressSize) {
                    oldest = schema::number_at<U128>(value, 0);
                  }
                  return false;
                });
    if (!oldest) damaged("a pool's resting queue is empty, its counter is not");
    forget({subnet_.family(), *oldest});
  }
  save();
}

void PoolEditor::quarantine(const IpAddress& address, int64_t until) {
  bool had_row = remove(address);
  put(address, {AddressState::Kind::kQuarantined, "", 0, until}, had_row);
  state_.put(schema::quarantine_key(counters_.id, until, address.value), "");
  ++counters_.quarantined;
  save();
}

void PoolEditor::forget(const IpAddress& address) {
  if (!remove(address)) return;
  state_.erase(schema::lease_key(counters_.id, address.value));
  bitmap_clear(state_, counters_.id, levels_, address.value - subnet_.first().value);
  save();
}

}  // namespace railcni
