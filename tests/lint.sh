#!/bin/sh
# clang-format, clang-tidy and the rules of the house that no compiler knows.
# Usage: lint.sh BUILD [format|rules|tidy]...; all of them without names
set -eu
build=$1
shift
cd "$(dirname "$0")/.."
failed=0

sources() { find src include plugins ipam tests \( -name '*.cc' -o -name '*.h' \) | LC_ALL=C sort; }

format() {
  sources | xargs clang-format --dry-run --Werror && return
  echo 'lint: not formatted: run ./dev fmt' >&2
  failed=1
}

# rule TEXT PATTERN WHERE EXCEPT: no source whose path matches WHERE, and not EXCEPT, has the pattern.
rule() {
  if sources | grep -E "$3" | grep -vE "$4" | xargs -r grep -nE "$2"; then
    echo "lint: $1" >&2
    failed=1
  fi
}

rules() {
  ours='^(src|include|plugins|ipam)/'
  rule 'lmdb.h belongs to src/store' '#include <lmdb\.h>' "$ours" '^src/store/'
  rule 'libnl belongs to src/kernel' '#include <netlink/' "$ours" '^src/kernel/'
  rule 'libibverbs belongs to src/kernel' '#include <infiniband/' "$ours" '^src/kernel/'
  rule 'simdjson belongs to src/cni/json.cc' '#include <simdjson' . '^src/cni/json\.cc'
  rule 'CLI11 belongs to src/cli' '#include <CLI/' . '^src/cli/'
  rule 'yaml-cpp belongs to src/yaml' '#include <yaml-cpp/' . '^src/yaml/'
  rule 'YAML is for the command line and the policy' \
    '#include "src/yaml/' "$ours" '^src/(yaml|policy|cli)/'
  rule 'Catch2 belongs to the tests' '#include <catch2/' "$ours" '^$'
  rule 'setns is called in src/kernel/netns.cc only' '[^a-z_]setns\(' "$ours" '^src/kernel/netns\.cc'
  rule 'no plugin includes another, nor the store' \
    '#include "(railcni/(store|ipam)|src/store)' '^plugins/' '^$'
  rule 'the IPAM knows no kernel' '#include "railcni/(netlink|netns|uplink|addressing)' '^ipam/' '^$'
  rule 'the protocol, and translations to it, know no backend, kernel or store' \
    '#include "(plugins/|railcni/(backend|netlink|netns|store|ipam)\.h)' '^src/(cni|dropin)/' '^$'
  rule 'the standard streams are not made outside of the command line' \
    '(<iostream>|std::(cout|cerr|clog|cin))' "$ours" '^src/cli/'
  rule 'nothing shells out' '[^a-z_](system|popen)\(' '^(src|plugins|ipam)/' '^$'
}

tidy() {
  sources | grep -E '^(src|plugins|ipam)/.*\.cc$' |
    xargs -P 2 -n 4 clang-tidy -quiet -p "$build" || failed=1
}

[ $# -gt 0 ] || set -- format rules tidy
for check in "$@"; do
  "$check"
done
exit $failed
