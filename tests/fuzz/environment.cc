// The environment of a call: lines of VARIABLE=VALUE.
#include <cstdlib>

#include "railcni/attachment.h"
#include "railcni/config.h"
#include "railcni/pod_mac.h"
#include "railcni/request.h"
#include "tests/fuzz/fuzz.h"

namespace railcni::fuzz {
namespace {

constexpr const char* kVariables[] = {"CNI_COMMAND",       "CNI_CONTAINERID", "CNI_NETNS",
                                      "CNI_IFNAME",        "CNI_ARGS",        "CNI_PATH",
                                      "CNI_NETNS_OVERRIDE"};

void set_environment(std::string_view text) {
  for (const char* variable : kVariables) unsetenv(variable);
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string value(line.substr(equals + 1));
    for (const char* variable : kVariables) {
      if (line.substr(0, equals) == variable) setenv(variable, value.c_str(), 1);
    }
  }
}

void check_args(const Request& request) {
  std::string text;
  for (const auto& [key, value] : request.args) {
    text += (text.empty() ? "" : ";") + key + "=" + value;
    (void)request.arg(key);
  }
  require(parse_cni_args(text) == request.args, "CNI_ARGS put together again", text);
}

void check_key(const AttachmentKey& key) {
  if (!accepts([&] { check_attachment_key(key); })) return;
  require(AttachmentKey::parse(key.to_string()) == key, "an attachment's name", key.to_string());
}

void read_all() {
  Request request = read_environment();
  request.config = Json::object({{"name", "net"}});
  const char* args = getenv("CNI_ARGS");
  request.args = parse_cni_args(args != nullptr ? args : "");
  check_args(request);
  check_request(request);
  // What is recorded of it must come back as it was.
  const Json record = Json::object({{"netns", request.netns}, {"path", request.path}});
  require(Json::parse(record.dump()) == record, "a record of the environment", record.dump());
  check_key({"net", request.container_id, request.ifname});
  check_key({"net", request.container_id, request.ifname, "chained"});
  (void)requested_ips(request);
  (void)requested_mac(NetworkConfig(), request, "", "");
}

}  // namespace
}  // namespace railcni::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace railcni;
  fuzz::set_environment(fuzz::text_of(data, size));
  fuzz::accepts(fuzz::read_all);
  return 0;
}
