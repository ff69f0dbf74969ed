#include "railcni/deferred.h"

#include <unistd.h>

// Of src/command_line.ld; without that script there are none.
extern "C" {
using Constructor = void (*)(int, char**, char**);
extern Constructor railcni_command_line_begin[] __attribute__((weak, visibility("hidden")));
extern Constructor railcni_command_line_end[] __attribute__((weak, visibility("hidden")));
}

namespace railcni {

void run_deferred_constructors() {
  static bool done = false;
  if (done) return;
  done = true;
  // None of these looks at the arguments that a constructor gets.
  char* no_arguments[] = {nullptr};
  for (Constructor* step = railcni_command_line_begin; step != railcni_command_line_end; ++step) {
    (*step)(0, no_arguments, environ);
  }
}

}  // namespace railcni
