#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "railcni/program_name.h"
#include "railcni/verbs.h"

namespace {

// A caller may start us with stdin, stdout or stderr closed. The next file we open would then get
// that number, and what is meant for the caller would be written into the store. An O_PATH
// descriptor takes the place: reading and writing it fail as on the closed one (EBADF).
void fill_standard_fds() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) < 0 && open("/", O_PATH) < 0) _exit(1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  fill_standard_fds();
  railcni::set_program_name(argc > 0 ? argv[0] : nullptr);
  // A reader that went away is an error of write(2), not the end of a half-done verb.
  signal(SIGPIPE, SIG_IGN);
  const char* command = getenv("CNI_COMMAND");
  if (command != nullptr && *command != '\0') return railcni::run_cni();
  return railcni::run_cli(argc, argv);
}
