#include "tests/netns/dhcp_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <stdexcept>

#include "railcni/netns.h"

namespace railcni::test {
namespace {

// RFC 2131, figure 1: the fixed part of a message, then the magic cookie and the options.
constexpr size_t kFlags = 10;
constexpr size_t kYourAddress = 16;
constexpr size_t kOptions = 240;
constexpr uint16_t kServerPort = 67;
constexpr uint16_t kClientPort = 68;
// RFC 2132, section 9.6.
constexpr uint8_t kMessageType = 53;
constexpr uint8_t kDiscover = 1;
constexpr uint8_t kOffer = 2;
constexpr uint8_t kRequest = 3;
constexpr uint8_t kAck = 5;
constexpr uint8_t kRelease = 7;

uint8_t message_type(const uint8_t* message, size_t size) {
  for (size_t at = kOptions; at + 2 < size && message[at] != 255; at += 2u + message[at + 1]) {
    if (message[at] == kMessageType) return message[at + 2];
  }
  return 0;
}

}  // namespace

DhcpServer::DhcpServer(const std::string& netns) {
  Netns::open(netns).run([this] {
    socket_ = Fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    setsockopt(socket_.get(), SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
    setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(socket_.get(), SOL_SOCKET, SO_BINDTODEVICE, "peer", sizeof "peer");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(kServerPort);
    if (bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("the DHCP server cannot bind");
    }
  });
  thread_ = std::thread([this] { serve(); });
}

DhcpServer::~DhcpServer() {
  stop_ = true;
  thread_.join();
}

void DhcpServer::serve() {
  while (!stop_) {
    pollfd entry = {socket_.get(), POLLIN, 0};
    if (poll(&entry, 1, 50) <= 0) continue;
    std::array<uint8_t, 1500> message{};
    const ssize_t count = recv(socket_.get(), message.data(), message.size(), 0);
    if (count < static_cast<ssize_t>(kOptions)) continue;
    const uint8_t type = message_type(message.data(), static_cast<size_t>(count));
    if (type == kRelease) released_ = true;
    if (type != kDiscover && type != kRequest) continue;
    if (type == kRequest) granted_ = true;
    message[0] = 2;          // a reply
    message[kFlags] = 0x80;  // broadcast: the client has no address yet
    const std::array<uint8_t, 4> yours = {10, 9, 0, 66};
    std::copy(yours.begin(), yours.end(), message.begin() + kYourAddress);
    const std::array<uint8_t, 34> options = {kMessageType,
                                             1,
                                             type == kDiscover ? kOffer : kAck,
                                             54,
                                             4,
                                             10,
                                             9,
                                             0,
                                             1,  // server
                                             51,
                                             4,
                                             0,
                                             0,
                                             0x0e,
                                             0x10,  // lease time
                                             1,
                                             4,
                                             255,
                                             255,
                                             255,
                                             0,  // subnet mask
                                             3,
                                             4,
                                             10,
                                             9,
                                             0,
                                             1,  // router
                                             255};
    std::fill(message.begin() + kOptions, message.end(), uint8_t{0});
    std::copy(options.begin(), options.end(), message.begin() + kOptions);
    sockaddr_in client{};
    client.sin_family = AF_INET;
    client.sin_port = htons(kClientPort);
    client.sin_addr.s_addr = INADDR_BROADCAST;
    sendto(socket_.get(), message.data(), kOptions + options.size(), 0,
           reinterpret_cast<sockaddr*>(&client), sizeof client);
  }
}

}  // namespace railcni::test
