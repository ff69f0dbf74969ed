// The layout of the two files' keys and values. No LMDB in here: ipam/ reads and writes its own
// tables with these helpers.
//
// FORMAT, version 2 of the pools file and 3 of the state file. Each file is one LMDB environment
// (MDB_NOSUBDIR) with everything in its unnamed database. The first byte of a key says which table
// it belongs to; numbers in keys and packed values are big-endian, so that bytewise order is
// numeric order. An address in a key is its family (4 or 6) and 16 bytes (IPv4 in the last four).
//
// Both files:
//   M                                    "railcni <state|pools> <schema version>"
// The pools file:
//   P name                               the pool's spec, JSON
// The state file:
//   A network \0 ID, u64 hash            the attachment, JSON: ID is the first 16 bytes of the
//                                        containerID, hash that of all of it and the interface
//   D device                             owner ("network/containerID/ifname")
//   E device                             state folder \0 owner: of an attachment that is recorded
//                                        there (in /run/railcni only)
//   O 'i' or 'r', device                 the name that is owed to the interface ('i') or the RDMA
//                                        device ('r') on it, and the function's identity, JSON
//                                        (railcni/owed_names.h)
//   N                                    u32, the next pool id
//   P pool \0 subnet                     PoolState, packed (ipam/pool_state.h)
//   L address                            u32 pool id, and one of
//                                        'L' owner      leased
//                                        'R' u64 seq    released, resting
//                                        'Q' i64 until  quarantined
//   F u32 pool id, u64 seq               address: the resting ones in the order of their release
//   Q u32 pool id, i64 until, address    (empty): the quarantined ones in the order of expiry
//   B family, u8 level, page number      512 bytes of bitmap: blocks that are used
//                                        up (ipam/free_addresses.h)
//   G                                    u64, how many addresses were forgotten so far
//
// Lease table and bitmap know addresses, not pools: an address is leased at most once in a file,
// whatever pools name it, because it has one row. What is a pool's own is its cursor, its queues
// and its counters, which are keyed by its name and its subnet: two networks that bring the same
// inline pool share them, and a pool whose subnet changes starts afresh, around the leases that
// last. A resting or expired address belongs to the pool that gave it last, and another pool that
// has it in its ranges may take it from there. Tenants that use the same addresses twice need a
// dataDir each.
//
// G counts the changes after which an address may be found as new again. A pool remembers the
// count at which its ranges had no new address left, and does not search them before it changes.
//
// An attachment's key is short for the branches of the tree: with the 64 digits of a runtime's IDs
// it holds a third as many in a page, and a million attachments are a level higher, which is two
// pages more for each ADD to copy. The record has the whole key, which is compared when it is read.
//
// Rejected: a lease table and a bitmap per pool (two pools over one subnet, or one pool before and
// after its subnet grew, give the same address).
//
// Rejected: one named database per table. Each would be a B-tree of its own, so a transaction that
// touches six tables copies and writes six leaf pages, six roots' records and the main database's
// leaf. With prefixes all that a node of some ten Pods has beside the attachments' records is on
// one or two leaf pages. Also rejected: JSON for the lease tables (four times the size, and a parse
// for each look-up), and a lease table keyed by text (10.0.0.10 sorts before 10.0.0.9).
//
// Sizes on disk, measured: a new file uses 12 KiB, 10 attachments with
// records of 1.4 KiB and a lease each 72 KiB, 1000 of them 2.4 MiB. A million leases of one pool
// with owners of 74 bytes, without attachments, take 198 MiB: pages that fill in order are split
// in halves. A resting address takes some 100 bytes, and at most
// 65536 of one pool rest. Behind what it uses the state file keeps a reserve of 256 to 320 KiB
// (LmdbStore::top_up_reserve()), so that a DEL has room on a full disk.
#ifndef RAILCNI_SRC_STORE_SCHEMA_H_
#define RAILCNI_SRC_STORE_SCHEMA_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "railcni/address.h"

namespace railcni::schema {

// The version before differs in the locks that guard the file (lmdb_store.h), and is taken over.
constexpr int kPoolsVersion = 2;
constexpr int kStateVersion = 3;

// The meta of a state that was removed: who opened it before that must not use it.
constexpr const char* kRemoved = "railcni removed";

constexpr char kMeta = 'M';
constexpr char kAttachment = 'A';
constexpr char kDevice = 'D';
constexpr char kDistantDevice = 'E';
constexpr char kOwedName = 'O';
constexpr char kNextPoolId = 'N';
constexpr char kPool = 'P';
constexpr char kLease = 'L';
constexpr char kRestQueue = 'F';
constexpr char kQuarantineQueue = 'Q';
constexpr char kBitmap = 'B';
constexpr char kForgotten = 'G';

// First byte of a lease row's value.
constexpr char kLeased = 'L';
constexpr char kResting = 'R';
constexpr char kQuarantined = 'Q';

// ---- big-endian numbers ----

template <typename T>
void append(std::string& out, T number) {
  char bytes[sizeof(T)];
  for (size_t i = sizeof(T); i-- > 0;) {
    bytes[i] = static_cast<char>(number & 0xff);
    if constexpr (sizeof(T) > 1) number = static_cast<T>(number >> 8);
  }
  out.append(bytes, sizeof bytes);
}

// Reads a T at `offset`; the caller has checked the size.
template <typename T>
T number_at(std::string_view bytes, size_t offset) {
  T number = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    number = static_cast<T>(number << 8 | static_cast<uint8_t>(bytes[offset + i]));
  }
  return number;
}

// ---- keys ----

inline std::string table(char prefix) { return std::string(1, prefix); }

// The common start of one pool's rows in the table `prefix`.
inline std::string pool_rows(char prefix, uint32_t pool_id) {
  std::string key(1, prefix);
  append(key, pool_id);
  return key;
}

inline std::string pool_key(std::string_view name, const IpPrefix& subnet) {
  std::string key(1, kPool);
  key.append(name).push_back('\0');
  return key += subnet.to_string();
}

// FNV-1a: the same in every build of railcni, as two builds may run side by side on a node.
inline uint64_t hash_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

inline std::string attachment_key(const std::string& network, const std::string& container_id,
                                  const std::string& interface) {
  constexpr size_t kStart = 16;
  std::string key(1, kAttachment);
  key.append(network).push_back('\0');
  key.append(container_id, 0, kStart);
  append(key, hash_of(container_id + '\0' + interface));
  return key;
}

constexpr size_t kPoolRowsSize = 1 + 4;
constexpr size_t kAddressSize = 1 + 16;
constexpr size_t kLeaseKeySize = 1 + kAddressSize;
constexpr size_t kRestKeySize = kPoolRowsSize + 8;
constexpr size_t kQuarantineKeySize = kPoolRowsSize + 8 + kAddressSize;
constexpr size_t kBitmapKeySize = 1 + 1 + 1 + 16;

inline void append(std::string& out, const IpAddress& address) {
  out += static_cast<char>(address.family);
  append(out, address.value);
}

// Nothing when there is no address at `offset`, up to the end.
inline std::optional<IpAddress> address_at(std::string_view bytes, size_t offset) {
  if (bytes.size() != offset + kAddressSize) return std::nullopt;
  const auto family = static_cast<Family>(bytes[offset]);
  if (family != Family::kV4 && family != Family::kV6) return std::nullopt;
  const IpAddress address{family, number_at<U128>(bytes, offset + 1)};
  if (family == Family::kV4 && address.value >> 32 != 0) return std::nullopt;
  return address;
}

inline std::string lease_key(const IpAddress& address) {
  std::string key = table(kLease);
  append(key, address);
  return key;
}

inline std::string rest_key(uint32_t pool_id, uint64_t seq) {
  std::string key = pool_rows(kRestQueue, pool_id);
  append(key, seq);
  return key;
}

// Times before the epoch do not occur; as an unsigned number they would sort last.
inline std::string quarantine_key(uint32_t pool_id, int64_t until, const IpAddress& address) {
  std::string key = pool_rows(kQuarantineQueue, pool_id);
  append(key, static_cast<uint64_t>(until));
  append(key, address);
  return key;
}

inline std::string bitmap_key(Family family, uint8_t level, U128 page) {
  std::string key = table(kBitmap);
  key += static_cast<char>(family);
  append(key, level);
  append(key, page);
  return key;
}

}  // namespace railcni::schema

#endif  // RAILCNI_SRC_STORE_SCHEMA_H_
