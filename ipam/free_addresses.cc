#include "ipam/free_addresses.h"

#include <algorithm>

#include "ipam/bitmap.h"
#include "railcni/error.h"
#include "src/store/schema.h"

namespace railcni {
namespace {

U128 first_of(U128 block) { return block << kBlockShift; }
U128 last_of(U128 block) { return first_of(block) | ((U128{1} << kBlockShift) - 1); }

// The first address from `from` to `limit` that has no row. It looks at each row between them, so
// they should be of one block.
std::optional<IpAddress> first_without_row(const Txn& state, Family family, U128 from, U128 limit) {
  IpAddress next{family, from};
  bool is_free = true;
  state.scan(schema::table(schema::kLease), schema::lease_key(next),
             [&](std::string_view key, std::string_view) {
               if (schema::address_at(key, 1) != next) return false;
               is_free = next.value < limit;
               if (is_free) next.value += 1;
               return is_free;
             });
  return is_free ? std::optional(next) : std::nullopt;
}

// Whether every address of the block has a row; `address` has one. The rows behind it come first:
// mostly the next one tells.
bool is_block_full(const Txn& state, const IpAddress& address) {
  const U128 first = first_of(block_of(address));
  const U128 last = last_of(block_of(address));
  const auto has_free = [&](U128 from, U128 to) {
    return first_without_row(state, address.family, from, to).has_value();
  };
  if (address.value < last && has_free(address.value + 1, last)) return false;
  return address.value == first || !has_free(first, address.value - 1);
}

}  // namespace

void note_row(Txn& state, const IpAddress& address) {
  if (is_block_full(state, address)) bitmap_set(state, address.family, block_of(address));
}

void note_no_row(Txn& state, const IpAddress& address) {
  bitmap_clear(state, address.family, block_of(address));
}

std::optional<IpAddress> next_free_address(const Txn& state, const IpAddress& from,
                                           const IpAddress& limit) {
  if (from > limit) return std::nullopt;
  const auto search = [&](U128 first, U128 block) {
    return first_without_row(state, from.family, first, std::min(last_of(block), limit.value));
  };
  const std::optional<IpAddress> found = search(from.value, block_of(from));
  if (found || block_of(from) == block_of(limit)) return found;
  const std::optional<U128> block =
      bitmap_next_clear(state, from.family, block_of(from) + 1, block_of(limit));
  if (!block) return std::nullopt;
  const std::optional<IpAddress> next = search(first_of(*block), *block);
  if (!next && last_of(*block) <= limit.value) {
    throw Error(Code::kStoreDamaged, "a block of addresses is used up, which its bitmap denies");
  }
  return next;
}

}  // namespace railcni
