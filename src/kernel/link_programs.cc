#include "src/kernel/link_programs.h"

#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace railcni {
namespace {

// BPF_TCX_INGRESS and BPF_TCX_EGRESS of <linux/bpf.h> from Linux 6.6 on, which Debian 12 has
// without them. An older kernel has no such programs, and refuses to look for them.
constexpr uint32_t kTcxHooks[] = {46, 47};

bool has_tcx_programs(int index) {
  for (const uint32_t hook : kTcxHooks) {
    bpf_attr query{};
    query.query.target_fd = static_cast<uint32_t>(index);  // of these hooks, an interface's index
    query.query.attach_type = hook;
    const long error = syscall(SYS_bpf, BPF_PROG_QUERY, &query, sizeof query);
    if (error == 0 && query.query.prog_cnt != 0) return true;
  }
  return false;
}

NetlinkMessage no_xdp_message(int index, uint32_t mode) {
  ifinfomsg header{};
  header.ifi_index = index;
  NetlinkMessage message(RTM_SETLINK, 0, &header, sizeof header);
  message.nest(IFLA_XDP, [mode](NetlinkMessage& xdp) {
    xdp.put_u32(IFLA_XDP_FD, ~uint32_t{0});  // -1: none
    xdp.put_u32(IFLA_XDP_FLAGS, mode);
  });
  return message;
}

}  // namespace

bool remove_programs(RouteSocket& socket, const LinkInfo& link, uint32_t original) {
  if (link.xdp_program != 0 && link.xdp_program != original) {
    for (const uint32_t mode : {XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE, XDP_FLAGS_HW_MODE}) {
      socket.try_send(no_xdp_message(link.index, mode));
    }
    const auto now = socket.find_link(link.index);
    if (now && now->xdp_program != 0) return false;
  }
  return !has_tcx_programs(link.index);
}

}  // namespace railcni
