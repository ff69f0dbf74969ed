#include "src/verbs/session.h"

#include "railcni/error.h"
#include "railcni/ipam.h"
#include "railcni/log.h"

namespace railcni {
namespace {

// The Pod's namespace of an attachment, if it still exists. The identity decides, not the path:
// another Pod's namespace may be at the path by now.
std::optional<Netns> find_pod(Session& session, const Attachment& attachment,
                              const std::string& path_hint) {
  if (auto netns = Netns::open_if_exists(path_hint); netns && netns->id() == attachment.netns) {
    return netns;
  }
  return session.census.find(attachment.netns, attachment.netns_path);
}

}  // namespace

AttachmentKey attachment_key(const Request& request) {
  return {request.config.at("name").as_string(), request.container_id, request.ifname};
}

std::optional<Attachment> find_attachment(Store& state, const AttachmentKey& key) {
  std::optional<Attachment> attachment;
  state.read([&](const Txn& txn) { attachment = get_attachment(txn, key); });
  return attachment;
}

void undo(Session& session, const Attachment& attachment, const std::string& path_hint) {
  const std::unique_ptr<Backend> backend = make_backend(attachment.cni_type);
  if (!backend) {
    throw Error(
        Code::kStoreDamaged,
        "attachment " + attachment.key.to_string() +
            " was made by a backend that this railcni does not have: " + attachment.cni_type);
  }
  if (const auto netns = find_pod(session, attachment, path_hint)) {
    std::optional<RouteSocket> pod;
    netns->run([&pod] { pod.emplace(); });
    backend->detach(session.host, &*pod, attachment);
  } else {
    log_info("the network namespace of " + attachment.key.to_string() + " is gone");
    backend->detach(session.host, nullptr, attachment);
  }
  session.state->write([&attachment](Txn& txn) {
    release(txn, attachment.leases, attachment.key);
    for (const std::string& device : attachment.devices) {
      release_device(txn, device, attachment.key);
    }
    erase_attachment(txn, attachment.key);
  });
}

}  // namespace railcni
