// Network namespaces by their identity.
#include "railcni/netns.h"

#include <catch2/catch.hpp>

#include "tests/support/sandbox.h"

using namespace railcni;
using namespace railcni::test;

TEST_CASE("netns: a namespace has one identity, seen from outside or from inside") {
  const Pod pod;
  const Netns from_outside = Netns::open(pod.path());
  NetnsId from_inside;
  from_outside.run([&from_inside] { from_inside = Netns::current().id(); });
  CHECK(from_outside.id() == from_inside);
  CHECK(from_outside.id().cookie != 0);
  CHECK(from_outside.id().cookie != Netns::current().id().cookie);
  CHECK(Netns::open(Pod().path()).id().cookie != from_inside.cookie);
}

TEST_CASE("netns: run() comes back to where it was called, also from within another one") {
  const Pod outer;
  const Pod inner;
  const NetnsId home = Netns::current().id();
  Netns::open(outer.path()).run([&] {
    Netns::open(inner.path()).run([] {});
    CHECK(Netns::current().id() == Netns::open(outer.path()).id());
  });
  CHECK(Netns::current().id() == home);
}
