#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "railcni/deferred.h"
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

// A netlink socket's buffer (128 KiB) lives about as long as the process does: on the heap it costs
// less than as a mapping of its own, with its faults and its unmapping.
void keep_buffers_on_the_heap() {
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  mallopt(M_TRIM_THRESHOLD, 2 << 20);
  mallopt(M_TOP_PAD, 512 << 10);  // it grows once
}

}  // namespace

int main(int argc, char** argv) {
  fill_standard_fds();
  keep_buffers_on_the_heap();
  railcni::set_program_name(argc > 0 ? argv[0] : nullptr);
  // A reader that went away is an error of write(2), not the end of a half-done verb.
  signal(SIGPIPE, SIG_IGN);
  // So is a limit on the size of files.
  signal(SIGXFSZ, SIG_IGN);
  const char* command = getenv("CNI_COMMAND");
  if (command != nullptr && *command != '\0') return railcni::run_cni();
  railcni::run_deferred_constructors();
  return railcni::run_cli(argc, argv);
}
