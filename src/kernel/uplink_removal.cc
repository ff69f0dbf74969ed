// The end of a bond or VLAN that was made for Pods.
#include <net/if.h>

#include <algorithm>
#include <cerrno>

#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/namespaces.h"
#include "railcni/netns.h"
#include "railcni/uplink.h"

namespace railcni {
namespace {

// Who uses the link, in words; empty when nobody does.
std::string user_of(RouteSocket& socket, const LinkInfo& link) {
  if (link.master != 0) return "it is a port of another interface";
  for (const AddressInfo& info : socket.addresses()) {
    const bool is_kernels =
        info.address.family() == Family::kV6 && info.address.address.is_link_local();
    if (info.link == link.index && !is_kernels) return "it has " + info.address.to_string();
  }
  for (const LinkInfo& other : socket.links()) {
    if (other.parent == link.index && other.index != link.index && !other.parent_elsewhere) {
      return other.name + " stands on it";
    }
  }
  const Netns home = Netns::current();
  std::string user;
  each_other_namespace(nullptr, [&](RouteSocket& elsewhere) {
    std::vector<LinkInfo> links = elsewhere.links();
    const auto nsid = elsewhere.nsid_of(home.fd());
    const auto found = std::ranges::find_if(links, [&](const LinkInfo& other) {
      return other.parent == link.index && other.parent_elsewhere && nsid &&
             other.parent_netnsid == *nsid;
    });
    if (found != links.end()) user = found->name + " of another namespace stands on it";
    return !user.empty();
  });
  return user;
}

}  // namespace

void remove_uplink(RouteSocket& socket, const Json& made) {
  const std::string& name = made.at("name").as_string();
  if (const auto link = socket.find_link(name)) {
    if (link->kind != made.at("kind").as_string()) return;
    if (const std::string user = user_of(socket, *link); !user.empty()) {
      log_warning(link->kind + " " + name + " was made for Pods and is left standing: " + user);
      return;
    }
    std::string explanation;
    const int error = socket.try_send(delete_link_message(link->index), &explanation);
    if (error != 0 && error != ENODEV) {
      throw kernel_refusal("delete " + link->kind + " " + name, error, explanation);
    }
  }
  // To cease being a port has set them down; maybe in a call that was killed then.
  const Json* ports = made.find("ports");
  if (ports == nullptr) return;
  for (const Json& port : ports->as_array()) {
    const auto free = socket.find_link(port.at("name").as_string());
    if (!free || free->master != 0) continue;
    socket.try_send(link_up_message(free->index, port.at("up").as_bool()));
  }
}

}  // namespace railcni
