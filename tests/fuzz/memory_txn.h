// A transaction on rows in memory, with the contract of the store's (railcni/store.h) and no more:
// a view that is used after a change is one that a sanitizer catches.
#ifndef RAILCNI_TESTS_FUZZ_MEMORY_TXN_H_
#define RAILCNI_TESTS_FUZZ_MEMORY_TXN_H_

#include <map>
#include <memory>
#include <string>

#include "railcni/store.h"
#include "tests/fuzz/fuzz.h"

namespace railcni::fuzz {

class MemoryTxn : public Txn {
 public:
  std::optional<std::string_view> get(std::string_view key) const override {
    check_key(key);
    const auto row = rows_.find(key);
    if (row == rows_.end()) return std::nullopt;
    return row->second.view();
  }
  void put(std::string_view key, std::string_view value) override {
    check_key(key);
    require(!scanning_, "no visitor writes");
    Value copy(value);
    rows_.insert_or_assign(std::string(key), std::move(copy));
    move_values();
  }
  bool erase(std::string_view key) override {
    check_key(key);
    require(!scanning_, "no visitor writes");
    const bool found = rows_.erase(std::string(key)) > 0;
    move_values();
    return found;
  }
  void scan(std::string_view prefix, std::string_view from,
            const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    struct Scanning {
      bool& flag;
      bool before;
      ~Scanning() { flag = before; }
    } const guard{scanning_, scanning_};
    scanning_ = true;
    for (auto row = rows_.lower_bound(std::max(prefix, from)); row != rows_.end(); ++row) {
      if (!std::string_view(row->first).starts_with(prefix)) return;
      if (!visit(row->first, row->second.view())) return;
    }
  }

 private:
  // On the heap even when it is short.
  class Value {
   public:
    explicit Value(std::string_view bytes) : size_(bytes.size()), bytes_(new char[bytes.size()]) {
      bytes.copy(bytes_.get(), size_);
    }
    std::string_view view() const { return {bytes_.get(), size_}; }

   private:
    size_t size_;
    std::unique_ptr<char[]> bytes_;
  };

  static void check_key(std::string_view key) {
    require(!key.empty() && key.size() <= 511, "a key has 1 to 511 bytes", key);
  }
  void move_values() {
    for (auto& [key, value] : rows_) value = Value(value.view());
  }

  std::map<std::string, Value, std::less<>> rows_;
  mutable bool scanning_ = false;
};

}  // namespace railcni::fuzz

#endif  // RAILCNI_TESTS_FUZZ_MEMORY_TXN_H_
