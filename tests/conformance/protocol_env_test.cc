// The environment: what is required, what is refused, and in which order things are looked at.
#include <catch2/catch.hpp>
#include <map>

#include "tests/conformance/fixture.h"

using namespace railcni;
using namespace railcni::test;

namespace {

constexpr const char* kNowhere = "/run/netns/nowhere";

const std::map<std::string, std::vector<std::string>> kRequired = {
    {"ADD", {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"}},
    {"CHECK", {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"}},
    {"DEL", {"CNI_CONTAINERID", "CNI_IFNAME"}},
    {"GC", {"CNI_PATH"}},
};

std::vector<std::string> without(std::vector<std::string> env, const std::string& name,
                                 bool keep_empty) {
  std::erase_if(env, [&](const std::string& entry) { return entry.starts_with(name + "="); });
  if (keep_empty) env.push_back(name + "=");
  return env;
}

}  // namespace

TEST_CASE("env: each required variable is asked for, by every verb, before stdin is read") {
  const Plugin plugin;
  for (const auto& [verb, variables] : kRequired) {
    const auto env = plugin.runtime.environment(verb, {"ctr-1", kNowhere, "net1"});
    for (const std::string& variable : variables) {
      for (const bool empty : {false, true}) {
        INFO(verb << " without " << variable << (empty ? " (empty)" : ""));
        const Call call = exec_plugin(plugin.binary, without(env, variable, empty), "garbage");
        check_error(call, 4, {variable});
        for (const std::string& other : variables) {
          if (other != variable) CHECK_THAT(call.msg(), !Catch::Contains(other));
        }
      }
    }
    INFO(verb << " without any variable");
    check_error(exec_plugin(plugin.binary, {"CNI_COMMAND=" + verb}, "garbage"), 4, variables);
  }
}

TEST_CASE("env: an unknown CNI_COMMAND") {
  const Plugin plugin;
  for (const std::string verb : {"FOO", "add", "ADD ", "ADDX", "-h", "version"}) {
    const auto env = plugin.runtime.environment(verb, {"ctr-1", kNowhere, "net1"});
    check_error(exec_plugin(plugin.binary, env, "garbage"), 4, {verb});
  }
}

TEST_CASE("env: things are looked at in the reference's order") {
  const Plugin plugin;
  const Container bad_id{"-bad", kNowhere, "net1"};
  const Container good{"ctr-1", kNowhere, "net1"};
  check_error(plugin.call_text("ADD", "garbage", bad_id), 6);
  Json nameless = plugin.config("9.9.9");
  nameless.erase("name");
  check_error(plugin.call("ADD", nameless, bad_id), 7, {"name"});
  check_error(plugin.call("ADD", plugin.config("9.9.9"), bad_id), 4, {"-bad"});
  check_error(plugin.call("ADD", plugin.config("9.9.9"), {"-bad", kNowhere, "a/b"}), 4, {"-bad"});
  check_error(plugin.call("ADD", plugin.config("9.9.9"), good), 1, {"9.9.9"});
  check_error(plugin.call("CHECK", plugin.config("0.3.1"), good), 1, {"CHECK"});
  check_error(plugin.call("ADD", with(plugin.config(), "cniType", "nothing"), good), 7,
              {"cniType"});
  check_error(plugin.call("ADD", plugin.config(), good), 3, {kNowhere});
}

TEST_CASE("env: container IDs") {
  const Plugin plugin;
  for (const std::string id :
       {"-a", ".a", "_a", "a b", "a/b", "../a", "a:b", "a\nb", "\xc3\xa9", " a", "a\x01"}) {
    for (const std::string verb : {"ADD", "DEL", "CHECK"}) {
      INFO(verb << " " << id);
      check_error(plugin.call(verb, plugin.config(), {id, kNowhere, "net1"}), 4,
                  {"CNI_CONTAINERID"});
    }
  }
  // The longest in use are 64 hexadecimal digits; what the store cannot hold is refused, not cut.
  const std::string longest(64, 'f');
  check_error(plugin.call("ADD", plugin.config(), {longest, kNowhere, "net1"}), 3);
  check_error(plugin.call("ADD", plugin.config(), {"A.b_c-9", kNowhere, "net1"}), 3);
  const Pod pod;
  check_error(plugin.call("ADD", plugin.config(), {std::string(4000, 'f'), pod.path(), "net1"}), 0);
  CHECK(plugin.leased().empty());
}

TEST_CASE("env: interface names") {
  const Plugin plugin;
  for (const std::string ifname :
       {".", "..", "a/b", "/", "a:b", "a b", "a\tb", "a\nb", " ", "1234567890123456", "\x0b"}) {
    for (const std::string verb : {"ADD", "DEL", "CHECK"}) {
      INFO(verb << " " << ifname);
      check_error(plugin.call(verb, plugin.config(), {"ctr-1", kNowhere, ifname}), 4,
                  {"CNI_IFNAME"});
    }
  }
  for (const std::string ifname : {"123456789012345", "a.b-c_d@1", "...", "\xc3\xa9"}) {
    INFO(ifname);
    check_error(plugin.call("ADD", plugin.config(), {"ctr-1", kNowhere, ifname}), 3);
  }
}

TEST_CASE("env: CNI_NETNS that is no network namespace") {
  const Plugin plugin;
  const Json before = snapshot();
  check_error(plugin.call("ADD", plugin.config(), {"ctr-1", kNowhere, "net1"}), 3, {kNowhere});
  for (const std::string path : {"/etc/passwd", "/run", "/proc/self/ns/mnt", "/dev/null"}) {
    INFO(path);
    check_error(plugin.call("ADD", plugin.config(), {"ctr-1", path, "net1"}), 0, {path});
    check_error(plugin.call("CHECK", plugin.config(), {"ctr-1", path, "net1"}), 0);
    // A DEL must not be stopped by what has taken the path since.
    check_silent_success(plugin.call("DEL", plugin.config(), {"ctr-1", path, "net1"}));
  }
  CHECK(changes_since(before) == "");
  CHECK(plugin.leased().empty());
}

TEST_CASE("env: CNI_NETNS that is the caller's own namespace") {
  const RailPlugin plugin;
  const Json before = snapshot();
  const Container own{"ctr-1", "/proc/self/ns/net", "net1"};
  check_error(plugin.call("ADD", plugin.config(), own), 8, {"/proc/self/ns/net"});
  CHECK(changes_since(before) == "");
  CHECK(plugin.leased().empty());
  // A link of that name in the host is not ours to delete.
  ip("link add net1 type veth peer name net1peer");
  check_silent_success(plugin.call("DEL", plugin.config(), own));
  CHECK_FALSE(link_of("net1").is_null());
  ip("link del net1");

  for (const std::string value : {"1", "true"}) {
    INFO("CNI_NETNS_OVERRIDE=" << value);
    auto env = plugin.runtime.environment("ADD", own);
    env.push_back("CNI_NETNS_OVERRIDE=" + value);
    const Call added = exec_plugin(plugin.binary, env, plugin.config().dump());
    INFO(added.describe());
    CHECK(added.ok());
    CHECK_FALSE(link_of("net1").is_null());
    env = plugin.runtime.environment("DEL", own);
    env.push_back("CNI_NETNS_OVERRIDE=" + value);
    check_silent_success(exec_plugin(plugin.binary, env, plugin.config().dump()));
    CHECK(link_of("net1").is_null());
    CHECK(plugin.leased().empty());
  }
  for (const std::string value : {"0", "false", "", "yes please"}) {
    INFO("CNI_NETNS_OVERRIDE=" << value);
    auto env = plugin.runtime.environment("ADD", own);
    env.push_back("CNI_NETNS_OVERRIDE=" + value);
    check_error(exec_plugin(plugin.binary, env, plugin.config().dump()), 8);
  }
}

TEST_CASE("env: VERSION needs nothing and waits for nothing") {
  const Plugin plugin;
  Command command;
  command.argv = {plugin.binary};
  command.env = {"CNI_COMMAND=VERSION"};
  command.timeout = std::chrono::minutes(1);
  const Json versions = Json::strings(kVersions);
  for (const auto mode :
       {Command::Stdin::kSilent, Command::Stdin::kClosed, Command::Stdin::kText}) {
    command.stdin_mode = mode;
    for (const std::string text : {"", "garbage", R"({"cniVersion":"9.9.9"})"}) {
      command.stdin_text = text;
      const Outcome outcome = run(command);
      INFO(outcome.describe());
      CHECK_FALSE(outcome.timed_out);
      REQUIRE(outcome.ok());
      const Json reply = Json::parse(outcome.out);
      CHECK(reply.at("supportedVersions") == versions);
      CHECK(reply.at("cniVersion").as_string() == "1.1.0");
    }
  }
}

TEST_CASE("env: a stdin that cannot be read") {
  const Plugin plugin;
  Command command;
  command.argv = {plugin.binary};
  command.stdin_mode = Command::Stdin::kClosed;
  for (const std::string verb : {"ADD", "DEL", "CHECK", "STATUS", "GC"}) {
    command.env = plugin.runtime.environment(verb, {"ctr-1", kNowhere, "net1"});
    Call call;
    call.process = run(command);
    INFO(verb << ": " << call.describe());
    REQUIRE_NOTHROW(call.json = Json::parse(call.process.out));
    check_error(call, 5);
  }
}

TEST_CASE("env: a result that cannot be written is no success") {
  const Plugin plugin;
  Command command;
  command.argv = {plugin.binary};
  command.env = {"CNI_COMMAND=VERSION"};
  for (const std::string path : {"/dev/full", "-"}) {
    command.stdout_path = path;
    const Outcome outcome = run(command);
    INFO(path << ": " << outcome.describe());
    CHECK(outcome.exit_code > 0);
  }
}

TEST_CASE("env: CNI_ARGS") {
  const Plugin plugin;
  const auto call = [&](const std::string& args, const std::string& verb = "ADD") {
    Container container{"ctr-1", kNowhere, "net1"};
    container.args = args;
    return plugin.call(verb, plugin.config(), container);
  };
  check_error(call("novalue"), 4, {"novalue"});
  check_error(call("=x"), 4);
  check_error(call("FOO=1"), 4, {"FOO"});
  check_error(call("IgnoreUnknown=0;FOO=1"), 4, {"FOO"});
  // These get as far as the namespace.
  for (const std::string args :
       {"IgnoreUnknown=1;FOO=1", "IgnoreUnknown=true;FOO=1", "FOO=1;IgnoreUnknown=true",
        "K8S_POD_NAME=a;K8S_POD_NAME=b", "K8S_POD_NAME=", ";;K8S_POD_UID=1;", "K8S_POD_NAME=a=b"}) {
    INFO(args);
    check_error(call(args), 3);
  }
  const Pod pod;
  Container asking = container_in(pod);
  asking.args = "IP=999.1.1.1";
  const RailPlugin rail_plugin;
  check_error(rail_plugin.call("ADD", rail_plugin.config(), asking), 7, {"999.1.1.1"});
  // Nothing of this may keep a DEL from its work.
  check_silent_success(call("novalue;FOO=1;IP=x", "DEL"));
}
