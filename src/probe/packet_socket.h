// Raw frames of one link (packet(7)).
#ifndef RAILCNI_SRC_PROBE_PACKET_SOCKET_H_
#define RAILCNI_SRC_PROBE_PACKET_SOCKET_H_

#include <optional>
#include <string>

#include "railcni/fd.h"
#include "railcni/netlink.h"
#include "src/probe/ethernet.h"
#include "src/probe/filter.h"

namespace railcni {

// Sends frames of any EtherType, and receives none before listen().
class PacketSocket {
 public:
  // In the calling thread's namespace. Throws Error{kKernel}.
  explicit PacketSocket(const LinkInfo& link);

  // Receives what passes the filter, from now on; another call changes the filter.
  void listen(const Filter& filter);

  // Lets the link take frames to the multicast address as long as the socket lives.
  void join(const MacAddress& group);

  // Throws Error{kKernel} when the link is down or gone. False when only this frame could not be
  // sent (a full queue).
  bool send(FrameView frame);

  // The next frame that waits, if any; it lies in `buffer`. What does not fit (no ARP or NDP
  // packet that a prober could use is that long) is skipped. Never blocks; throws Error{kKernel}
  // when the link is down or gone.
  std::optional<FrameView> receive(std::span<uint8_t> buffer);

  int fd() const { return fd_.get(); }

 private:
  [[noreturn]] void fail(const std::string& what) const;

  int link_;
  std::string link_name_;
  Fd fd_;
  bool bound_ = false;
};

}  // namespace railcni

#endif  // RAILCNI_SRC_PROBE_PACKET_SOCKET_H_
