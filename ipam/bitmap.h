// The set of addresses that are not free, as a tree of bitmap pages in the state file, one tree per
// family.
//
// Bit i of page p of level 0 is the address p * 4096 + i: set while the address has a row in the
// lease table. Bit i of page p of level n + 1 is set while page p * 4096 + i of level n is full.
// A page without a set bit is not stored, so the tree takes room for what is used, not for the size
// of the pools. A search climbs no higher than to the level where its first and its last address
// are on one page: level 0 for a /24 (in most places even a /20), one up for a /8, five for an IPv6
// /64; with at most two pages per level. A page fills only when all it covers is used, so the
// climbing of bitmap_set() ends by itself: the topmost page, whose addresses end before its bits
// do, is never full.
//
// All pools share it: an address is used or not, whatever pool gave it. A bitmap of its own per
// pool would have to be told of what every other pool over the same addresses does.
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

void bitmap_set(Txn& state, const IpAddress& address);
void bitmap_clear(Txn& state, const IpAddress& address);
// The first clear address from `from` to `limit`, both of one family.
std::optional<IpAddress> bitmap_next_clear(const Txn& state, const IpAddress& from,
                                           const IpAddress& limit);

}  // namespace railcni

#endif  // RAILCNI_IPAM_BITMAP_H_
