#include "ipam/bitmap.h"

#include <algorithm>
#include <bit>

#include "railcni/error.h"
#include "src/store/schema.h"

namespace railcni {
namespace {

std::optional<BitmapPage> load(const Txn& state, Family family, int level, U128 page) {
  std::optional<std::string_view> bytes =
      state.get(schema::bitmap_key(family, static_cast<uint8_t>(level), page));
  if (!bytes) return std::nullopt;
  return BitmapPage(*bytes);
}

void store(Txn& state, Family family, int level, U128 page, const BitmapPage& bits) {
  std::string key = schema::bitmap_key(family, static_cast<uint8_t>(level), page);
  if (bits.empty()) {
    state.erase(key);
  } else {
    state.put(key, bits.to_bytes());
  }
}

U128 page_of(U128 index) { return index >> BitmapPage::kBitsShift; }
uint32_t bit_of(U128 index) { return static_cast<uint32_t>(index & (BitmapPage::kBits - 1)); }

// The first clear bit of `level` from `from` to `limit`.
std::optional<U128> next_clear(const Txn& state, Family family, int level, U128 from, U128 limit) {
  if (from > limit) return std::nullopt;
  U128 page = page_of(from);
  std::optional<BitmapPage> bits = load(state, family, level, page);
  uint32_t bit = bits ? bits->next_clear(bit_of(from)) : bit_of(from);
  if (bit == BitmapPage::kBits) {
    // The rest of this page is set: the level above knows the next page that is not full.
    if (page == page_of(limit)) return std::nullopt;
    std::optional<U128> next = next_clear(state, family, level + 1, page + 1, page_of(limit));
    if (!next) return std::nullopt;
    page = *next;
    bits = load(state, family, level, page);
    bit = bits ? bits->next_clear(0) : 0;
    if (bit == BitmapPage::kBits) {
      throw Error(Code::kStoreDamaged,
                  "a bitmap page of the state is full, which its index denies");
    }
  }
  U128 found = page << BitmapPage::kBitsShift | bit;
  if (found > limit) return std::nullopt;
  return found;
}

}  // namespace

BitmapPage::BitmapPage(std::string_view bytes) {
  if (bytes.size() != kBytes) {
    throw Error(Code::kStoreDamaged, "a bitmap page of the state has " +
                                         std::to_string(bytes.size()) + " bytes, not " +
                                         std::to_string(kBytes));
  }
  for (size_t i = 0; i < words_.size(); ++i) {
    words_[i] = schema::number_at<uint64_t>(bytes, i * sizeof(uint64_t));
  }
}

std::string BitmapPage::to_bytes() const {
  std::string bytes;
  bytes.reserve(kBytes);
  for (uint64_t word : words_) schema::append(bytes, word);
  return bytes;
}

bool BitmapPage::full() const {
  return std::all_of(words_.begin(), words_.end(), [](uint64_t word) { return ~word == 0; });
}

bool BitmapPage::empty() const {
  return std::all_of(words_.begin(), words_.end(), [](uint64_t word) { return word == 0; });
}

uint32_t BitmapPage::next_clear(uint32_t from) const {
  for (uint32_t word = from / 64; word < words_.size(); ++word) {
    uint64_t clear = ~words_[word];
    if (word == from / 64) clear &= ~uint64_t{0} << (from % 64);
    if (clear != 0) return word * 64 + static_cast<uint32_t>(std::countr_zero(clear));
  }
  return kBits;
}

void bitmap_set(Txn& state, Family family, U128 number) {
  U128 index = number;
  for (int level = 0;; ++level) {
    const U128 page = page_of(index);
    BitmapPage bits = load(state, family, level, page).value_or(BitmapPage());
    bits.set(bit_of(index));
    store(state, family, level, page, bits);
    if (!bits.full()) return;
    index = page;
  }
}

void bitmap_clear(Txn& state, Family family, U128 number) {
  U128 index = number;
  for (int level = 0;; ++level) {
    const U128 page = page_of(index);
    std::optional<BitmapPage> bits = load(state, family, level, page);
    if (!bits || !bits->test(bit_of(index))) return;
    const bool was_full = bits->full();
    bits->clear(bit_of(index));
    store(state, family, level, page, *bits);
    if (!was_full) return;
    index = page;
  }
}

std::optional<U128> bitmap_next_clear(const Txn& state, Family family, U128 from, U128 limit) {
  return next_clear(state, family, 0, from, limit);
}

}  // namespace railcni
