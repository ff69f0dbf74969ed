#include "tests/bench/world.h"

#include <sys/mount.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "tests/support/process.h"

namespace railcni::bench {

namespace fs = std::filesystem;

Installation::Installation(const std::string& railcni, const std::string& tools)
    : folder_(test::make_folder("bench-cni", tools)) {
  const test::Outcome outcome =
      test::run({.argv = {railcni, "install", "--to", folder_, "--as", "macvlan,host-local"}});
  if (!outcome.ok()) throw std::runtime_error(outcome.describe());
  fs::create_directory(disk());
  fs::copy_file(tools + "/bench_floor", folder_ + "/floor");
}

Installation::~Installation() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

World::World(const std::string& railcni, const std::string& tools)
    : ours_(railcni, tools),
      rail_("rail0", {.peer_addresses = {"10.77.0.1/16", "fd77::1/64"}}),
      launcher_(tools + "/bench_launcher") {
  if (mount(ours_.disk().c_str(), kOnDisk, nullptr, MS_BIND, nullptr) != 0) {
    throw std::runtime_error(std::string("mount /var/lib: ") + std::strerror(errno));
  }
  // The cluster's interface: beside it a rail gets a table and rules of its own.
  test::ip("link add cluster0 type veth peer name eth0 netns " + pod());
  test::ip("link set cluster0 up");
  test::ip("addr add 10.66.0.2/24 dev eth0", pod());
  test::ip("link set eth0 up", pod());
  test::ip("route add default via 10.66.0.1 dev eth0", pod());
}

Program World::call(const std::string& command, const Plugin& plugin,
                    const std::string& container) const {
  Program program;
  program.argv = {plugin.path};
  program.env = {"CNI_COMMAND=" + command, "CNI_CONTAINERID=" + container, "CNI_NETNS=" + pod(),
                 "CNI_IFNAME=net1", "CNI_ARGS=",
                 // Where a plugin of ours looks for its IPAM, and where a reference one does.
                 "CNI_PATH=" + (plugin.path.starts_with(kReference) ? kReference : ours_.folder()),
                 "PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  program.stdin_text = plugin.config.dump();
  return program;
}

std::pair<Sample, Json> World::add(const std::vector<Plugin>& chain, const std::string& container) {
  Sample sum;
  Json result;
  for (Plugin plugin : chain) {
    if (!result.is_null()) plugin.config["prevResult"] = result;
    std::string output;
    sum += launcher_.run(call("ADD", plugin, container), &output);
    result = Json::parse(output);
  }
  return {sum, result};
}

Sample World::del(const std::vector<Plugin>& chain, const std::string& container,
                  const Json& result) {
  Sample sum;
  for (size_t i = chain.size(); i-- > 0;) {
    Plugin plugin = chain[i];
    plugin.config["prevResult"] = result;
    sum += launcher_.run(call("DEL", plugin, container));
  }
  return sum;
}

std::string World::new_container() {
  // As long as a runtime's.
  char text[65];
  snprintf(text, sizeof text, "%064x", ++containers_);
  return text;
}

}  // namespace railcni::bench
