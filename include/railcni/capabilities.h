// What of root's powers a verb keeps (capabilities(7)).
#ifndef RAILCNI_CAPABILITIES_H_
#define RAILCNI_CAPABILITIES_H_

#include <cstdint>

namespace railcni {

// Sets of capabilities: the bits of <linux/capability.h>.
namespace capability {
constexpr uint64_t kNetAdmin = uint64_t{1} << 12;   // links, addresses, routes; RDMA devices
constexpr uint64_t kNetRaw = uint64_t{1} << 13;     // packet sockets of the probes
constexpr uint64_t kSysPtrace = uint64_t{1} << 19;  // which namespace a process is in
constexpr uint64_t kSysAdmin = uint64_t{1} << 21;   // entering a namespace
constexpr uint64_t kNone = 0;
constexpr uint64_t kUndo = kNetAdmin | kSysAdmin | kSysPtrace;
constexpr uint64_t kAll = kUndo | kNetRaw;
}  // namespace capability

// From here on this process has no capability but `permitted`, and of these `effective` are in
// force, as far as it had them. What it executes (another plugin) has root's again, by the rules of
// execve(2). Throws Error{kKernel}.
void keep_capabilities(uint64_t permitted, uint64_t effective);

// Puts `wanted` in force while it lives, as far as keep_capabilities() has left them; in a process
// that has kept all there is nothing to do.
class RaisedCapabilities {
 public:
  explicit RaisedCapabilities(uint64_t wanted);
  ~RaisedCapabilities();
  RaisedCapabilities(const RaisedCapabilities&) = delete;
  RaisedCapabilities& operator=(const RaisedCapabilities&) = delete;

 private:
  uint64_t before_;
};

}  // namespace railcni

#endif  // RAILCNI_CAPABILITIES_H_
