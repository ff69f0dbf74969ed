// What to do when a damaged store file makes LMDB fail in a way that no return code can tell: a
// failed assertion, or a page that is not there (SIGBUS) or points anywhere (SIGSEGV). Checksums
// would find a damaged page first, but LMDB has none, and a read of the whole file at each open is
// what a CNI plugin cannot afford.
#ifndef RAILCNI_SRC_STORE_FAULT_H_
#define RAILCNI_SRC_STORE_FAULT_H_

#include <signal.h>

#include <string>

#include "railcni/store.h"

namespace railcni {

// Handles SIGSEGV, SIGBUS, SIGFPE and SIGABRT while it lives. Guards may nest (the two files); the
// last one gives back the actions that were there before.
class FaultGuard {
 public:
  // `fallback` is the message of a fault outside of any FaultScope: a damaged page may have made
  // LMDB write over the heap, which shows later. The first guard's counts; empty: such a fault goes
  // to the action that was there before.
  explicit FaultGuard(const std::string& fallback = "");
  ~FaultGuard();
  FaultGuard(const FaultGuard&) = delete;
  FaultGuard& operator=(const FaultGuard&) = delete;
};

// While it lives, a fault is put down to one store file: `message` is reported and the process
// ends. Scopes nest.
class FaultScope {
 public:
  // `message` must outlive the scope.
  explicit FaultScope(const std::string& message);
  ~FaultScope();
  FaultScope(const FaultScope&) = delete;
  FaultScope& operator=(const FaultScope&) = delete;

 private:
  const char* previous_;
  size_t previous_size_;
};

// Reports the innermost scope's message and ends the process with status 1. Async-signal-safe.
[[noreturn]] void die_of_store_fault();

}  // namespace railcni

#endif  // RAILCNI_SRC_STORE_FAULT_H_
