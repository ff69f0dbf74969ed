#include "src/store/fault.h"

#include <errno.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <iterator>

namespace railcni {
namespace {

// Read in a signal handler, so plain lock-free values only.
std::atomic<const char*> fault_message{nullptr};
std::atomic<size_t> fault_message_size{0};
std::atomic<StoreFaultStyle> fault_style{StoreFaultStyle::kCniDocument};

int guards = 0;

// Of the first guard; a copy, since the store that gave it may be gone.
char fallback_message[4096];

// The handler's own: what is damaged may have led LMDB to the end of the stack.
alignas(16) char signal_stack[16384];

// SIGFPE: LMDB divides by the page size that it finds in the file. SIGABRT: what glibc's malloc
// ends with when a damaged node's size has made LMDB write over the heap.
constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT};
struct sigaction old_actions[std::size(kSignals)];

void write_all(int fd, const char* data, size_t size) {
  while (size > 0) {
    ssize_t n = ::write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    data += n;
    size -= static_cast<size_t>(n);
  }
}

void write_text(int fd, const char* text) { write_all(fd, text, std::strlen(text)); }

// As the inside of a JSON string.
void write_json(int fd, const char* text, size_t size) {
  char out[256];
  size_t used = 0;
  for (size_t i = 0; i < size; ++i) {
    if (used + 2 > sizeof out) {
      write_all(fd, out, used);
      used = 0;
    }
    if (text[i] == '"' || text[i] == '\\') out[used++] = '\\';
    // A control character in a path is nobody's intent; a '?' keeps the document valid.
    out[used++] = static_cast<unsigned char>(text[i]) < 0x20 ? '?' : text[i];
  }
  write_all(fd, out, used);
}

void on_fault(int signal_number) {
  if (fault_message.load() == nullptr && fallback_message[0] != '\0') {
    fault_message_size = std::strlen(fallback_message);
    fault_message = fallback_message;
  }
  if (fault_message.load() != nullptr) die_of_store_fault();
  // Not the store's: let it happen again under the action that was there before us.
  for (size_t i = 0; i < std::size(kSignals); ++i) {
    if (kSignals[i] == signal_number) sigaction(signal_number, &old_actions[i], nullptr);
  }
}

}  // namespace

FaultGuard::FaultGuard(const std::string& fallback) {
  if (guards++ > 0) return;
  if (fallback.size() < sizeof fallback_message) {
    std::memcpy(fallback_message, fallback.c_str(), fallback.size() + 1);
  }
  const stack_t stack{.ss_sp = signal_stack, .ss_flags = 0, .ss_size = sizeof signal_stack};
  sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_handler = on_fault;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_ONSTACK;
  for (size_t i = 0; i < std::size(kSignals); ++i) {
    sigaction(kSignals[i], &action, &old_actions[i]);
  }
}

FaultGuard::~FaultGuard() {
  if (--guards > 0) return;
  for (size_t i = 0; i < std::size(kSignals); ++i) {
    sigaction(kSignals[i], &old_actions[i], nullptr);
  }
}

FaultScope::FaultScope(const std::string& message)
    : previous_(fault_message.load()), previous_size_(fault_message_size.load()) {
  fault_message_size = message.size();
  fault_message = message.c_str();
}

FaultScope::~FaultScope() {
  fault_message = previous_;
  fault_message_size = previous_size_;
}

void die_of_store_fault() {
  const char* message = fault_message.load();
  size_t size = fault_message_size.load();
  if (message == nullptr) {
    message = "the store is damaged";
    size = std::strlen(message);
  }
  if (fault_style.load() == StoreFaultStyle::kCniDocument) {
    write_text(STDOUT_FILENO, "{\"cniVersion\":\"1.1.0\",\"code\":102,\"msg\":\"");
    write_json(STDOUT_FILENO, message, size);
    write_text(STDOUT_FILENO, "\"}\n");
  } else {
    write_text(STDERR_FILENO, "railcni: ");
    write_all(STDERR_FILENO, message, size);
    write_text(STDERR_FILENO, "\n");
  }
  // Not exit(): nothing of this process can be trusted to run. LMDB's mutex is a robust one, so the
  // next writer recovers it.
  _exit(1);
}

void set_store_fault_style(StoreFaultStyle style) { fault_style = style; }

}  // namespace railcni
