#!/bin/sh
# clang-format, clang-tidy and the rules of the house that no compiler knows. Usage: lint.sh BUILD
set -eu
build=$1
failed=0

if ! git ls-files '*.cc' '*.h' | xargs clang-format --dry-run --Werror; then
  echo 'lint: not formatted: run ./dev fmt' >&2
  failed=1
fi

# rule TEXT PATTERN FOLDER...: the pattern must not be found in the folders.
rule() {
  text=$1
  pattern=$2
  shift 2
  if git grep -nE "$pattern" -- "$@"; then
    echo "lint: $text" >&2
    failed=1
  fi
}

rule 'lmdb.h belongs to src/store' '#include <lmdb\.h>' '*.cc' '*.h' ':!src/store' ':!tests'
rule 'libnl belongs to src/kernel' '#include <netlink/' '*.cc' '*.h' ':!src/kernel' ':!tests'
rule 'simdjson belongs to src/cni/json.cc' '#include <simdjson' '*.cc' '*.h' ':!src/cni/json.cc'
rule 'CLI11 and yaml-cpp belong to src/cli' '#include <(CLI|yaml-cpp)/' '*.cc' '*.h' ':!src/cli'
rule 'setns is called in src/kernel/netns.cc only' '[^a-z_]setns\(' 'src' 'plugins' 'ipam' \
  ':!src/kernel/netns.cc'
rule 'no plugin includes another, nor the store' '#include "(railcni/(store|ipam)|src/store)' plugins
rule 'the IPAM knows no kernel' '#include "railcni/(netlink|netns|uplink|addressing)' ipam
rule 'the protocol knows no backend and no kernel' \
  '#include "(plugins/|railcni/(backend|netlink|netns|store|ipam)\.h)' src/cni
rule 'a translation knows no backend, kernel or store' \
  '#include "(plugins/|railcni/(backend|netlink|netns|store|ipam)\.h)' src/dropin
rule 'the standard streams are not made outside of the command line' \
  '(<iostream>|std::(cout|cerr|clog|cin))' src plugins ipam include ':!src/cli'
rule 'nothing shells out' '[^a-z_](system|popen)\(' 'src' 'plugins' 'ipam'

git ls-files 'src/*.cc' 'plugins/*.cc' 'ipam/*.cc' | xargs -P 2 -n 4 clang-tidy -quiet -p "$build" ||
  failed=1

exit $failed
