// Two ends of a link for the probe tests: "net1" in a Pod, which probes, and "peer" in the fabric.
#ifndef RAILCNI_TESTS_NETNS_PROBE_WORLD_H_
#define RAILCNI_TESTS_NETNS_PROBE_WORLD_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "railcni/netns.h"
#include "railcni/probe.h"
#include "src/probe/packet_socket.h"
#include "tests/support/sandbox.h"

namespace railcni::test {

class ProbeWorld {
 public:
  // A veth pair from the Pod to the fabric, or a macvlan on the host's end of one.
  enum Kind { kVeth, kMacvlan };
  explicit ProbeWorld(Kind kind = kVeth);
  ~ProbeWorld();

  const Pod& pod() const { return pod_; }
  const Pod& fabric() const { return fabric_; }
  const LinkInfo& link() const { return link_; }
  const LinkInfo& peer() const { return peer_; }

  // Runs `work` in the Pod's namespace, or in the fabric's.
  void in_pod(const std::function<void()>& work) const;
  void in_fabric(const std::function<void()>& work) const;
  // Gives the peer an address.
  void own(const std::string& address) const;
  // Gives net1 10.9.0.2 and fd09::2, and makes them `sources`.
  void configure();

  template <typename Found>
  using Timed = std::pair<std::vector<Found>, std::chrono::milliseconds>;
  Timed<Conflict> find_conflicts(const std::vector<std::string>& addresses) const;
  Timed<IpAddress> find_silent_gateways(const std::vector<std::string>& gateways) const;

  ProbeTiming timing;
  std::vector<IpAddress> sources;

 private:
  Pod pod_{"pod"};
  Pod fabric_{"fabric"};
  bool on_host_;
  LinkInfo link_;
  LinkInfo peer_;
};

// Calls `turn` again and again, in a thread in the fabric, with a socket that sends to the Pod.
class Forger {
 public:
  Forger(const ProbeWorld& world, std::function<void(PacketSocket&)> turn);
  Forger(const Forger&) = delete;
  Forger& operator=(const Forger&) = delete;
  ~Forger();

 private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_NETNS_PROBE_WORLD_H_
