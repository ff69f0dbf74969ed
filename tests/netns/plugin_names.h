// A folder for CNI_PATH in which the binary under test has other plugins' names.
#ifndef RAILCNI_TESTS_NETNS_PLUGIN_NAMES_H_
#define RAILCNI_TESTS_NETNS_PLUGIN_NAMES_H_

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/netns/world.h"

namespace railcni::test {

// The folder, then Debian's plugins.
inline std::string path_with_names(const std::vector<std::string>& names) {
  const std::string folder = make_folder("names");
  for (const std::string& name : names) {
    if (symlink(railcni_binary().c_str(), (folder + "/" + name).c_str()) != 0) {
      throw std::runtime_error("symlink " + name);
    }
  }
  return folder + ":/usr/lib/cni";
}

// Puts a shell script into the first folder of the path.
inline void put_script(const std::string& cni_path, const std::string& name,
                       const std::string& text) {
  const std::string file = cni_path.substr(0, cni_path.find(':')) + "/" + name;
  std::ofstream(file) << "#!/bin/sh\n" << text;
  chmod(file.c_str(), 0755);
}

inline std::string text_of_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_NETNS_PLUGIN_NAMES_H_
