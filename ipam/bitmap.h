// The set of a pool's addresses that are not free, as a tree of bitmap pages in the state file.
//
// An address is its offset from the subnet's first one. Bit i of page p of level 0 is the offset
// p * 4096 + i: set while the address has a row in the lease table. Bit i of page p of level n + 1
// is set while page p * 4096 + i of level n is full. The top level is the one whose single page
// covers the subnet: one level up to a /20, two for a /8, six for an IPv6 /64. A page without a
// set bit is not stored, so a pool takes room for what is used of it, not for its size; and the
// next free address behind any other is found with at most two pages per level.
//
// Rejected: a list of free ranges (an almost full /8 with every second address released has eight
// million of them, and each release is a search and a merge), a counter per page (finding a page
// with room is a walk), and one bitmap value per pool (2 MiB for a /8, copied at each write).
#ifndef RAILCNI_IPAM_BITMAP_H_
#define RAILCNI_IPAM_BITMAP_H_

#include <array>
#include <cstdint>
#include <optional>

#include "railcni/address.h"
#include "railcni/store.h"

namespace railcni {

class BitmapPage {
 public:
  static constexpr int kBitsShift = 12;
  static constexpr uint32_t kBits = 1u << kBitsShift;
  static constexpr size_t kBytes = kBits / 8;

  BitmapPage() = default;
  // From stored bytes; throws Error{kStoreDamaged} unless there are kBytes of them.
  explicit BitmapPage(std::string_view bytes);
  std::string to_bytes() const;

  bool test(uint32_t bit) const { return (words_[bit / 64] >> (bit % 64) & 1) != 0; }
  void set(uint32_t bit) { words_[bit / 64] |= uint64_t{1} << (bit % 64); }
  void clear(uint32_t bit) { words_[bit / 64] &= ~(uint64_t{1} << (bit % 64)); }
  bool full() const;
  bool empty() const;
  // The first clear bit that is not below `from`; kBits when there is none.
  uint32_t next_clear(uint32_t from) const;

  bool operator==(const BitmapPage&) const = default;

 private:
  std::array<uint64_t, kBits / 64> words_{};
};

// How many levels a subnet with that many host bits has.
int bitmap_levels(int host_bits);

void bitmap_set(Txn& state, uint32_t pool_id, int levels, U128 offset);
void bitmap_clear(Txn& state, uint32_t pool_id, int levels, U128 offset);
// The first clear offset from `from` to `limit`.
std::optional<U128> bitmap_next_clear(const Txn& state, uint32_t pool_id, int levels, U128 from,
                                      U128 limit);

}  // namespace railcni

#endif  // RAILCNI_IPAM_BITMAP_H_
