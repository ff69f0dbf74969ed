// The map of the store grows while others work with it.
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "railcni/ipam_role.h"
#include "src/store/lmdb_env.h"
#include "tests/netns/world.h"
#include "tests/scale/scale.h"
#include "tests/support/fill.h"

using namespace railcni;
using namespace railcni::test;

TEST_CASE("the store grows under ADDs and DELs of others") {
  enter_sandbox();
  const int count = full_scale() ? 1'000'000 : 20'000;
  const std::string dir = make_folder("growth");
  const Candidates candidates = apply_big_pools(dir);
  const Pod pod;
  const Json list = make_conflist(
      "1.0.0", "net",
      {Json::object(
          {{"type", "bridge"},
           {"ipam", Json::object({{"type", "railcni"},
                                  {"dataDir", dir},
                                  {"ippools", Json::parse(R"({"ipv4": ["big4"]})")}})}})});
  const auto call = [&](const std::string& verb, const std::string& id) {
    const Container container{.id = id, .netns = pod.path()};
    return exec_plugin(railcni_binary(), Runtime().environment(verb, container),
                       Runtime::plugin_config(list, 0, container, nullptr).dump());
  };
  // A small map to begin with: it grows six times at least.
  constexpr size_t kSmallMap = 1 << 20;
  open_store(Store::File::kState, StorePaths::from_data_dir(dir), Store::Mode::kCreate, kSmallMap);
  REQUIRE(call("ADD", "first").ok());

  const pid_t filler = fork();
  REQUIRE(filler >= 0);
  if (filler == 0) {
    try {
      const auto state = open_state(dir);
      // As many transactions as there may be, so that others get their turn.
      for (int done = 0; done < count; done += 500) {
        fill_store(*state, candidates, done, done + 500, [](int number) {
          Attachment attachment;
          attachment.key = {"filled", container_of(number), "eth0", kIpamAttachment};
          attachment.netns_path = "/run/netns/filled";
          return attachment;
        });
      }
      _exit(0);
    } catch (const std::exception& error) {
      fprintf(stderr, "filling: %s\n", error.what());
      _exit(1);
    }
  }
  int adds = 0;
  int status = 0;
  while (waitpid(filler, &status, WNOHANG) == 0) {
    const std::string id = "other" + std::to_string(adds++);
    const Call added = call("ADD", id);
    INFO(added.describe());
    CHECK(added.ok());
    if (adds % 2 == 0) {
      const Call deleted = call("DEL", id);
      INFO(deleted.describe());
      CHECK(deleted.ok());
    }
  }
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
  report(std::to_string(count) + " attachments of one process beside " + std::to_string(adds) +
         " ADDs of others");
  CHECK(adds > 2);
  CHECK(leased(dir).size() ==
        static_cast<size_t>(count) * 2 + 1 + static_cast<size_t>(adds - adds / 2));
  open_state(dir)->read([](const Txn& txn) { CHECK(check_invariants(txn).empty()); });
}
