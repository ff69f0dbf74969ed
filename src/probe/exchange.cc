#include "src/probe/exchange.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "railcni/error.h"

namespace railcni {
namespace {

using std::chrono::milliseconds;

// How often a gateway is asked.
constexpr milliseconds kGatewayInterval{100};

// A frame of the usual MTU; ARP and NDP packets have less than 100 bytes.
constexpr size_t kBuffer = 2048;

// How many frames of a socket are taken before the clock is looked at again, so that frames that
// arrive faster than they are read cannot hold the loop.
constexpr int kFramesPerTurn = 64;

void wait_until(const PacketSocket& socket, Clock::time_point deadline) {
  pollfd waited = {socket.fd(), POLLIN, 0};
  const auto left = std::max(Clock::duration::zero(), deadline - Clock::now());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  timespec timeout{};
  timeout.tv_sec = seconds.count();
  timeout.tv_nsec = std::chrono::nanoseconds(left - seconds).count();
  if (ppoll(&waited, 1, &timeout, nullptr) < 0 && errno != EINTR) {
    throw_errno(Code::kKernel, "cannot wait for answers", errno);
  }
}

void hear_waiting(PacketSocket& socket, Asker& asker) {
  std::array<uint8_t, kBuffer> buffer;
  for (int i = 0; i < kFramesPerTurn; ++i) {
    const auto frame = socket.receive(buffer);
    if (!frame) return;
    asker.hear(*frame);
  }
}

}  // namespace

Rounds conflict_rounds(const ProbeTiming& timing) {
  return {std::max(1, timing.probes), timing.interval, timing.last_wait};
}

Rounds gateway_rounds(const ProbeTiming& timing) {
  Rounds rounds;
  rounds.count = static_cast<int>(std::max<int64_t>(1, timing.gateway_limit / kGatewayInterval));
  rounds.interval = kGatewayInterval;
  rounds.last_wait = timing.gateway_limit - (rounds.count - 1) * kGatewayInterval;
  return rounds;
}

void exchange(PacketSocket& socket, const Rounds& rounds, Asker& asker) {
  for (int round = 1; round <= rounds.count; ++round) {
    for (const Frame& frame : asker.questions()) socket.send(frame);
    const Clock::time_point end =
        Clock::now() + (round < rounds.count ? rounds.interval : rounds.last_wait);
    do {
      wait_until(socket, end);
      hear_waiting(socket, asker);
      if (asker.done()) return;
    } while (Clock::now() < end);
  }
}

}  // namespace railcni
