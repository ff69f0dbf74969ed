#!/bin/sh
# Runs fuzz targets, two at a time: first all seeds, and then for some seconds whatever comes of
# them. Usage: run.sh BUILD FOLDER SECONDS [TARGET...]
# With $FUZZ_SEED the way that chance takes is always the same one.
# Into FOLDER go each target's corpus, its log, and the inputs that it fails with.
set -eu

build=$1 folder=$2 seconds=$3
here=$(cd "$(dirname "$0")" && pwd)
if [ $# != 4 ]; then
  shift 3
  # shellcheck disable=SC2046  # a list
  [ $# != 0 ] || set -- $(cd "$here" && ls ./*.cc | sed 's|^\./||; s|\.cc$||')
  printf '%s\n' "$@" | xargs -P 2 -n 1 "$0" "$build" "$folder" "$seconds"
  exit
fi

target=$4
program=$build/tests/fuzz/$target
log=$folder/$target.log
mkdir -p "$folder/$target"
# A machine may be busy; what never ends is still found.
set -- -timeout=30 -rss_limit_mb=2048 "-artifact_prefix=$folder/$target-"
[ ! -f "$here/$target.dict" ] || set -- "$@" "-dict=$here/$target.dict"
[ -z "${FUZZ_SEED:-}" ] || set -- "$@" "-seed=$FUZZ_SEED"
export UBSAN_OPTIONS=print_stacktrace=1

if "$program" "$@" "$here/seeds/$target"/* >"$log" 2>&1 &&
  "$program" "$@" -max_total_time="$seconds" "$folder/$target" "$here/seeds/$target" >"$log" 2>&1
then
  printf 'ok: fuzz %s: %s\n' "$target" "$(sed -n 's/^#\([0-9]*\).*DONE *\(cov: [0-9]* ft: [0-9]*\).*/\1 runs, \2/p' "$log")"
else
  # Less the line of each input that has reached something new; in one piece, beside another target.
  printf 'FAILED: fuzz %s\n%s\n' "$target" \
    "$(grep -vE '^(#[0-9]|INFO:|[[:space:]]*NEW_FUNC)' "$log" | tail -n 60)"
  exit 1
fi
