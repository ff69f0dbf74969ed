// The record of an attachment: what an ADD planned and did, and all that its undo needs.
#ifndef RAILCNI_ATTACHMENT_H_
#define RAILCNI_ATTACHMENT_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "railcni/address.h"
#include "railcni/error.h"
#include "railcni/json.h"
#include "railcni/store.h"

namespace railcni {

// Identity of a network namespace. It outlives the path, which another namespace may take over. So
// may the inode of its nsfs file, which the kernel gives to the next namespace at once; the cookie
// (SO_NETNS_COOKIE of <asm-generic/socket.h>) is a number that no other one of this boot has.
struct NetnsId {
  uint64_t dev = 0;
  uint64_t ino = 0;
  uint64_t cookie = 0;  // 0: a kernel before 5.14 does not tell it

  auto operator<=>(const NetnsId&) const = default;
};

// The number (nsid) of a network namespace in another one, which is told by its cookie (or, before
// Linux 5.14, its inode): see mark_netns() in railcni/netns.h.
struct NetnsMark {
  uint64_t host = 0;
  int32_t number = -1;  // -1: it has none

  bool operator==(const NetnsMark&) const = default;
};

// One interface of one container on one network. The parts have limits (check_attachment_key),
// and so have the keys and the texts that they make.
struct AttachmentKey {
  std::string network;
  std::string container_id;
  std::string ifname;
  // What railcni is to this interface: "" where it makes it, "chained" where it follows another
  // plugin. A list may name railcni in several roles.
  std::string role = {};

  // The interface with its role: "net1", "net1:chained". An interface's name has no ':'.
  std::string interface() const;
  // "network/containerID/" and interface(), for messages and as a device claim's or lease's owner.
  // None of the parts can hold a '/'.
  std::string to_string() const;
  // The reverse of to_string(). Throws Error{kStoreDamaged} when the text has not three parts.
  static AttachmentKey parse(std::string_view text);

  auto operator<=>(const AttachmentKey&) const = default;
};

// Throws Error{kInvalidConfig} when the network's name, Error{kInvalidEnvironment} when another
// part is empty, has a '/' or a control character, or is too long: network 200 bytes, container ID
// 255, ifname 15 (the kernel's limit) and without a ':'.
void check_attachment_key(const AttachmentKey& key);

// An address that the IPAM gave to an attachment.
struct Lease {
  std::string pool;
  IpPrefix address;  // with the prefix length of the pool's subnet

  bool operator==(const Lease&) const = default;
};

struct Attachment {
  AttachmentKey key;
  // False from the record to the settle transaction: an ADD is under way, or died there.
  bool settled = false;
  std::string netns_path;
  NetnsId netns;
  NetnsMark mark;  // of `netns` in the host's
  std::string cni_type;
  std::string pod_namespace;  // from CNI_ARGS; empty when the runtime sent none
  std::string pod_name;
  int64_t created = 0;               // seconds since the epoch
  std::vector<std::string> devices;  // claimed devices (PCI addresses), one owner each
  std::vector<Lease> leases;
  // Of another plugin that gives the addresses: its name and what its DEL needs; null: none.
  Json ipam;
  Json link;     // the backend's own: what its undo and check need
  Json routing;  // a RoutingPlan
  Json result;   // the result of the ADD at CNI 1.1.0, once settled

  Json to_json() const;
  // Throws Error{kStoreDamaged} when `json` is not what to_json() made.
  static Attachment from_json(const Json& json);
};

// The table of attachments, inside a transaction on the state file. Records are kept by key, so a
// network's are found by prefix.
// put_attachment() throws Error{kInvalidConfig} when the record could not be read back (JSON that
// is nested too deep); get_attachment() throws Error{kStoreDamaged} for a record that cannot be
// read, which erase_attachment() can erase.
void put_attachment(Txn& txn, const Attachment& attachment);
std::optional<Attachment> get_attachment(const Txn& txn, const AttachmentKey& key);
bool erase_attachment(Txn& txn, const AttachmentKey& key);
// Calls `visit` for each attachment of `network` (of all networks when empty), ordered by network
// and otherwise in no order, until it returns false. One record that cannot be read must not keep
// all others from their GC: it is given to `unreadable`, or to the log without one, and passed
// over.
void scan_attachments(const Txn& txn, const std::string& network,
                      const std::function<bool(const Attachment&)>& visit,
                      const std::function<void(const Error&)>& unreadable = {});

// Device claims: a device has at most one owner. `device` is at most 200 bytes.
// claim_device() returns the other owner when the device is claimed by one, nothing when it is now
// (or was already) claimed by `owner`.
std::optional<AttachmentKey> claim_device(Txn& txn, const std::string& device,
                                          const AttachmentKey& owner);
// The owner of the device's claim, if there is one.
std::optional<AttachmentKey> device_owner(const Txn& txn, const std::string& device);
// Does nothing when the device is not claimed by `owner`.
void release_device(Txn& txn, const std::string& device, const AttachmentKey& owner);

// In the node's own state: a device's owner that is recorded in the state of another folder.
struct DistantOwner {
  std::string state_dir;
  AttachmentKey key;

  bool operator==(const DistantOwner&) const = default;
};
// put_distant_owner() takes the place of the one before. erase_distant_owner() does nothing when
// the device is another's. distant_owner() throws Error{kStoreDamaged} for what it cannot read.
void put_distant_owner(Txn& txn, const std::string& device, const DistantOwner& owner);
std::optional<DistantOwner> distant_owner(const Txn& txn, const std::string& device);
void erase_distant_owner(Txn& txn, const std::string& device, const DistantOwner& owner);

}  // namespace railcni

#endif  // RAILCNI_ATTACHMENT_H_
