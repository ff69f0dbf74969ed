// Constructors that a call of the plugin goes without: see src/command_line.ld.
#ifndef RAILCNI_DEFERRED_H_
#define RAILCNI_DEFERRED_H_

namespace railcni {

// Runs what src/command_line.ld has set apart, at the first call: main() does it for the command
// line, and whoever reads YAML in a call of the plugin does it before. Where that script was not
// linked all of it has run before main(), and this does nothing.
void run_deferred_constructors();

}  // namespace railcni

#endif  // RAILCNI_DEFERRED_H_
