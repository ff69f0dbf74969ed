#include "src/probe/neighbour.h"

#include <linux/neighbour.h>
#include <net/if.h>

#include <algorithm>
#include <set>
#include <thread>

#include "railcni/error.h"
#include "railcni/neighbour.h"

namespace railcni {
namespace {

// How often the kernel is asked whether an answer came.
constexpr std::chrono::milliseconds kPollInterval{5};

// States in which the link-layer address comes from somebody's answer (<linux/neighbour.h>).
constexpr uint16_t kAnswered = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE;

// Entries of the administrator, or of the link's kind: the kernel never asks for them.
constexpr uint16_t kFixed = NUD_PERMANENT | NUD_NOARP;

// Neighbour entries of one link; takes those away that are left when it goes.
class Entries {
 public:
  Entries(RouteSocket& netlink, int link) : netlink_(netlink), link_(link) {}
  Entries(const Entries&) = delete;
  Entries& operator=(const Entries&) = delete;
  ~Entries() {
    for (const IpAddress& address : made_) {
      try {
        netlink_.try_send(delete_neighbour_message(link_, address));
      } catch (const std::exception&) {
        // The entry times out by itself.
      }
    }
  }

  // A new entry: the kernel asks at once, and would ask again only after a second. An answer to an
  // earlier question counts for the new entry too.
  void ask(const IpAddress& address) {
    netlink_.try_send(delete_neighbour_message(link_, address));
    made_.insert(address);
    netlink_.send(use_neighbour_message(link_, address), "resolve " + address.to_string());
  }

 private:
  RouteSocket& netlink_;
  int link_;
  std::set<IpAddress> made_;
};

}  // namespace

std::vector<Conflict> ask_kernel(RouteSocket& netlink, const LinkInfo& link,
                                 const std::vector<IpAddress>& addresses, const Rounds& rounds,
                                 bool first_only) {
  const auto now = netlink.find_link(link.index);
  if (!now || (now->flags & IFF_UP) == 0) {
    throw Error(Code::kKernel,
                link.name + ": cannot probe: the link is " + (now ? "down" : "gone"));
  }
  std::vector<Conflict> answers;
  std::vector<IpAddress> open;
  for (const IpAddress& address : addresses) {
    const auto entry = find_neighbour(netlink, link.index, address);
    if (!entry || (entry->state & kFixed) == 0) {
      open.push_back(address);
    } else if (!entry->hw_address.empty()) {
      answers.push_back({address, entry->hw_address});
    }
  }
  const auto done = [&] { return open.empty() || (first_only && !answers.empty()); };
  Entries entries(netlink, link.index);
  for (int round = 1; round <= rounds.count && !done(); ++round) {
    for (const IpAddress& address : open) entries.ask(address);
    const auto end = Clock::now() + (round < rounds.count ? rounds.interval : rounds.last_wait);
    while (!done() && Clock::now() < end) {
      std::this_thread::sleep_for(std::min<Clock::duration>(kPollInterval, end - Clock::now()));
      std::erase_if(open, [&](const IpAddress& address) {
        const auto entry = find_neighbour(netlink, link.index, address);
        if (!entry || (entry->state & kAnswered) == 0 || entry->hw_address == link.address) {
          return false;
        }
        answers.push_back({address, entry->hw_address});
        return true;
      });
    }
  }
  return answers;
}

}  // namespace railcni
