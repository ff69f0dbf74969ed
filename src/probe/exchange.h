// Asking in rounds and listening in between.
#ifndef RAILCNI_SRC_PROBE_EXCHANGE_H_
#define RAILCNI_SRC_PROBE_EXCHANGE_H_

#include <chrono>
#include <vector>

#include "railcni/probe.h"
#include "src/probe/packet_socket.h"

namespace railcni {

using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC

struct Rounds {
  int count = 1;
  std::chrono::milliseconds interval{0};   // from one to the next
  std::chrono::milliseconds last_wait{0};  // after the last one
};

// `probes` rounds of a conflict probe, and rounds that fill `gateway_limit`.
Rounds conflict_rounds(const ProbeTiming& timing);
Rounds gateway_rounds(const ProbeTiming& timing);

// Who asks, and hears what comes.
class Asker {
 public:
  virtual ~Asker() = default;
  virtual std::vector<Frame> questions() const = 0;  // to be sent in this round
  virtual void hear(FrameView frame) = 0;
  virtual bool done() const = 0;
};

// Sends and listens until the asker is done or the last round's wait is over, whatever arrives.
// Throws Error{kKernel} when the link goes down or away.
void exchange(PacketSocket& socket, const Rounds& rounds, Asker& asker);

}  // namespace railcni

#endif  // RAILCNI_SRC_PROBE_EXCHANGE_H_
