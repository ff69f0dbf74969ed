// A DHCP server (RFC 2131) on the fabric's end of a rail, for tests with the dhcp IPAM.
#ifndef RAILCNI_TESTS_NETNS_DHCP_SERVER_H_
#define RAILCNI_TESTS_NETNS_DHCP_SERVER_H_

#include <atomic>
#include <string>
#include <thread>

#include "railcni/fd.h"

namespace railcni::test {

// Answers on the interface `peer` of a namespace as 10.9.0.1, and has but one lease to give:
// 10.9.0.66/24 with router 10.9.0.1, for an hour.
class DhcpServer {
 public:
  explicit DhcpServer(const std::string& netns);
  DhcpServer(const DhcpServer&) = delete;
  DhcpServer& operator=(const DhcpServer&) = delete;
  ~DhcpServer();

  bool granted() const { return granted_; }
  bool released() const { return released_; }

 private:
  void serve();

  Fd socket_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> granted_ = false;
  std::atomic<bool> released_ = false;
  std::thread thread_;
};

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_NETNS_DHCP_SERVER_H_
