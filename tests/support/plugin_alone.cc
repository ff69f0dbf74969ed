// railcni as a plugin and nothing else: linked so that the linker says whether something that
// waits for the command line can be reached without it (tests/plugin_alone.ld). Never run.
#include "railcni/verbs.h"

int main() { return railcni::run_cni(); }
