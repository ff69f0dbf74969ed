#include "tests/netns/probe_world.h"

namespace railcni::test {
namespace {

std::vector<IpAddress> parse(const std::vector<std::string>& texts) {
  std::vector<IpAddress> result;
  for (const std::string& text : texts) result.push_back(IpAddress::parse(text).value());
  return result;
}

template <typename Work>
auto timed(Work work) {
  const auto start = std::chrono::steady_clock::now();
  auto found = work();
  const auto took = std::chrono::steady_clock::now() - start;
  return std::pair(std::move(found), std::chrono::duration_cast<std::chrono::milliseconds>(took));
}

}  // namespace

ProbeWorld::ProbeWorld(Kind kind) : on_host_(kind == kMacvlan) {
  const std::string near = on_host_ ? "prail0" : "net1 netns " + pod_.path();
  ip("link add name " + near + " type veth peer name peer netns " + fabric_.path());
  ip("link set peer up", fabric_.path());
  if (on_host_) {
    ip("link set prail0 up");
    ip("link add link prail0 name net1 netns " + pod_.path() + " type macvlan mode bridge");
  }
  ip("link set net1 up", pod_.path());
  in_pod([this] { link_ = RouteSocket().find_link("net1").value(); });
  in_fabric([this] { peer_ = RouteSocket().find_link("peer").value(); });
}

ProbeWorld::~ProbeWorld() {
  if (on_host_) (void)ip_succeeds("link del prail0");
}

void ProbeWorld::in_pod(const std::function<void()>& work) const {
  Netns::open(pod_.path()).run(work);
}

void ProbeWorld::in_fabric(const std::function<void()>& work) const {
  Netns::open(fabric_.path()).run(work);
}

void ProbeWorld::own(const std::string& address) const {
  const std::string nodad = address.find(':') != std::string::npos ? " nodad" : "";
  ip("addr add " + address + " dev peer" + nodad, fabric_.path());
}

void ProbeWorld::configure() {
  ip("addr add 10.9.0.2/24 dev net1", pod_.path());
  ip("addr add fd09::2/64 dev net1 nodad", pod_.path());
  sources = parse({"10.9.0.2", "fd09::2"});
}

ProbeWorld::Timed<Conflict> ProbeWorld::find_conflicts(
    const std::vector<std::string>& addresses) const {
  Timed<Conflict> found;
  in_pod([&] {
    RouteSocket netlink;
    found = timed([&] { return Prober(netlink, link_, timing).find_conflicts(parse(addresses)); });
  });
  return found;
}

ProbeWorld::Timed<IpAddress> ProbeWorld::find_silent_gateways(
    const std::vector<std::string>& gateways) const {
  Timed<IpAddress> found;
  in_pod([&] {
    RouteSocket netlink;
    found = timed([&] {
      return Prober(netlink, link_, timing).find_silent_gateways(sources, parse(gateways));
    });
  });
  return found;
}

Forger::Forger(const ProbeWorld& world, std::function<void(PacketSocket&)> turn)
    : thread_([this, &world, turn = std::move(turn)] {
        world.in_fabric([&] {
          PacketSocket socket(world.peer());
          while (!stop_) turn(socket);
        });
      }) {}

Forger::~Forger() {
  stop_ = true;
  thread_.join();
}

}  // namespace railcni::test
