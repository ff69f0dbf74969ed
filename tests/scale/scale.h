// What the scale tests share. They run in two sizes: a quick one in every `./dev test`, and the
// whole one (`./dev scale`, RAILCNI_SCALE=full in the environment) with a million leases, and for
// minutes.
#ifndef RAILCNI_TESTS_SCALE_SCALE_H_
#define RAILCNI_TESTS_SCALE_SCALE_H_

#include <sys/resource.h>

#include <chrono>
#include <memory>
#include <string>

#include "railcni/attachment.h"
#include "railcni/ipam.h"

namespace railcni::test {

bool full_scale();

// "big4", a /8, and "big6", a /64, are applied to the store in `dir`. Returns them as candidates.
Candidates apply_big_pools(const std::string& dir);
std::unique_ptr<Store> open_state(const std::string& dir);
// Of an attachment of the network "net" whose ADD was one of a macvlan (as an ADD in the Pod's
// namespace at `netns` leaves it), the same of container number `number`.
Attachment like(const Attachment& made, int number);

// A figure for people, never for a comparison: "100000 leases: ADD 2.1 ms".
void report(const std::string& line);
// The middle of `rounds` times that `work` takes, in milliseconds.
double median_ms(int rounds, const std::function<void()>& work);
// 1.5 MiB
std::string megabytes(uint64_t bytes);

}  // namespace railcni::test

#endif  // RAILCNI_TESTS_SCALE_SCALE_H_
