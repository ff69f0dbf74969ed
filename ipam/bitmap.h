// A set of numbers, one per family, as a tree of bitmap pages in the state file: the blocks of
// addresses that are used up (ipam/free_addresses.h).
//
// Bit i of page p of level 0 is the number p * 4096 + i. Bit i of page p of level n + 1 is set
// while page p * 4096 + i of level n is full. A page without a set bit is not stored, so the tree
// takes room for what is used, not for the size of the pools. A search climbs no higher than to the
// level where its first and its last number are on one page; with at most two pages per level. A
// page fills only when all it covers is used, so the climbing of bitmap_set() ends by itself: the
// topmost page, whose numbers end before its bits do, is never full.
//
// Rejected: a list of free ranges (an almost full /8 with every second address released has eight
// million of them, and each release is a search and a merge), a counter per page (finding a page
// with room is a walk), and one bitmap value per pool (copied at each write).
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

void bitmap_set(Txn& state, Family family, U128 number);
void bitmap_clear(Txn& state, Family family, U128 number);
// The first number from `from` to `limit` that is not in the set.
std::optional<U128> bitmap_next_clear(const Txn& state, Family family, U128 from, U128 limit);

}  // namespace railcni

#endif  // RAILCNI_IPAM_BITMAP_H_
