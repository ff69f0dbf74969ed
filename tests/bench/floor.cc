// The floor: what the kernel takes for a macvlan's ADD and DEL, asked for by one static process
// with plain netlink and nothing else: no configuration, no IPAM, no state, no look at what is
// there.
//
//   bench_floor add MASTER NETNS IFNAME ADDRESS PREFIX_LENGTH NETWORK GATEWAY TABLE
//   bench_floor del NETNS IFNAME ADDRESS TABLE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

[[noreturn]] void die(const char* what) {
  perror(what);
  exit(1);
}

// Messages that are sent at once, and acknowledged one by one by the kernel.
class Batch {
 public:
  explicit Batch(int socket) : socket_(socket) {}

  template <typename Header>
  void begin(uint16_t type, uint16_t flags, const Header& header) {
    message_ = reinterpret_cast<nlmsghdr*>(buffer_ + size_);
    size_ += NLMSG_HDRLEN;
    message_->nlmsg_type = type;
    message_->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    message_->nlmsg_seq = ++count_;
    append(&header, sizeof header);
  }
  rtattr* put(unsigned short type, const void* data, size_t size) {
    auto* attribute = reinterpret_cast<rtattr*>(buffer_ + size_);
    attribute->rta_type = type;
    attribute->rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
    append(nullptr, sizeof *attribute);
    append(data, size);
    return attribute;
  }
  void put_u32(unsigned short type, uint32_t value) { put(type, &value, sizeof value); }
  void put_text(unsigned short type, const char* text) { put(type, text, strlen(text) + 1); }
  rtattr* open(unsigned short type) { return put(type, nullptr, 0); }
  void close(rtattr* nest) {
    nest->rta_len = static_cast<unsigned short>(buffer_ + size_ - reinterpret_cast<char*>(nest));
  }

  void send() {
    if (::send(socket_, buffer_, size_, 0) < 0) die("send");
    for (uint32_t left = count_; left > 0;) {
      alignas(nlmsghdr) char reply[8192];
      ssize_t size = recv(socket_, reply, sizeof reply, 0);
      if (size < 0) die("recv");
      for (auto* header = reinterpret_cast<nlmsghdr*>(reply); NLMSG_OK(header, size);
           header = NLMSG_NEXT(header, size)) {
        if (header->nlmsg_type != NLMSG_ERROR) continue;
        const auto* error = static_cast<const nlmsgerr*>(NLMSG_DATA(header));
        errno = -error->error;
        if (errno != 0) {
          fprintf(stderr, "message %u: ", header->nlmsg_seq);
          die("netlink");
        }
        --left;
      }
    }
    size_ = 0;
    count_ = 0;
  }

 private:
  void append(const void* data, size_t size) {
    if (data != nullptr) memcpy(buffer_ + size_, data, size);
    size_ += NLMSG_ALIGN(size);
    message_->nlmsg_len =
        static_cast<uint32_t>(buffer_ + size_ - reinterpret_cast<char*>(message_));
  }

  int socket_;
  alignas(nlmsghdr) char buffer_[4096] = {};
  size_t size_ = 0;
  uint32_t count_ = 0;
  nlmsghdr* message_ = nullptr;
};

int open_socket() {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) die("socket");
  return fd;
}

int enter(const char* netns) {
  const int fd = open(netns, O_RDONLY | O_CLOEXEC);
  if (fd < 0) die(netns);
  return fd;
}

in_addr address_of(const char* text) {
  in_addr address{};
  if (inet_pton(AF_INET, text, &address) != 1) die(text);
  return address;
}

void put_rule(Batch& batch, uint16_t type, uint16_t flags, const in_addr& from, uint32_t table) {
  fib_rule_hdr header{};
  header.family = AF_INET;
  header.action = FR_ACT_TO_TBL;
  header.src_len = 32;
  batch.begin(type, flags, header);
  batch.put(FRA_SRC, &from, sizeof from);
  batch.put_u32(FRA_TABLE, table);
  batch.put_u32(FRA_PRIORITY, 20000 + table);
}

void put_route(Batch& batch, uint8_t length, const in_addr* to, const in_addr* gateway,
               const in_addr* source, uint32_t link, uint32_t table) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = length;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = gateway != nullptr ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
  header.rtm_type = RTN_UNICAST;
  batch.begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, header);
  if (to != nullptr) batch.put(RTA_DST, to, sizeof *to);
  if (gateway != nullptr) batch.put(RTA_GATEWAY, gateway, sizeof *gateway);
  if (source != nullptr) batch.put(RTA_PREFSRC, source, sizeof *source);
  batch.put_u32(RTA_OIF, link);
  batch.put_u32(RTA_TABLE, table);
}

int add(char** argv) {
  const char* const name = argv[2];
  const in_addr address = address_of(argv[3]);
  const auto length = static_cast<uint8_t>(atoi(argv[4]));
  const in_addr network = address_of(argv[5]);
  const in_addr gateway = address_of(argv[6]);
  const auto table = static_cast<uint32_t>(atoi(argv[7]));
  const in_addr broadcast{address.s_addr | ~htonl(~uint32_t{0} << (32 - length))};
  const int netns = enter(argv[1]);

  Batch host(open_socket());
  host.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  host.put_text(IFLA_IFNAME, name);
  host.put_u32(IFLA_LINK, if_nametoindex(argv[0]));
  host.put_u32(IFLA_NET_NS_FD, static_cast<uint32_t>(netns));
  rtattr* const info = host.open(IFLA_LINKINFO);
  host.put(IFLA_INFO_KIND, "macvlan", 7);
  rtattr* const data = host.open(IFLA_INFO_DATA);
  host.put_u32(IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
  host.close(data);
  host.close(info);
  host.send();

  if (setns(netns, CLONE_NEWNET) != 0) die("setns");
  const uint32_t link = if_nametoindex(name);
  char sysctl[128];
  snprintf(sysctl, sizeof sysctl, "/proc/sys/net/ipv6/conf/%s/ndisc_notify", name);
  const int fd = open(sysctl, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, "1", 1) != 1) die(sysctl);
  close(fd);

  Batch pod(open_socket());
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(link);
  pod.begin(RTM_SETLINK, 0, header);
  rtattr* const spec = pod.open(IFLA_AF_SPEC);
  rtattr* const inet = pod.open(AF_INET);
  rtattr* const conf = pod.open(IFLA_INET_CONF);
  pod.put_u32(IPV4_DEVCONF_ARP_NOTIFY, 1);
  pod.close(conf);
  pod.close(inet);
  pod.close(spec);
  ifaddrmsg owner{};
  owner.ifa_family = AF_INET;
  owner.ifa_prefixlen = length;
  owner.ifa_index = link;
  pod.begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, owner);
  pod.put(IFA_LOCAL, &address, sizeof address);
  pod.put(IFA_ADDRESS, &address, sizeof address);
  pod.put(IFA_BROADCAST, &broadcast, sizeof broadcast);
  header.ifi_flags = header.ifi_change = IFF_UP;
  pod.begin(RTM_NEWLINK, 0, header);
  put_route(pod, length, &network, nullptr, &address, link, table);
  put_route(pod, 0, nullptr, &gateway, nullptr, link, table);
  put_rule(pod, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, address, table);
  pod.send();
  return 0;
}

int del(char** argv) {
  if (setns(enter(argv[0]), CLONE_NEWNET) != 0) die("setns");
  Batch pod(open_socket());
  put_rule(pod, RTM_DELRULE, 0, address_of(argv[2]), static_cast<uint32_t>(atoi(argv[3])));
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(if_nametoindex(argv[1]));
  pod.begin(RTM_DELLINK, 0, header);
  pod.send();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 10 && strcmp(argv[1], "add") == 0) return add(argv + 2);
  if (argc == 6 && strcmp(argv[1], "del") == 0) return del(argv + 2);
  fputs("bench_floor: see tests/bench/floor.cc\n", stderr);
  return 2;
}
