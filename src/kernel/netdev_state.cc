#include "railcni/netdev_state.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/owed_names.h"
#include "railcni/vf.h"

namespace railcni {
namespace {

constexpr uint32_t kFlags = IFF_PROMISC | IFF_ALLMULTI | IFF_NOARP | IFF_MULTICAST;

// How long a driver may take to show a MAC that it has accepted; the peers wait as long.
constexpr int kMacTries = 200;
constexpr useconds_t kMacPause = 10000;  // microseconds

template <typename Fill>
NetlinkMessage set_link_message(int index, Fill fill) {
  ifinfomsg header{};
  header.ifi_index = index;
  // RTM_NEWLINK without NLM_F_CREATE changes an existing link as RTM_SETLINK does, and takes all
  // attributes of either.
  NetlinkMessage message(RTM_NEWLINK, 0, &header, sizeof header);
  fill(message);
  return message;
}

NetlinkMessage flags_message(int index, uint32_t flags, uint32_t mask) {
  ifinfomsg header{};
  header.ifi_index = index;
  header.ifi_flags = flags;
  header.ifi_change = mask;
  return NetlinkMessage(RTM_NEWLINK, 0, &header, sizeof header);
}

bool has_mac(RouteSocket& socket, int index, const HwAddress& mac) {
  const auto link = socket.find_link(index);
  return link && link->address == mac;
}

// Sends the messages of a restoration one by one, going on past errors.
class Restorer {
 public:
  Restorer(RouteSocket& socket, std::string name) : socket_(socket), name_(std::move(name)) {}

  int send(const NetlinkMessage& message, const std::string& what) {
    std::string explanation;
    const int error = socket_.send_while_busy(message, &explanation);
    if (error != 0) {
      fail(kernel_refusal(what + " of " + name_, error, explanation));
    }
    return error;
  }
  // A name that another interface has by now is that one's.
  void name(const NetlinkMessage& message, const std::string& name) {
    std::string explanation;
    const int error = socket_.send_while_busy(message, &explanation);
    if (error == EEXIST) {
      log_warning("interface " + name_ + " cannot be called " + name +
                  " again: another one has that name by now");
    } else if (error != 0) {
      fail(kernel_refusal("restore the name " + name + " of " + name_, error, explanation));
    }
  }
  void fail(const Error& error) {
    if (!first_) first_ = error;
  }
  void finish() const {
    if (first_) throw *first_;
  }

 private:
  RouteSocket& socket_;
  std::string name_;
  std::optional<Error> first_;
};

// The kernel makes an IPoIB interface anew when its RDMA device is moved, and forgets these.
void restore_ipoib(Restorer& restorer, const LinkInfo& now, const NetdevState& original) {
  const auto restore = [&](const char* what, int attribute, std::optional<uint16_t> value) {
    restorer.send(set_link_message(now.index,
                                   [&](NetlinkMessage& message) {
                                     message.nest(IFLA_LINKINFO, [&](NetlinkMessage& info) {
                                       info.put_string(IFLA_INFO_KIND, "ipoib");
                                       info.nest(IFLA_INFO_DATA, [&](NetlinkMessage& data) {
                                         data.put_u16(attribute, *value);
                                       });
                                     });
                                   }),
                  what);
  };
  if (original.ipoib_mode && original.ipoib_mode != now.ipoib_mode) {
    restore("restore the IPoIB mode", IFLA_IPOIB_MODE, original.ipoib_mode);
  }
  if (original.ipoib_umcast && original.ipoib_umcast != now.ipoib_umcast) {
    restore("restore umcast", IFLA_IPOIB_UMCAST, original.ipoib_umcast);
  }
}

}  // namespace

std::vector<std::string> without(std::vector<std::string> names,
                                 const std::vector<std::string>& those) {
  std::erase_if(names, [&those](const std::string& name) {
    return std::find(those.begin(), those.end(), name) != those.end();
  });
  return names;
}

NetdevState NetdevState::of(const LinkInfo& link) {
  NetdevState state;
  state.name = link.name;
  state.alt_names = link.alt_names;
  state.mac = link.address;
  state.mtu = link.mtu;
  state.tx_queue_length = link.tx_queue_length;
  state.group = link.group;
  state.ipoib_mode = link.ipoib_mode;
  state.ipoib_umcast = link.ipoib_umcast;
  state.xdp_program = link.xdp_program;
  state.flags = link.flags & (kFlags | IFF_UP);
  return state;
}

Json NetdevState::to_json() const {
  Json json = Json::object({{"name", name},
                            {"mac", to_string(mac)},
                            {"mtu", mtu},
                            {"txQueueLength", tx_queue_length},
                            {"group", group},
                            {"flags", flags}});
  if (!alt_names.empty()) json["altNames"] = Json::strings(alt_names);
  if (ipoib_mode) json["ipoibMode"] = static_cast<int64_t>(*ipoib_mode);
  if (xdp_program != 0) json["xdpProgram"] = xdp_program;
  if (ipoib_umcast) json["ipoibUmcast"] = static_cast<int64_t>(*ipoib_umcast);
  return json;
}

NetdevState NetdevState::from_json(const Json& json) {
  NetdevState state;
  state.name = json.at("name").as_string();
  state.mac = parse_hw_address(json.at("mac").as_string()).value_or(HwAddress());
  state.mtu = static_cast<uint32_t>(json.at("mtu").as_uint());
  state.tx_queue_length = static_cast<uint32_t>(json.at("txQueueLength").as_uint());
  state.group = static_cast<uint32_t>(json.at("group").as_uint());
  state.flags = static_cast<uint32_t>(json.at("flags").as_uint());
  if (const Json* mode = json.find("ipoibMode")) {
    state.ipoib_mode = static_cast<uint16_t>(mode->as_uint());
  }
  if (const Json* umcast = json.find("ipoibUmcast")) {
    state.ipoib_umcast = static_cast<uint16_t>(umcast->as_uint());
  }
  if (const Json* program = json.find("xdpProgram")) {
    state.xdp_program = static_cast<uint32_t>(program->as_uint());
  }
  if (const Json* names = json.find("altNames")) {
    for (const Json& name : names->as_array()) state.alt_names.push_back(name.as_string());
  }
  return state;
}

std::optional<LinkInfo> find_device_link(RouteSocket& socket, const std::string& device) {
  if (device.empty()) return std::nullopt;  // which is what a virtual link shows
  for (LinkInfo& link : socket.links()) {
    // An IPoIB interface has a kind, as its children have, but those name no device.
    const bool is_hardware = link.kind.empty() || link.kind == "ipoib";
    if (link.parent_device == device && is_hardware) return std::move(link);
  }
  return std::nullopt;
}

NetlinkMessage move_link_message(int index, int netns_fd, const std::string& name, uint32_t mtu) {
  return set_link_message(index, [&](NetlinkMessage& message) {
    message.put_u32(IFLA_NET_NS_FD, static_cast<uint32_t>(netns_fd));
    message.put_string(IFLA_IFNAME, name);
    if (mtu != 0) message.put_u32(IFLA_MTU, mtu);
  });
}

NetlinkMessage rename_message(int index, const std::string& name) {
  return set_link_message(
      index, [&name](NetlinkMessage& message) { message.put_string(IFLA_IFNAME, name); });
}

NetlinkMessage alt_names_message(int index, const std::vector<std::string>& names, bool add) {
  ifinfomsg header{};
  header.ifi_index = index;
  NetlinkMessage message(add ? RTM_NEWLINKPROP : RTM_DELLINKPROP,
                         add ? NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND : 0, &header,
                         sizeof header);
  message.nest(IFLA_PROP_LIST, [&names](NetlinkMessage& list) {
    for (const std::string& name : names) list.put_string(IFLA_ALT_IFNAME, name);
  });
  return message;
}

void set_mac_verified(RouteSocket& socket, int index, const HwAddress& mac) {
  const auto link = socket.find_link(index);
  if (!link) throw Error(Code::kKernel, "set the MAC of a link that is gone");
  if (link->address == mac) return;
  std::string explanation;
  const int refused = socket.send_while_busy(hw_address_message(index, mac), &explanation);
  if (refused == 0 && has_mac(socket, index, mac)) return;
  const bool was_up = (link->flags & IFF_UP) != 0;
  if (!was_up) socket.send_while_busy(link_up_message(index, true));
  socket.try_send(link_up_message(index, false));
  if (was_up) socket.send_while_busy(link_up_message(index, true));
  for (int tries = 0; tries < kMacTries; ++tries) {
    if (has_mac(socket, index, mac)) return;
    usleep(kMacPause);
  }
  throw Error(Code::kKernel, "set the MAC of " + link->name + " to " + to_string(mac) +
                                 ": it keeps " + to_string(link->address) +
                                 (refused == 0 ? "" : ": " + errno_text(refused)) +
                                 (explanation.empty() ? "" : " (" + explanation + ")"));
}

void restore_netdev(RouteSocket& host, int index, const NetdevState& original) {
  const auto now = host.find_link(index);
  if (!now) throw Error(Code::kKernel, "interface " + original.name + " went away again");
  Restorer restorer(host, now->name);
  const bool rename = now->name != original.name;
  // Before Linux 6.2 a link must be down to be renamed.
  if (rename && (now->flags & IFF_UP) != 0) {
    restorer.send(link_up_message(index, false), "set down");
  }
  // An alternative name that is in the way of the real one goes first.
  if (const auto extra = without(now->alt_names, original.alt_names); !extra.empty()) {
    restorer.send(alt_names_message(index, extra, false), "remove the alternative names");
  }
  if (rename && host.find_link(original.name)) {
    // Not the name that a Pod gave it.
    if (!is_parked_name(now->name)) {
      restorer.send(rename_message(index, kParkedInterface), "park under another name");
    }
    log_warning("interface " + now->name + " cannot be called " + original.name +
                " while another one has that name: it gets it when it is free");
  } else if (rename) {
    restorer.name(rename_message(index, original.name), original.name);
  }
  for (const std::string& name : without(original.alt_names, now->alt_names)) {
    restorer.name(alt_names_message(index, {name}, true), name);
  }
  // Before the MTU: igbvf resets for a new one, and takes the MAC of that moment for its permanent
  // one.
  if (now->address != original.mac && !original.mac.empty() && !is_ipoib(original.mac)) {
    try {
      set_mac_verified(host, index, original.mac);
    } catch (const Error& error) {
      restorer.fail(error);
    }
  }
  restore_ipoib(restorer, *now, original);
  if (now->mtu != original.mtu) {
    restorer.send(set_link_message(index,
                                   [&original](NetlinkMessage& message) {
                                     message.put_u32(IFLA_MTU, original.mtu);
                                   }),
                  "restore MTU " + std::to_string(original.mtu));
  }
  if (now->tx_queue_length != original.tx_queue_length) {
    restorer.send(tx_queue_length_message(index, original.tx_queue_length),
                  "restore the transmit queue length");
  }
  if (now->group != original.group) {
    restorer.send(set_link_message(index,
                                   [&original](NetlinkMessage& message) {
                                     message.put_u32(IFLA_GROUP, original.group);
                                   }),
                  "restore the group");
  }
  if (((now->flags ^ original.flags) & kFlags) != 0) {
    restorer.send(flags_message(index, original.flags, kFlags), "restore the flags");
  }
  const auto last = host.find_link(index);
  const bool want_up = (original.flags & IFF_UP) != 0;
  if (last && ((last->flags & IFF_UP) != 0) != want_up) {
    restorer.send(link_up_message(index, want_up), want_up ? "set up" : "set down");
  }
  restorer.finish();
}

}  // namespace railcni
