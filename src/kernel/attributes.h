// Walking the attributes of a netlink message. Whatever the kernel (or a fuzzer) sends, nothing is
// read past its end.
#ifndef RAILCNI_SRC_KERNEL_ATTRIBUTES_H_
#define RAILCNI_SRC_KERNEL_ATTRIBUTES_H_

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <cstring>
#include <string>

namespace railcni {

// Calls `visit` for each well-formed attribute after a fixed header of `header_size` bytes.
template <typename Visit>
void each_attribute(const nlmsghdr* header, size_t header_size, Visit visit) {
  if (static_cast<size_t>(nlmsg_datalen(header)) < header_size) return;
  int left = nlmsg_attrlen(header, static_cast<int>(header_size));
  for (const nlattr* attribute = nlmsg_attrdata(header, static_cast<int>(header_size));
       nla_ok(attribute, left); attribute = nla_next(attribute, &left)) {
    visit(nla_type(attribute), attribute);
  }
}

template <typename Visit>
void each_nested(const nlattr* outer, Visit visit) {
  int left = nla_len(outer);
  for (auto* attribute = static_cast<const nlattr*>(nla_data(outer)); nla_ok(attribute, left);
       attribute = nla_next(attribute, &left)) {
    visit(nla_type(attribute), attribute);
  }
}

// The attribute as a number; 0 when it is too short to be one.
template <typename Number>
Number number(const nlattr* attribute) {
  Number value = 0;
  if (static_cast<size_t>(nla_len(attribute)) >= sizeof value) {
    memcpy(&value, nla_data(attribute), sizeof value);
  }
  return value;
}

inline std::string text(const nlattr* attribute) {
  const auto* data = static_cast<const char*>(nla_data(attribute));
  return std::string(data, strnlen(data, static_cast<size_t>(nla_len(attribute))));
}

}  // namespace railcni

#endif  // RAILCNI_SRC_KERNEL_ATTRIBUTES_H_
