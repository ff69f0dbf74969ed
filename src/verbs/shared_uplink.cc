#include "src/verbs/shared_uplink.h"

#include <algorithm>
#include <optional>

#include "railcni/uplink.h"

namespace railcni {
namespace {

bool is_in_pod(const Attachment& attachment) {
  return attachment.link.find("linkInContainer") != nullptr;
}

// Whether `other` has its link on the uplink `name` of `attachment`, or on a VLAN on that.
bool uses(const Attachment& other, const Attachment& attachment, const std::string& name) {
  if (other.key == attachment.key || is_in_pod(other) != is_in_pod(attachment)) return false;
  if (is_in_pod(other) && other.netns != attachment.netns) return false;
  const Json* master = other.link.find("master");
  if (master == nullptr || !master->is_string()) return false;
  const std::string& text = master->as_string();
  return text == name || text.starts_with(name + ".");
}

// A bond is below the VLANs on it, and comes after them.
void add_made(Attachment& attachment, const Json& made) {
  Json& list = attachment.link["made"];
  if (list.is_null()) list = Json::array();
  const bool is_there = std::ranges::any_of(
      list.as_array(), [&made](const Json& entry) { return entry.at("name") == made.at("name"); });
  if (!is_there) list.push_back(made);
}

// Gives it to a record that uses it; false when there is none.
bool hand_over(Txn& txn, const Attachment& attachment, const Json& made) {
  const std::string& name = made.at("name").as_string();
  std::optional<Attachment> heir;
  scan_attachments(txn, "", [&](const Attachment& other) {
    if (uses(other, attachment, name)) heir = other;
    return !heir;
  });
  if (!heir) return false;
  add_made(*heir, made);
  if (const Json* lock = attachment.link.find("lock")) heir->link["lock"] = *lock;
  put_attachment(txn, *heir);
  return true;
}

}  // namespace

void release_uplink(Store& state, RouteSocket& socket, const Attachment& attachment) {
  if (attachment.link.find("lock") == nullptr) return;
  std::optional<Attachment> current;
  state.read([&](const Txn& txn) { current = get_attachment(txn, attachment.key); });
  const Json* list = current ? current->link.find("made") : nullptr;
  if (list == nullptr) return;
  for (const Json& made : list->as_array()) {
    bool handed_over = false;
    state.write([&](Txn& txn) { handed_over = hand_over(txn, attachment, made); });
    if (!handed_over) remove_uplink(socket, made);
  }
}

void keep_handed_over(const Txn& txn, Attachment& attachment) {
  if (attachment.link.find("lock") == nullptr) return;
  const auto current = get_attachment(txn, attachment.key);
  const Json* list = current ? current->link.find("made") : nullptr;
  if (list == nullptr) return;
  for (const Json& made : list->as_array()) add_made(attachment, made);
}

}  // namespace railcni
