// rtnetlink: what railcni reads of links, addresses and routes, and messages to change them, sent
// in batches.
#ifndef RAILCNI_NETLINK_H_
#define RAILCNI_NETLINK_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "railcni/address.h"
#include "railcni/error.h"

struct nl_msg;
struct nl_sock;
struct nlmsghdr;

namespace railcni {

struct LinkInfo {
  int index = 0;
  std::string name;
  std::string kind;  // IFLA_INFO_KIND: "macvlan", "vlan", ...; empty for hardware
  HwAddress address;
  HwAddress broadcast;
  uint32_t mtu = 0;
  uint32_t flags = 0;                // IFF_* of <linux/if.h>
  int parent = 0;                    // IFLA_LINK: the index of the link under this one, or 0
  bool parent_elsewhere = false;     // IFLA_LINK_NETNSID is there: `parent` counts in another netns
  int parent_netnsid = -1;           // which one: see RouteSocket::nsid_of()
  int master = 0;                    // IFLA_MASTER: the bond or bridge that this link is a port of
  std::optional<uint16_t> vlan_id;   // of a "vlan"
  std::optional<uint8_t> bond_mode;  // 0-6, of a "bond"
  std::optional<uint32_t> macvlan_mode;  // MACVLAN_MODE_* of <linux/if_link.h>, of a "macvlan"
  std::optional<uint16_t> ipvlan_mode;   // IPVLAN_MODE_* of <linux/if_link.h>, of an "ipvlan"
  std::optional<uint16_t> ipoib_pkey;    // of an "ipoib", with the bit of full membership
  std::optional<uint16_t> ipoib_mode;    // IPOIB_MODE_* of <linux/if_link.h>, of an "ipoib"
  std::optional<uint16_t> ipoib_umcast;  // 1: it takes multicast from user space, of an "ipoib"
  uint32_t tx_queue_length = 0;
  uint32_t group = 0;
  uint32_t xdp_program = 0;  // IFLA_XDP_PROG_ID: the ID of the XDP program on the link, or 0
  std::vector<std::string> alt_names;
  // IFLA_PARENT_DEV_NAME: the device under a hardware link, a PCI address. Linux 5.14 or later.
  std::string parent_device;
};

struct AddressInfo {
  int link = 0;
  IpPrefix address;
  uint32_t flags = 0;  // IFA_F_* of <linux/if_addr.h>
};

struct RouteInfo {
  IpPrefix destination;  // 0.0.0.0/0 or ::/0 for a default route
  std::optional<IpAddress> gateway;
  std::optional<IpAddress> source;  // RTA_PREFSRC: the address that packets get
  int link = 0;                     // 0 for a multipath or blackhole route
  uint32_t table = 0;               // RT_TABLE_MAIN is 254
  uint32_t priority = 0;
  uint8_t protocol = 0;
  uint8_t scope = 0;
};

// A policy rule of the form "from PREFIX to PREFIX lookup TABLE".
struct RuleInfo {
  Family family = Family::kV4;
  std::optional<IpPrefix> from;  // nothing: from all
  uint32_t table = 0;
  uint32_t priority = 0;
  bool only_from = true;            // false: it has other selectors or another action as well
  std::optional<IpPrefix> to = {};  // nothing: to all
};

// A netlink message under construction.
class NetlinkMessage {
 public:
  // `type` is an RTM_* value; `flags` are NLM_F_* beside NLM_F_REQUEST and NLM_F_ACK, which are
  // set as well. `header` is the family's fixed header (struct ifinfomsg, ...).
  NetlinkMessage(uint16_t type, uint16_t flags, const void* header, size_t header_size);
  NetlinkMessage(NetlinkMessage&&) noexcept = default;
  NetlinkMessage& operator=(NetlinkMessage&&) noexcept = default;

  // Appends bytes that are no attribute: the fixed header inside a nested message.
  NetlinkMessage& append(const void* data, size_t size);
  NetlinkMessage& put(int attribute, const void* data, size_t size);
  NetlinkMessage& put_u8(int attribute, uint8_t value);
  NetlinkMessage& put_u16(int attribute, uint16_t value);
  NetlinkMessage& put_u32(int attribute, uint32_t value);
  NetlinkMessage& put_string(int attribute, const std::string& value);
  NetlinkMessage& put_address(int attribute, const IpAddress& address);
  // Adds an attribute that holds what `fill` adds.
  NetlinkMessage& nest(int attribute, const std::function<void(NetlinkMessage&)>& fill);

  // Takes NLM_F_ACK away: for requests whose answer is an object.
  void expect_no_acknowledgement();

  const nlmsghdr* header() const;

 private:
  void make_room(size_t size);

  struct Free {
    void operator()(nl_msg* msg) const;
  };
  std::unique_ptr<nl_msg, Free> msg_;
};

// Messages that are sent in one system call and whose acknowledgements are read together. The
// kernel takes them in order and does not stop at one that fails.
class NetlinkBatch {
 public:
  // `what` names the step in an error message: "add address 10.0.0.2/24 to net1". With `may_exist`
  // a step whose thing is there already (EEXIST) is no error.
  void add(NetlinkMessage message, std::string what, bool may_exist = false);
  size_t size() const { return steps_.size(); }
  bool empty() const { return steps_.empty(); }

 private:
  friend class NetlinkSocket;
  struct Step {
    NetlinkMessage message;
    std::string what;
    bool may_exist;
  };
  std::vector<Step> steps_;
};

struct NetlinkOutcome;

// A netlink socket; it belongs for ever to the namespace in which it was made.
class NetlinkSocket {
 public:
  // `protocol` is NETLINK_ROUTE or NETLINK_RDMA of <linux/netlink.h>. In the calling thread's
  // namespace. Throws Error{kKernel}.
  explicit NetlinkSocket(int protocol);

  using OnMessage = std::function<void(const nlmsghdr*)>;

  // Sends all messages and waits for all acknowledgements. Throws Error{kKernel} for the first
  // message that failed, with its step, the errno's text and the kernel's own explanation
  // (NLMSGERR_ATTR_MSG) when there is one. Returns the positions of the steps whose thing existed.
  std::vector<size_t> send(const NetlinkBatch& batch);
  void send(NetlinkMessage message, std::string what);
  // As send() of one message, but returns the errno (0 for success) and leaves the kernel's
  // explanation in `explanation`.
  int try_send(const NetlinkMessage& message, std::string* explanation = nullptr);
  // As try_send(), but asks again while the answer is EBUSY (a driver that resets, or works for
  // somebody else), for up to two seconds.
  int send_while_busy(const NetlinkMessage& message, std::string* explanation = nullptr);
  // Asks for one object, as it is in a reply; returns the errno, as try_send().
  int try_get(NetlinkMessage message, const OnMessage& on_reply);
  // Asks for all objects. `restart` is called before each attempt: the kernel may say that
  // something changed underneath (NLM_F_DUMP_INTR), and the dump is then begun again. Throws
  // Error{kKernel}, or Error{kTryAgainLater} when it keeps changing, unless torn dumps do.
  void dump(const NetlinkMessage& message, const std::function<void()>& restart,
            const OnMessage& on_message);

  // For a Pod's namespace, which its processes can change without end: after some attempts, dump()
  // takes what it was told last. Objects that came or went meanwhile may be missing in it, or stand
  // in it still.
  void accept_torn_dumps() { accepts_torn_dumps_ = true; }

 private:
  struct Free {
    void operator()(nl_sock* socket) const;
  };

  uint32_t transmit(const std::vector<const nlmsghdr*>& messages);
  // Reads replies until each of `outcomes` (sequence numbers from `first` on) has its
  // acknowledgement.
  void receive(uint32_t first, std::vector<NetlinkOutcome>& outcomes, const OnMessage& on_message);
  void discard_replies();

  std::unique_ptr<nl_sock, Free> socket_;
  std::unique_ptr<char[]> buffer_;
  uint32_t sequence_ = 0;
  bool accepts_torn_dumps_ = false;
};

// The kernel's refusal of `what`, with the errno's text and the explanation that came with it.
Error kernel_refusal(const std::string& what, int error, const std::string& explanation);

// An rtnetlink socket.
class RouteSocket : public NetlinkSocket {
 public:
  RouteSocket();

  // Links by name (alternative names count) or index; nothing when there is none.
  std::optional<LinkInfo> find_link(const std::string& name);
  std::optional<LinkInfo> find_link(int index);
  std::vector<LinkInfo> links();
  // Addresses of all links of the namespace, both families.
  std::vector<AddressInfo> addresses();
  // Routes of all tables: unicast ones, and those that refuse (blackhole, unreachable, prohibit).
  std::vector<RouteInfo> routes(Family family);
  std::vector<RuleInfo> rules(Family family);
  // The next hops of all routes of a family, of multipath ones too. An IPv4 route may have an IPv6
  // one (RTA_VIA).
  std::vector<IpAddress> gateways(Family family);
  // The route that a packet to `destination` would take; nothing when there is none.
  std::optional<RouteInfo> lookup(const IpAddress& destination);
  // The number under which this namespace knows the one of the open file `netns_fd`
  // (LinkInfo::parent_netnsid, for one); nothing when it has none for it.
  std::optional<int> nsid_of(int netns_fd);

 private:
  std::optional<LinkInfo> get_link(NetlinkMessage message);
};

// ---- messages ----

// A new link of `kind` under `name`. With `netns_fd` >= 0 it is made in that namespace while
// `parent` counts in the socket's own. `info_data` fills IFLA_INFO_DATA; it may be empty.
struct NewLink {
  std::string kind;
  std::string name;
  int parent = 0;
  int netns_fd = -1;
  uint32_t mtu = 0;   // 0: the kernel's choice
  HwAddress address;  // empty: the kernel's choice
  bool up = false;
  std::function<void(NetlinkMessage&)> info_data;
};
NetlinkMessage new_link_message(const NewLink& link);
NetlinkMessage delete_link_message(int index);
// Sets or clears IFF_UP.
NetlinkMessage link_up_message(int index, bool up);
// Makes the link a port of `master`.
NetlinkMessage set_master_message(int index, int master);
// net.ipv4.conf.LINK.arp_notify, by netlink: no /proc needed. The kernel then announces the
// link's IPv4 addresses by gratuitous ARP when it comes up or changes its MAC.
NetlinkMessage arp_notify_message(int index);
// Adds an address; IPv4 with the broadcast address of its subnet (not in a /31 or /32). An IPv6
// address is added without duplicate address detection (IFA_F_NODAD).
NetlinkMessage new_address_message(int index, const IpPrefix& address);
// Adds a route by the given link; without gateway of scope "link". Protocol 0 stands for "static".
NetlinkMessage new_route_message(const RouteInfo& route);
// Deletes the route of just this destination, table, link, gateway and priority.
NetlinkMessage delete_route_message(const RouteInfo& route);
// Adds or deletes a rule; only family, from, to, table and priority count.
NetlinkMessage new_rule_message(const RuleInfo& rule);
NetlinkMessage delete_rule_message(const RuleInfo& rule);
// A veth pair, down: one end in the socket's namespace, the other in that of `peer_netns_fd`.
struct NewVeth {
  std::string name;
  HwAddress address;
  std::string peer_name;
  HwAddress peer_address;
  int peer_netns_fd = -1;
  uint32_t mtu = 0;  // of both ends; 0: the kernel's choice
};
NetlinkMessage new_veth_message(const NewVeth& veth);
// Sets the length of the link's transmit queue (IFLA_TXQLEN).
NetlinkMessage tx_queue_length_message(int index, uint32_t length);
// Sets the link's hardware address.
NetlinkMessage hw_address_message(int index, const HwAddress& address);

}  // namespace railcni

#endif  // RAILCNI_NETLINK_H_
