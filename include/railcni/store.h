// The store: two LMDB files, seen from outside as ordered maps of bytes with transactions.
#ifndef RAILCNI_STORE_H_
#define RAILCNI_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace railcni {

// Where the two files are. Default: /run/railcni and /var/lib/railcni; `dataDir` of a configuration
// moves both into that folder.
struct StorePaths {
  std::string state_dir;  // attachments, leases, device claims: one boot long
  std::string pools_dir;  // pools that were applied: durable

  // `data_dir` empty: the defaults. It must be an absolute path otherwise (Error{kInvalidConfig}).
  static StorePaths from_data_dir(const std::string& data_dir);
  // The store of one network of the name host-local: in `folder`, which is its dataDir, or in
  // networks/ of the state folder when that is empty.
  StorePaths of_network(const std::string& folder, const std::string& network) const;
  // These, and those of the networks in networks/.
  std::vector<StorePaths> with_networks() const;
};

// A transaction. Keys have 1 to 511 bytes (LMDB's compiled-in limit) and are ordered bytewise.
// Views point into the map and stay valid until the next put() or erase() of the same transaction
// or its end.
class Txn {
 public:
  virtual ~Txn() = default;
  virtual std::optional<std::string_view> get(std::string_view key) const = 0;
  virtual void put(std::string_view key, std::string_view value) = 0;
  // Returns whether the key was there.
  virtual bool erase(std::string_view key) = 0;
  // Calls `visit` for each key that starts with `prefix`, in order, from the first that is not
  // below `from` (when `from` is not empty), until it returns false. `visit` must not write.
  virtual void scan(
      std::string_view prefix, std::string_view from,
      const std::function<bool(std::string_view key, std::string_view value)>& visit) const = 0;
};

class Store {
 public:
  enum class File { kState, kPools };
  enum class Mode {
    kCreate,    // make folder and file when missing
    kExisting,  // give nullptr when there is no file
    kRead,      // likewise, and no write() is to come: cheaper to open
  };

  // Opens one of the two files. Throws Error{kIoFailure} when folder or file cannot be made or
  // read, Error{kStoreDamaged} when the file is not LMDB's, truncated or damaged. That it is
  // somebody else's, or of another schema, is found by the first transaction, which throws
  // Error{kStoreDamaged} then. Each file may be opened once per process, and never be carried
  // across a fork.
  static std::unique_ptr<Store> open(File file, const StorePaths& paths, Mode mode);

  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  // Runs `work` in a write transaction and commits; when `work` throws, nothing of it is kept.
  // There is one writer at a time on the machine; the others wait. When the map is full it grows
  // and `work` runs again from the start, so `work` must not change what it cannot change twice.
  // Throws Error{kIoFailure} when the disk is full.
  virtual void write(const std::function<void(Txn&)>& work) = 0;
  // Runs `work` on a snapshot; writing to it throws.
  virtual void read(const std::function<void(const Txn&)>& work) = 0;

  // The file's path, for messages.
  virtual const std::string& path() const = 0;
};

// In seconds: a state in which nothing is leased and nobody has written for so long is of no use.
// Released addresses have rested by then.
constexpr int64_t kUnusedAfter = 600;
// Removes the state of a network of the name host-local, and its folder, when it is of no use any
// more; returns whether it was. Throws what Store::open() and Store::write() throw.
bool remove_unused_state(const StorePaths& paths);
// The same for all states of networks beside this one; what fails is logged.
void remove_unused_siblings(const StorePaths& paths);

// Runs `work`, which reads what the store at `path` holds: an Error{kStoreDamaged} that it throws
// names the file as well.
void name_store_in_errors(const std::string& path, const std::function<void()>& work);

// A damaged page can make LMDB fail an assertion or touch memory that is not there. The store then
// writes one error and ends the process with status 1: as a CNI error document on stdout, or as a
// line of text on stderr (for the command line).
enum class StoreFaultStyle { kCniDocument, kPlainText };
// What it is until this is called: kCniDocument.
void set_store_fault_style(StoreFaultStyle style);

}  // namespace railcni

#endif  // RAILCNI_STORE_H_
