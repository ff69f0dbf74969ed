#include "railcni/capabilities.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "railcni/error.h"

namespace railcni {
namespace {

static_assert(capability::kNetAdmin == uint64_t{1} << CAP_NET_ADMIN);
static_assert(capability::kNetRaw == uint64_t{1} << CAP_NET_RAW);
static_assert(capability::kSysPtrace == uint64_t{1} << CAP_SYS_PTRACE);
static_assert(capability::kSysAdmin == uint64_t{1} << CAP_SYS_ADMIN);

// What keep_capabilities() has left; all that root has before that.
uint64_t permitted_now = ~uint64_t{0};
uint64_t effective_now = ~uint64_t{0};

// There is no call of the C library for these two.
bool set(uint64_t permitted, uint64_t effective) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  for (int half = 0; half < 2; ++half) {
    data[half].permitted = static_cast<uint32_t>(permitted >> (32 * half));
    data[half].effective = static_cast<uint32_t>(effective >> (32 * half));
  }
  return syscall(SYS_capset, &header, data) == 0;
}

uint64_t permitted_by_kernel() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return 0;
  return data[0].permitted | uint64_t{data[1].permitted} << 32;
}

}  // namespace

void keep_capabilities(uint64_t permitted, uint64_t effective) {
  if (permitted_now == ~uint64_t{0}) permitted_now = permitted_by_kernel();
  permitted &= permitted_now;
  effective &= permitted;
  if (!set(permitted, effective)) {
    throw_errno(Code::kKernel, "cannot give up capabilities", errno);
  }
  permitted_now = permitted;
  effective_now = effective;
}

RaisedCapabilities::RaisedCapabilities(uint64_t wanted) : before_(effective_now) {
  const uint64_t raised = effective_now | (wanted & permitted_now);
  if (raised != effective_now && set(permitted_now, raised)) effective_now = raised;
}

RaisedCapabilities::~RaisedCapabilities() {
  if (effective_now != before_ && set(permitted_now, before_)) effective_now = before_;
}

}  // namespace railcni
