// The clock that nobody sets.
#ifndef RAILCNI_CLOCK_H_
#define RAILCNI_CLOCK_H_

#include <cstdint>
#include <ctime>

namespace railcni {

// Seconds since the boot, suspension included (CLOCK_BOOTTIME): what is kept in a state of one boot
// and must end is measured by it. The time of day may jump by years when a clock is set.
inline int64_t boot_seconds() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec;
}

}  // namespace railcni

#endif  // RAILCNI_CLOCK_H_
