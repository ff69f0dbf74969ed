// Verbs that die or fail on their way, by railcni-faults (fault_points.cc), and what is left of
// them.
#ifndef RAILCNI_TESTS_SUPPORT_FAULTS_H_
#define RAILCNI_TESTS_SUPPORT_FAULTS_H_

#include <string>
#include <vector>

#include "tests/support/runtime.h"

namespace railcni::test {

// A run of railcni-faults, and the steps that it took.
struct FaultRun {
  Call call;
  std::vector<std::string> steps;  // "17 send sendmsg", as fault_points.cc logs them
  std::string struck;              // the one where the last fault struck; empty: none did

  bool killed() const { return call.process.signal != 0; }
  std::string describe() const;
};

// Runs railcni-faults in the place of the command's program, under that program's name. `fault` is
// RAILCNI_FAULT.
FaultRun run_with_fault(Command command, const std::string& fault);

// Something that verbs are tried on: one attachment, and the system around it.
class FaultWorld {
 public:
  virtual ~FaultWorld() = default;

  // The attachment's container. Its Pod is alive: a new one when the last was lost.
  virtual Container container() = 0;
  virtual void lose_pod() = 0;
  // Expects that the whole system, records included, is what it was before the attachment.
  virtual void require_as_before() = 0;

  Runtime runtime;
  std::string dir;  // the dataDir
  Json list;
  // Others of the network, which stand all the time.
  std::vector<Container> others;
  Json result;  // of the last ADD

  // What a verb of the list's one plugin is run with, as railcni (also where that plugin is
  // another, and railcni its IPAM). GC's valid attachments are `others`.
  Command command(const std::string& verb, const Container& container) const;
  // Runs it without a fault and expects success.
  void call(const std::string& verb, const Container& container);
};

// Each runs a verb with `fault` ("kill", "killed-in-1000:sysfs", "EIO:recv") at its first step, its
// second and so on, until it is through without having been struck, and returns how often it was.
// After a kill the next DEL, GC, ADD with DEL, `railcni gc` or DEL after the Pod's end, by turns,
// must clean up. A verb that fails must say so with one error document; a failed ADD has cleaned up
// itself. EINTR must not be seen at all.
int walk_add(FaultWorld& world, const std::string& fault);
int walk_del(FaultWorld& world, const std::string& fault);
int walk_gc(FaultWorld& world, const std::string& fault);

// The number of attachments that are recorded. Expects that all tables of the store agree.
size_t count_records(const std::string& data_dir);

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_SUPPORT_FAULTS_H_
