// Stores with many leases in them, made without a process for each.
#ifndef RAILCNI_TESTS_SUPPORT_FILL_H_
#define RAILCNI_TESTS_SUPPORT_FILL_H_

#include <functional>
#include <string>

#include "railcni/attachment.h"
#include "railcni/ipam.h"

namespace railcni::test {

// A container ID; IDs of successive numbers are spread as a runtime's random ones are, not in
// order.
std::string container_of(int number);

// Leases and records as ADDs of the attachments from number `first` up to `last`, without it, would
// have left them: attachment(i) has no leases yet, and gets one of each family of `candidates`.
void fill_store(Store& state, const Candidates& candidates, int first, int last,
                const std::function<Attachment(int)>& attachment);

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_SUPPORT_FILL_H_
