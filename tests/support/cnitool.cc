// Runs a list of plugins as a container runtime does, from the command line:
//   cnitool ADD|CHECK|DEL CONFLIST-FILE CONTAINER-ID NETNS IFNAME
// Plugins are searched in CNI_PATH. The result of ADD is printed, and kept beside the list for
// CHECK and DEL.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>

#include "tests/support/runtime.h"

using namespace railcni;
using namespace railcni::test;

namespace {

std::string read_file(const std::string& path) {
  std::ifstream stream(path);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

int run(const std::vector<std::string>& args) {
  const Json list = Json::parse(read_file(args[1]));
  const Container container{.id = args[2], .netns = args[3], .ifname = args[4]};
  const std::string kept = args[1] + "." + container.id + "." + container.ifname + ".result";
  const char* cni_path = std::getenv("CNI_PATH");
  Runtime runtime(cni_path != nullptr ? cni_path : "/opt/cni/bin");
  if (args[0] != "ADD") runtime.restore(list, container, Json::parse(read_file(kept)));
  Call call;
  if (args[0] == "ADD") call = runtime.add(list, container);
  if (args[0] == "CHECK") call = runtime.check(list, container);
  if (args[0] == "DEL") call = runtime.del(list, container);
  std::cout << call.process.out;
  std::cerr << call.process.err;
  if (args[0] == "ADD" && call.ok()) std::ofstream(kept) << call.json.dump();
  if (args[0] == "DEL" && call.ok()) std::remove(kept.c_str());
  return call.ok() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() != 5 || (args[0] != "ADD" && args[0] != "CHECK" && args[0] != "DEL")) {
    std::cerr << "usage: cnitool ADD|CHECK|DEL CONFLIST-FILE CONTAINER-ID NETNS IFNAME\n";
    return 2;
  }
  try {
    return run(args);
  } catch (const std::exception& error) {
    std::cerr << "cnitool: " << error.what() << "\n";
    return 1;
  }
}
