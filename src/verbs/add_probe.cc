// The part of an ADD that talks to the link: is an address free, does the gateway answer, and who
// has the address now.
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "railcni/clock.h"
#include "railcni/error.h"
#include "railcni/log.h"
#include "railcni/netdev_state.h"
#include "src/verbs/add.h"
#include "src/verbs/shared_uplink.h"

namespace railcni {
namespace {

// How many rounds of probing there are when addresses turn out to be in use. A round may report one
// address only, so with two families this is at least two further tries for each.
constexpr int kConflictTries = 5;
// How long an address that somebody else has is not offered again, in seconds.
constexpr int64_t kQuarantine = 600;
// How long a link that has just come up may take to get its carrier: before probes, which are lost
// without one, and before announcements (sriov-cni waits as long).
constexpr std::chrono::milliseconds kCarrierBeforeProbes{2000};
constexpr std::chrono::milliseconds kCarrierBeforeAnnouncing{200};
constexpr useconds_t kCarrierPause = 5000;  // microseconds

}  // namespace

// Asks the link before an address is used whether somebody else has it.
void Add::avoid_conflicts(LinkInfo& link) {
  const CoordinatorConfig& config = config_.coordinator;
  if (!config.detect_ip_conflict || config.mode == CoordinatorConfig::Mode::kDisabled) return;
  if (!chained_) pod_->send(link_up_message(link.index, true), "set " + link.name + " up");
  await_carrier(link, kCarrierBeforeProbes);
  std::vector<IpAddress> unknown;
  for (const ResultIp& ip : ips_) unknown.push_back(ip.address.address);
  for (int tries = 1;; ++tries) {
    std::vector<Conflict> conflicts;
    pod_netns_->run_from(home_, [&] { conflicts = prober_->find_conflicts(unknown); });
    if (conflicts.empty()) return;
    const bool own_leases = !chained_ && !delegated_;
    const bool last = tries == kConflictTries || !own_leases || !pool_request_.requested.empty();
    std::string msg = "address " + conflicts.front().address.to_string() + " is in use by " +
                      (conflicts.front().owner.empty() ? std::string("another host")
                                                       : to_string(conflicts.front().owner));
    log_warning(msg);
    try {
      if (own_leases) replace_leases(conflicts, last);
    } catch (const Error& error) {
      throw error.with_context(msg);
    }
    if (last) throw Error(Code::kTryAgainLater, msg);
    // All of them again: the first answer ends a round, and the others have not been heard out.
    unknown.clear();
    for (const Lease& lease : attachment_.leases) unknown.push_back(lease.address.address);
    if (const Json* mac = attachment_.link.find("mac"); mac != nullptr) {
      link.address = parse_hw_address(mac->as_string()).value();
      pod_->send(hw_address_message(link.index, link.address), "set the MAC of " + link.name);
      prober_.emplace(*pod_, link);
    }
  }
}

// Puts the addresses that others have into quarantine and leases new ones in their place; after the
// `last` try, none.
void Add::replace_leases(const std::vector<Conflict>& conflicts, bool last) {
  const auto in_conflict = [&conflicts](const Lease& lease) {
    return std::any_of(conflicts.begin(), conflicts.end(), [&lease](const Conflict& conflict) {
      return conflict.address == lease.address.address;
    });
  };
  const Attachment before = attachment_;
  const auto give_up = [&](Txn& txn, Attachment& attachment) {
    const int64_t now = boot_seconds();
    for (const Lease& lease : before.leases) {
      if (in_conflict(lease)) quarantine(txn, lease, attachment.key, now + kQuarantine);
    }
    std::erase_if(attachment.leases, in_conflict);
  };
  if (!last) {
    try {
      session_.state->write([&](Txn& txn) {
        Attachment attachment = before;
        give_up(txn, attachment);
        Candidates candidates;
        for (const Lease& lease : before.leases) {
          if (!in_conflict(lease)) continue;
          const bool v4 = lease.address.family() == Family::kV4;
          (v4 ? candidates.ipv4 : candidates.ipv6) =
              v4 ? addressing_.candidates.ipv4 : addressing_.candidates.ipv6;
        }
        for (Lease& lease : allocate(txn, candidates, {}, attachment.key, boot_seconds())) {
          attachment.leases.push_back(std::move(lease));
        }
        addressing_.leases = attachment.leases;
        if (!asks_host()) plan_around(attachment);
        keep_handed_over(txn, attachment);
        put_attachment(txn, attachment);
        attachment_ = std::move(attachment);
      });
    } catch (const Error&) {
      // No other address: what is known to be in use must stay in quarantine all the same.
      replace_leases(conflicts, true);
      throw;
    }
    if (asks_host()) plan_recorded();
    return;
  }
  session_.state->write([&](Txn& txn) {
    Attachment attachment = before;
    give_up(txn, attachment);
    keep_handed_over(txn, attachment);
    put_attachment(txn, attachment);
    attachment_ = std::move(attachment);
  });
}

void Add::probe_gateways(const LinkInfo& link) {
  const CoordinatorConfig& config = config_.coordinator;
  const bool enabled = config.mode != CoordinatorConfig::Mode::kDisabled;
  std::vector<IpAddress> sources;
  std::vector<IpAddress> gateways;
  for (const ResultIp& ip : ips_) {
    sources.push_back(ip.address.address);
    if (ip.gateway) gateways.push_back(*ip.gateway);
  }
  if (enabled && config.detect_gateway) {
    std::vector<IpAddress> silent;
    pod_netns_->run_from(home_, [&] { silent = prober_->find_silent_gateways(sources, gateways); });
    if (!silent.empty()) {
      throw Error(Code::kTryAgainLater, "gateway " + silent.front().to_string() +
                                            " is unreachable from " + link.name +
                                            ": it answers no request");
    }
  }
  // The kernel announces by arp_notify and ndisc_notify when a link comes up. One that was up
  // before its addresses came, or had no carrier then, has to be announced here.
  const bool probed = enabled && config.detect_ip_conflict;
  // Without a carrier an IPoIB link sends nothing, and what neighbours know of an address is a
  // queue pair that is gone.
  const bool must_announce = is_ipoib(link.address);
  await_carrier(link, must_announce ? kCarrierBeforeProbes : kCarrierBeforeAnnouncing);
  if (probed || plan_.carrier_comes_late) {
    pod_netns_->run_from(home_, [&] { prober_->announce(sources); });
  }
}

// Waits until frames can be sent, or for `limit` at most.
void Add::await_carrier(const LinkInfo& link, std::chrono::milliseconds limit) {
  if (!plan_.carrier_comes_late) return;
  const auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const auto now = pod_->find_link(link.index);
    if (!now || (now->flags & IFF_RUNNING) != 0) return;
    if (std::chrono::steady_clock::now() >= end) {
      log_warning("interface " + link.name + " has no carrier");
      return;
    }
    usleep(kCarrierPause);
  }
}

}  // namespace railcni
