#include "railcni/namespaces.h"

#include <optional>

#include "railcni/netns.h"

namespace railcni {

void each_other_namespace(const PodSide* pod, const std::function<bool(RouteSocket&)>& visit) {
  const Netns home = Netns::current();
  NetnsCensus census;
  bool done = false;
  census.each([&](const Netns& netns, const std::string&) {
    if (done || netns.id() == home.id()) return;
    if (pod != nullptr && netns.id() == pod->netns.id()) return;
    std::optional<RouteSocket> socket;
    netns.run_from(home, [&socket] { socket.emplace(); });
    socket->accept_torn_dumps();
    done = visit(*socket);
  });
}

}  // namespace railcni
