// Which addresses are free: those without a row in the lease table. To find one among millions, the
// blocks of 256 addresses that have none left are in a bitmap (ipam/bitmap.h).
//
// A search looks through the rows of the block where it begins, and only when that is used up asks
// the bitmap for the next one that is not. So it is as quick in a /8 or a /64 as in a /24. What
// is slow is to find that there is none where each block keeps an address that no pool gives
// (10.0.0.1-10.0.0.254, 10.0.1.1-10.0.1.254 and so on): no block is ever used up, and the rows of
// all are read. A pool remembers that it has none (PoolCounters::none_new).
//
// All pools share the table and the bitmap: an address is used or not, whatever pool gave it.
// A bitmap of its own per pool would have to be told of what every other pool over the same
// addresses does.
//
// Rejected: a bit for each address. Each new lease then copies one page of the B-tree more, and
// three of a million leases; of the blocks, one lease in 256 changes a bit.
#ifndef RAILCNI_IPAM_FREE_ADDRESSES_H_
#define RAILCNI_IPAM_FREE_ADDRESSES_H_

#include <optional>

#include "railcni/address.h"
#include "railcni/store.h"

namespace railcni {

constexpr int kBlockShift = 8;  // 256 addresses
// The number of an address' block, as the bitmap has it.
constexpr U128 block_of(const IpAddress& address) { return address.value >> kBlockShift; }

// To be called when the address has got a row in the lease table.
void note_row(Txn& state, const IpAddress& address);
// To be called when the address has lost its row.
void note_no_row(Txn& state, const IpAddress& address);

// The first address from `from` to `limit`, both of one family, that has no row. Throws
// Error{kStoreDamaged} when the bitmap does not agree with the lease table.
std::optional<IpAddress> next_free_address(const Txn& state, const IpAddress& from,
                                           const IpAddress& limit);

}  // namespace railcni

#endif  // RAILCNI_IPAM_FREE_ADDRESSES_H_
