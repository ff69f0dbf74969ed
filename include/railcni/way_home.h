// Waiting for what the kernel brings home from a namespace that dies.
#ifndef RAILCNI_WAY_HOME_H_
#define RAILCNI_WAY_HOME_H_

#include <unistd.h>

namespace railcni {

// The kernel takes a dying namespace down in a work queue: this is how long, and how often looked
// for, its interfaces and RDMA devices may be on their way to the host.
inline constexpr int kHomeTries = 300;
inline constexpr useconds_t kHomePause = 10000;  // microseconds
// How often in a row something must be nowhere to be gone: while the kernel moves it, it is
// nowhere, too.
inline constexpr int kGoneTries = 100;

}  // namespace railcni

#endif  // RAILCNI_WAY_HOME_H_
