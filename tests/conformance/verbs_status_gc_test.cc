// STATUS and GC, and railcni's own reclaim.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <optional>

#include "tests/conformance/fixture.h"

using namespace railcni;
using namespace railcni::test;

namespace {

Json valid(const std::vector<Container>& containers) {
  Json list = Json::array();
  for (const Container& container : containers) {
    list.push_back(Json::object({{"containerID", container.id}, {"ifname", container.ifname}}));
  }
  return list;
}

}  // namespace

TEST_CASE("STATUS: ready, or why not") {
  const RailPlugin plugin;
  const Json host = snapshot();
  check_silent_success(plugin.call("STATUS", plugin.config(), {"", "", ""}));
  // Runtimes may leave unset what a verb does not need.
  check_silent_success(exec_plugin(plugin.binary, {"CNI_COMMAND=STATUS"}, plugin.config().dump()));
  const Call gone =
      plugin.call("STATUS", with(plugin.config(), "macvlan.master", "nothere"), {"", "", ""});
  check_error(gone, 50, {"nothere"});
  check_error(plugin.call("STATUS", with(plugin.config(), "dataDir", "/proc/x"), {"", "", ""}), 7);
  // A folder that may be and cannot be made: what is there is a file.
  const std::string file = plugin.data_dir + "/state.mdb";
  check_error(plugin.call("STATUS", with(plugin.config(), "dataDir", file), {"", "", ""}), 50,
              {file});
  check_error(plugin.call("STATUS", with(plugin.config(), "cniTyp", "x"), {"", "", ""}), 7,
              {"cniTyp"});
  ip("link set rail9 down");
  check_error(plugin.call("STATUS", plugin.config(), {"", "", ""}), 50, {"rail9"});
  ip("link set rail9 up");
  // A full pool takes no node out of service.
  std::vector<Pod> pods(4);
  for (size_t i = 0; i < pods.size(); ++i) {
    REQUIRE(plugin.call("ADD", plugin.config(), container_in(pods[i], "ctr-" + std::to_string(i)))
                .ok());
  }
  check_silent_success(plugin.call("STATUS", plugin.config(), {"", "", ""}));
}

TEST_CASE("GC: frees what is not valid, of this network only") {
  RailPlugin plugin;
  const Pod a;
  const Pod b;
  const Pod c;
  const Json before = snapshot(b.path());
  const Container keep = container_in(a, "ctr-a");
  const Container stale = container_in(b, "ctr-b");
  const Container foreign = container_in(c, "ctr-b");
  REQUIRE(plugin.call("ADD", plugin.config(), keep).ok());
  REQUIRE(plugin.call("ADD", plugin.config(), stale).ok());
  REQUIRE(plugin.call("ADD", plugin.config("1.1.0", "net-b"), foreign).ok());
  Json config = plugin.config();
  const Container none{"", "", ""};

  SECTION("without a list nothing is freed") {
    check_silent_success(plugin.call("GC", config, none));
    CHECK(plugin.leased().size() == 3);
    check_silent_success(plugin.call("GC", with(config, "ipMasq", false), none));
    CHECK(plugin.leased().size() == 3);
  }
  SECTION("a list that cannot be read frees nothing") {
    for (const std::string list :
         {"5", "{}", "\"x\"", "[5]", "[{}]", R"([{"containerID":"ctr-a"}])",
          R"([{"containerID":5,"ifname":"net1"}])"}) {
      INFO(list);
      config["cni.dev/valid-attachments"] = Json::parse(list);
      check_error(plugin.call("GC", config, none), 7, {"valid-attachments"});
      CHECK(plugin.leased().size() == 3);
    }
  }
  SECTION("by one key, the other, or both as libcni sends them") {
    const std::string keys = GENERATE("cni.dev/valid-attachments", "cni.dev/attachments", "both");
    if (keys != "both") {
      config[keys] = valid({keep});
      check_silent_success(plugin.call("GC", config, none));
    } else {
      config.erase("name");
      check_silent_success(plugin.runtime.gc(make_conflist("1.1.0", "net-a", {config}), {keep}));
    }
    CHECK(plugin.leased() == std::vector<std::string>{"10.9.0.10/24", "10.9.0.12/24"});
    // Its Pod is alive: the link goes, too.
    CHECK(changes_since(before, b.path()) == "");
    CHECK_FALSE(link_of("net1", a.path()).is_null());
    CHECK_FALSE(link_of("net1", c.path()).is_null());
    check_silent_success(plugin.call("DEL", plugin.config(), stale));
  }
  SECTION("another interface of a valid container is not valid") {
    config["cni.dev/valid-attachments"] = valid({keep, {"ctr-b", "", "net2"}});
    check_silent_success(plugin.call("GC", config, none));
    CHECK(plugin.leased().size() == 2);
  }
  SECTION("an empty list frees all of this network") {
    config["cni.dev/valid-attachments"] = Json::array();
    check_silent_success(plugin.call("GC", config, none));
    CHECK(plugin.leased() == std::vector<std::string>{"10.9.0.12/24"});
    check_silent_success(plugin.call("GC", config, none));
  }
}

TEST_CASE("GC: of attachments whose Pod, link or master is gone") {
  Plugin plugin;
  std::optional<Pod> gone(std::in_place);
  const Pod alive;
  {
    const Rail rail("rail9");
    REQUIRE(plugin.call("ADD", plugin.config(), container_in(*gone, "ctr-a")).ok());
    REQUIRE(plugin.call("ADD", plugin.config(), container_in(alive, "ctr-b")).ok());
    gone.reset();
  }
  Json config = plugin.config();
  config["cni.dev/valid-attachments"] = Json::array();
  check_silent_success(plugin.call("GC", config, {"", "", ""}));
  CHECK(plugin.leased().empty());
}

TEST_CASE("reclaim: railcni gc undoes what is left of Pods that are gone, and nothing else") {
  const RailPlugin plugin;
  std::optional<Pod> gone(std::in_place);
  const Pod alive;
  REQUIRE(plugin.call("ADD", plugin.config(), container_in(*gone, "ctr-gone")).ok());
  REQUIRE(plugin.call("ADD", plugin.config(), container_in(alive, "ctr-alive")).ok());
  CHECK(plugin.reclaim().at("undone").as_array().empty());
  const std::string path = gone->path();
  gone.reset();
  const Json dry = plugin.reclaim("--dry-run");
  REQUIRE(dry.at("undone").as_array().size() == 1);
  CHECK(dry.at("undone").as_array()[0].at("containerID").as_string() == "ctr-gone");
  CHECK(dry.at("undone").as_array()[0].at("netns").as_string() == path);
  CHECK(plugin.leased().size() == 2);
  CHECK(plugin.reclaim().at("undone").as_array().size() == 1);
  CHECK(plugin.leased() == std::vector<std::string>{"10.9.0.11/24"});
  CHECK_FALSE(link_of("net1", alive.path()).is_null());
  CHECK(plugin.reclaim().at("inconsistencies").as_array().empty());
}

TEST_CASE("reclaim: a Pod that only a process keeps alive is alive") {
  const RailPlugin plugin;
  Pod pod;
  REQUIRE(plugin.call("ADD", plugin.config(), container_in(pod)).ok());
  Command sleeper;
  sleeper.argv = {"sleep", "60"};
  sleeper.env = {"PATH=/usr/bin:/bin"};
  sleeper.netns = pod.path();
  Child child(sleeper);
  // The child has entered the namespace once it runs its program.
  for (int i = 0; i < 1000; ++i) {
    char name[64] = {};
    const std::string link = "/proc/" + std::to_string(child.pid()) + "/exe";
    if (readlink(link.c_str(), name, sizeof name - 1) > 0 &&
        std::string(name).find("sleep") != std::string::npos) {
      break;
    }
    usleep(1000);
  }
  pod.destroy();
  CHECK(plugin.reclaim().at("undone").as_array().empty());
  CHECK(plugin.leased().size() == 1);
  child.kill();
  child.wait();
  CHECK(plugin.reclaim().at("undone").as_array().size() == 1);
  CHECK(plugin.leased().empty());
}

TEST_CASE("reclaim: an ADD that meets a full pool takes back what is stale") {
  const RailPlugin plugin;
  {
    std::vector<Pod> pods(4);
    for (size_t i = 0; i < pods.size(); ++i) {
      REQUIRE(plugin.call("ADD", plugin.config(), container_in(pods[i], "ctr-" + std::to_string(i)))
                  .ok());
    }
  }
  CHECK(plugin.leased().size() == 4);
  const Pod pod;
  const Call added = plugin.call("ADD", plugin.config(), container_in(pod, "late"));
  INFO(added.describe());
  REQUIRE(added.ok());
  CHECK(plugin.leased().size() == 1);
}
