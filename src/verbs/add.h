// One ADD of a backend or of the chained form, from its configuration to its result. What it does
// is in add.cc, and what it asks and tells the link (probes, announcements) in add_probe.cc.
#ifndef RAILCNI_SRC_VERBS_ADD_H_
#define RAILCNI_SRC_VERBS_ADD_H_

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "railcni/addressing.h"
#include "railcni/probe.h"
#include "railcni/routing.h"
#include "src/verbs/leases.h"
#include "src/verbs/pool_request.h"
#include "src/verbs/session.h"

namespace railcni {

class Add {
 public:
  explicit Add(const Request& request);

  Result run();

 private:
  void read_previous();
  void open_pod();
  std::optional<Result> settled_before();
  void give_names_back();
  void plan();
  void record();
  void record_once();
  bool asks_host() const;
  void plan_recorded();
  void plan_around(Attachment& attachment);
  void choose_mac(Attachment& attachment) const;
  void save();
  Result execute();
  void take_addresses(LinkInfo& link);
  void prepare_pod(const LinkInfo& link);
  void avoid_conflicts(LinkInfo& link);
  void replace_leases(const std::vector<Conflict>& conflicts, bool last);
  void lay_routes(const LinkInfo& link);
  void probe_gateways(const LinkInfo& link);
  void await_carrier(const LinkInfo& link, std::chrono::milliseconds limit);
  Result make_result(const LinkInfo& link) const;

  const Request& request_;
  const NetworkConfig config_;
  const bool chained_;
  const bool delegated_;  // another plugin gives the addresses
  Session session_;
  std::unique_ptr<Backend> backend_;
  PoolRequest pool_request_;
  std::unique_ptr<Store> pools_;
  const Netns home_ = Netns::current();
  std::optional<Netns> pod_netns_;
  NetnsMark mark_;
  std::optional<RouteSocket> pod_;
  std::optional<Prober> prober_;

  LinkPlan plan_;
  NamespaceView pod_view_;
  std::optional<int> host_nsid_;  // by which the Pod's namespace knows the host's
  Result previous_;               // of the plugin before us, when chained
  Addressing addressing_;
  std::vector<ResultIp> ips_;
  std::vector<ResultRoute> routes_;  // that are wanted
  Json dns_;
  RoutingPlan routing_;
  Attachment attachment_;
};

}  // namespace railcni

#endif  // RAILCNI_SRC_VERBS_ADD_H_
