#include "plugins/chained/chained.h"

#include <cerrno>

#include "railcni/error.h"

namespace railcni {
namespace {

class Chained : public Backend {
 public:
  void configure(const NetworkConfig&) override {}

  LinkPlan plan(const PlanContext& context) override {
    const LinkInfo link = find(context);
    LinkPlan plan;
    plan.link = Json::object({{"index", link.index}, {"oldMac", to_string(link.address)}});
    return plan;
  }

  LinkInfo attach(const PlanContext& context, const Netns&, Json& link) override {
    LinkInfo found = find(context);
    if (const Json* mac = link.find("mac")) {
      const HwAddress address = parse_hw_address(mac->as_string()).value();
      context.pod.send(hw_address_message(found.index, address),
                       "set the MAC of " + found.name + " to " + mac->as_string());
      found.address = address;
    }
    return found;
  }

  void detach(RouteSocket&, const PodSide* pod, const Attachment& attachment) override {
    if (pod == nullptr || attachment.link.find("mac") == nullptr) return;
    const auto found = pod->route.find_link(static_cast<int>(attachment.link.at("index").as_int()));
    // Somebody after us may have set another one, which is not ours to take away.
    if (!found || to_string(found->address) != attachment.link.at("mac").as_string()) return;
    const auto old = parse_hw_address(attachment.link.at("oldMac").as_string());
    if (!old) return;
    const int error = pod->route.try_send(hw_address_message(found->index, *old));
    if (error != 0 && error != ENODEV) {
      throw_errno(Code::kKernel, "give " + found->name + " its MAC back", error);
    }
  }

  void status(RouteSocket&) override {}

  void check(RouteSocket&, const LinkInfo&, const Attachment&) override {}

 private:
  static LinkInfo find(const PlanContext& context) {
    const auto link = context.pod.find_link(context.request.ifname);
    if (!link) {
      throw Error(Code::kInvalidConfig,
                  "interface " + context.request.ifname +
                      " is not in the container: without cniType, railcni follows the plugin that "
                      "makes it");
    }
    return *link;
  }
};

}  // namespace

std::unique_ptr<Backend> make_chained_backend() { return std::make_unique<Chained>(); }

}  // namespace railcni
