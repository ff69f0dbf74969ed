#include <algorithm>

#include "railcni/attachment.h"
#include "railcni/error.h"
#include "railcni/log.h"
#include "src/store/schema.h"

namespace railcni {
namespace {

constexpr size_t kMaxNetwork = 200;
constexpr size_t kMaxContainerId = 255;
constexpr size_t kMaxIfname = 15;

// `separators` stand between the parts in an owner's text, NUL in a key; no part can hold them.
void check_part(const std::string& part, const char* what, size_t limit, Code code,
                std::string_view separators = "/") {
  auto fail = [&](const std::string& why) {
    throw Error(code, std::string(what) + ": \"" + part + "\" " + why);
  };
  if (part.empty()) fail("must not be empty");
  if (part.size() > limit) {
    fail("has " + std::to_string(part.size()) + " bytes, at most " + std::to_string(limit) +
         " are possible");
  }
  bool bad = false;
  for (const char c : part) {
    bad |= static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    for (const char separator : separators) bad |= c == separator;
  }
  if (!bad) return;
  std::string characters;
  for (const char c : separators) characters += std::string("a '") + c + "' or ";
  fail("must not contain " + characters + "a control character");
}

std::string attachment_key(const AttachmentKey& key) {
  return schema::attachment_key(key.network, key.container_id, key.interface());
}

// What a key tells of its attachment: "network/containerID", the ID's start.
std::string name_of_row(std::string_view key) {
  std::string name(key.substr(1, key.size() - std::min(key.size(), 1 + sizeof(uint64_t))));
  std::replace(name.begin(), name.end(), '\0', '/');
  return name;
}

// `is_expected` says whether it is the record that should be there, `name` whose that is.
Attachment parse_record(std::string_view value, const std::string& name,
                        const std::function<bool(const AttachmentKey&)>& is_expected) {
  try {
    Attachment attachment = Attachment::from_json(Json::parse(value));
    if (is_expected(attachment.key)) return attachment;
    throw Error(Code::kStoreDamaged, "it is that of " + attachment.key.to_string());
  } catch (const Error& error) {
    throw Error(Code::kStoreDamaged,
                "the record of attachment " + name + " is damaged: " + error.msg(),
                error.details());
  }
}

std::string device_key(const std::string& device) {
  return schema::table(schema::kDevice) + device;
}

}  // namespace

std::string AttachmentKey::interface() const { return role.empty() ? ifname : ifname + ":" + role; }

std::string AttachmentKey::to_string() const {
  return network + "/" + container_id + "/" + interface();
}

AttachmentKey AttachmentKey::parse(std::string_view text) {
  size_t first = text.find('/');
  size_t second = first == std::string_view::npos ? first : text.find('/', first + 1);
  if (second == std::string_view::npos || text.find('/', second + 1) != std::string_view::npos) {
    throw Error(Code::kStoreDamaged,
                "\"" + std::string(text) + "\" is not an attachment (network/containerID/ifname)");
  }
  const std::string_view interface = text.substr(second + 1);
  const size_t colon = std::min(interface.find(':'), interface.size());
  return {std::string(text.substr(0, first)),
          std::string(text.substr(first + 1, second - first - 1)),
          std::string(interface.substr(0, colon)),
          std::string(interface.substr(std::min(colon + 1, interface.size())))};
}

void check_attachment_key(const AttachmentKey& key) {
  check_part(key.network, "name", kMaxNetwork, Code::kInvalidConfig);
  check_part(key.container_id, "CNI_CONTAINERID", kMaxContainerId, Code::kInvalidEnvironment);
  // Behind a ':' interface() puts the role.
  check_part(key.ifname, "CNI_IFNAME", kMaxIfname, Code::kInvalidEnvironment, "/:");
}

Json Attachment::to_json() const {
  Json leased = Json::array();
  for (const Lease& lease : leases) {
    leased.push_back(Json::object({{"pool", lease.pool}, {"address", lease.address.to_string()}}));
  }
  return Json::object({{"network", key.network},
                       {"containerID", key.container_id},
                       {"ifname", key.ifname},
                       {"role", key.role},
                       {"settled", settled},
                       {"netns", netns_path},
                       {"netnsDev", netns.dev},
                       {"netnsIno", netns.ino},
                       {"netnsCookie", netns.cookie},
                       {"nsidHost", mark.host},
                       {"nsid", mark.number},
                       {"cniType", cni_type},
                       {"podNamespace", pod_namespace},
                       {"podName", pod_name},
                       {"created", created},
                       {"devices", Json::strings(devices)},
                       {"leases", std::move(leased)},
                       {"ipam", ipam},
                       {"link", link},
                       {"routing", routing},
                       {"result", result}});
}

Attachment Attachment::from_json(const Json& json) {
  try {
    Attachment attachment;
    attachment.key = {json.at("network").as_string(), json.at("containerID").as_string(),
                      json.at("ifname").as_string(), json.at("role").as_string()};
    attachment.settled = json.at("settled").as_bool();
    attachment.netns_path = json.at("netns").as_string();
    attachment.netns = {json.at("netnsDev").as_uint(), json.at("netnsIno").as_uint(),
                        json.at("netnsCookie").as_uint()};
    // Records of schema 2 have no number.
    if (const Json* number = json.find("nsid")) {
      attachment.mark = {json.at("nsidHost").as_uint(), static_cast<int32_t>(number->as_int())};
    }
    attachment.cni_type = json.at("cniType").as_string();
    attachment.pod_namespace = json.at("podNamespace").as_string();
    attachment.pod_name = json.at("podName").as_string();
    attachment.created = json.at("created").as_int();
    for (const Json& device : json.at("devices").as_array()) {
      attachment.devices.push_back(device.as_string());
    }
    for (const Json& lease : json.at("leases").as_array()) {
      attachment.leases.push_back(
          {lease.at("pool").as_string(),
           IpPrefix::parse_or_throw(lease.at("address").as_string(), "address")});
    }
    // A railcni that knew of no other plugins' IPAM wrote records without it.
    if (const Json* ipam = json.find("ipam")) attachment.ipam = *ipam;
    attachment.link = json.at("link");
    attachment.routing = json.at("routing");
    attachment.result = json.at("result");
    return attachment;
  } catch (const Error& error) {
    throw Error(Code::kStoreDamaged, "not an attachment's record: " + error.msg(), error.details());
  }
}

void put_attachment(Txn& txn, const Attachment& attachment) {
  check_attachment_key(attachment.key);
  const Json record = attachment.to_json();
  // What cannot be read back would be found by the DEL, when it is too late.
  if (record.depth() >= Json::kMaxDepth) {
    throw Error(Code::kInvalidConfig,
                "attachment " + attachment.key.to_string() +
                    " cannot be recorded: its configuration is nested too deeply");
  }
  txn.put(attachment_key(attachment.key), record.dump());
}

std::optional<Attachment> get_attachment(const Txn& txn, const AttachmentKey& key) {
  std::optional<std::string_view> value = txn.get(attachment_key(key));
  if (!value) return std::nullopt;
  return parse_record(*value, key.to_string(),
                      [&key](const AttachmentKey& recorded) { return recorded == key; });
}

bool erase_attachment(Txn& txn, const AttachmentKey& key) { return txn.erase(attachment_key(key)); }

void scan_attachments(const Txn& txn, const std::string& network,
                      const std::function<bool(const Attachment&)>& visit,
                      const std::function<void(const Error&)>& unreadable) {
  std::string prefix = schema::table(schema::kAttachment);
  if (!network.empty()) prefix.append(network).push_back('\0');
  txn.scan(prefix, "", [&](std::string_view key, std::string_view value) {
    std::optional<Attachment> attachment;
    try {
      attachment = parse_record(value, name_of_row(key), [key](const AttachmentKey& recorded) {
        return attachment_key(recorded) == key;
      });
    } catch (const Error& error) {
      if (unreadable) {
        unreadable(error);
      } else {
        log_warning(error.msg());
      }
      return true;
    }
    return visit(*attachment);
  });
}

std::optional<AttachmentKey> claim_device(Txn& txn, const std::string& device,
                                          const AttachmentKey& owner) {
  check_part(device, "device", 200, Code::kInvalidConfig);
  std::string key = device_key(device);
  if (std::optional<std::string_view> claimed = txn.get(key)) {
    AttachmentKey other = AttachmentKey::parse(*claimed);
    if (other != owner) return other;
    return std::nullopt;
  }
  txn.put(key, owner.to_string());
  return std::nullopt;
}

std::optional<AttachmentKey> device_owner(const Txn& txn, const std::string& device) {
  const std::optional<std::string_view> claimed = txn.get(device_key(device));
  if (!claimed) return std::nullopt;
  return AttachmentKey::parse(*claimed);
}

void release_device(Txn& txn, const std::string& device, const AttachmentKey& owner) {
  std::string key = device_key(device);
  std::optional<std::string_view> claimed = txn.get(key);
  if (claimed && *claimed == owner.to_string()) txn.erase(key);
}

namespace {

std::string distant_key(const std::string& device) {
  return schema::table(schema::kDistantDevice) + device;
}

}  // namespace

void put_distant_owner(Txn& txn, const std::string& device, const DistantOwner& owner) {
  check_part(device, "device", 200, Code::kInvalidConfig);
  txn.put(distant_key(device), owner.state_dir + '\0' + owner.key.to_string());
}

std::optional<DistantOwner> distant_owner(const Txn& txn, const std::string& device) {
  const std::optional<std::string_view> claimed = txn.get(distant_key(device));
  if (!claimed) return std::nullopt;
  const size_t end = claimed->find('\0');
  if (end == std::string_view::npos) {
    throw Error(Code::kStoreDamaged, "the claim of device " + device + " cannot be read");
  }
  return DistantOwner{std::string(claimed->substr(0, end)),
                      AttachmentKey::parse(claimed->substr(end + 1))};
}

void erase_distant_owner(Txn& txn, const std::string& device, const DistantOwner& owner) {
  if (distant_owner(txn, device) == owner) txn.erase(distant_key(device));
}

}  // namespace railcni
