// What std::terminate() does in the static binary. libstdc++'s own handler prints the type of what
// was thrown, with a demangler whose tables every start of the process would have to relocate; all
// that railcni throws is caught by the verbs and the command line, with its message.
#include <unistd.h>

#include <cstdlib>
#include <string_view>

// NOLINTBEGIN(bugprone-reserved-identifier): libstdc++'s name.
namespace __gnu_cxx {

void __verbose_terminate_handler();

void __verbose_terminate_handler() {
  constexpr std::string_view kMessage = "railcni: an exception that nobody catches\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kMessage.data(), kMessage.size());
  abort();
}

}  // namespace __gnu_cxx
// NOLINTEND(bugprone-reserved-identifier)
