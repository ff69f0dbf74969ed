// The standard streams are made before main() in every program that has an object file which
// includes <iostream>, and of ours CLI11 and yaml-cpp have some: eight streams with their locales,
// a sixth of all instructions of a VERSION and seven page faults. Where railcni is a plugin nobody
// uses them (what it writes goes by write(2)), so they are made for the command line only.
//
// Linked with --wrap, which sends every call of the constructor of std::ios_base::Init here. Its
// destructor may stay: it counts down from what the constructor has counted, and without one it has
// nothing to flush.
#include <cstdlib>

// NOLINTBEGIN(bugprone-reserved-identifier): ld chooses the names.
extern "C" {

// std::ios_base::Init::Init(), as the linker knows it.
void __real__ZNSt8ios_base4InitC1Ev(void* self);
void __wrap__ZNSt8ios_base4InitC1Ev(void* self);

void __wrap__ZNSt8ios_base4InitC1Ev(void* self) {
  // As main() decides it.
  static const bool is_plugin = [] {
    const char* command = getenv("CNI_COMMAND");
    return command != nullptr && *command != '\0';
  }();
  if (!is_plugin) __real__ZNSt8ios_base4InitC1Ev(self);
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier)
