#!/bin/sh
# Runs every test and counts them. Usage: run.sh BUILD [SUITE...]
set -eu

build=$(cd "$1" && pwd)
shift
here=$(cd "$(dirname "$0")" && pwd)
export RAILCNI_BIN="$build/railcni"
sanitized=$build-sanitize  # see ./dev
export UBSAN_OPTIONS=print_stacktrace=1
[ "$(id -u)" = 0 ] || { echo "tests: network namespaces need root" >&2; exit 1; }

. "$here/support/cases.sh"

work=$(mktemp -d)
vm_pid=
cleanup() {
  cases_kill
  [ -z "$vm_pid" ] || kill -- "-$vm_pid" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
passed=0 failed=0
# "SECONDS SUITE" for each; one that runs beside us writes to ours.
times=${RAILCNI_TEST_TIMES:-$work/times}

# timed NAME COMMAND...: runs a suite.
timed() {
  what=$1 began=$(date +%s)
  shift
  "$@"
  printf '%6d s  %s\n' "$(($(date +%s) - began))" "$what" >>"$times"
}

# suite NAME [BUILD]: a Catch2 program of that name.
suite() { timed "$1${2:+, with sanitizers}" run_suite "$@"; }
run_suite() {
  folder=${2:-$build}
  printf '\n==> %s\n' "$1${2:+, with sanitizers}"
  rm -rf "$work/cases"
  mkdir "$work/cases"
  cases_list "$work/cases" "$folder/tests/$1"
  RAILCNI_BIN=$folder/railcni cases_run "$work/cases" "$folder/tests/$1" \
    --durations yes --min-duration 5
  cases_sum "$work/cases" "$1"
  passed=$((passed + cases_passed)) failed=$((failed + cases_failed))
}

# single NAME COMMAND...: one test of its own; its output is shown when it fails.
single() {
  name=$1
  shift
  if output=$("$@" 2>&1); then
    passed=$((passed + 1))
    printf 'ok: %s\n' "$name"
  else
    failed=$((failed + 1))
    printf 'FAILED: %s\n%s\n' "$name" "$output"
  fi
}

binary_is_static() {
  # ldd calls a static-pie "statically linked", and a static binary that is not position
  # independent "not a dynamic executable".
  ldd "$RAILCNI_BIN" 2>&1 | grep -qE 'statically linked|not a dynamic executable'
  # No program interpreter: nothing of the machine it runs on is loaded into it.
  ! readelf -lW "$RAILCNI_BIN" | grep -q INTERP
  readelf -hW "$RAILCNI_BIN" | grep -q 'DYN'
}

binary_is_small() {
  size=$(stat -c %s "$RAILCNI_BIN")
  echo "$size bytes"
  [ "$size" -lt 4000000 ]
}

binary_runs_in_empty_chroot() {
  root=$(mktemp -d)
  cp "$RAILCNI_BIN" "$root/railcni"
  status=0
  chroot "$root" /railcni version && CNI_COMMAND=VERSION chroot "$root" /railcni || status=1
  rm -rf "$root"
  return $status
}

# A list whose names no longer match would leave it empty.
binary_has_hot_code_together() {
  size=$(readelf -SW "$RAILCNI_BIN" | sed -n 's/.*\.text\.hot *PROGBITS *[0-9a-f]* [0-9a-f]* \([0-9a-f]*\) .*/\1/p')
  echo "$((0x${size:-0})) bytes in .text.hot; tests/bench/hot.py makes src/hot.ld anew"
  [ "$((0x${size:-0}))" -gt 300000 ]
}

binary() {
  printf '\n==> binary\n'
  single 'the binary is one static-pie' binary_is_static
  single 'the binary is under 4 MB' binary_is_small
  single 'the binary runs in an empty chroot' binary_runs_in_empty_chroot
  single 'the code of a call is in one place of the binary' binary_has_hot_code_together
}

# What the counts are made with.
cases() {
  printf '\n==> cases\n'
  single 'a case that dies or hangs is one failure, and the others run' \
    "$here/support/cases_test.sh" "$build/tests/cases_example"
}

rules() {
  printf '\n==> rules\n'
  single 'third-party headers stay in their rooms, and rooms apart' "$here/lint.sh" "$build" rules
}

demo() { timed demo run_demo; }
run_demo() {
  printf '\n==> demo\n'
  single 'the demo runs, and leaves nothing' "$here/demo.sh" "$build"
  single 'the demo runs again' "$here/demo.sh" "$build"
}

# The same tests with AddressSanitizer and UndefinedBehaviorSanitizer, in the program and in railcni.
sanitize() {
  suite unit "$sanitized"
  suite netns "$sanitized"
}

# Each target counts as one test. What a failed one leaves is kept, for its input.
fuzz() { timed fuzz run_fuzz; }
run_fuzz() {
  printf '\n==> fuzz\n'
  counts=$work/fuzz
  findings=$(mktemp -d)
  # A change must not fail for what chance finds in another one: to look for more is ./dev fuzz's.
  FUZZ_SEED=1 "$here/fuzz/run.sh" "$sanitized" "$findings" 8 >"$counts" 2>&1 || true
  cat "$counts"
  p=$(grep -c '^ok: ' "$counts") || p=0
  f=$(ls "$here"/fuzz/*.cc | wc -l)
  f=$((f - p))
  passed=$((passed + p)) failed=$((failed + f))
  [ "$f" != 0 ] || rm -rf "$findings"
}

# lane NAME [KERNEL [SPECIFICATION]]: a VM, see vm/run.sh.
lane() { timed "vm, lane $1${2:+, kernel $2}" run_lane "$@"; }
run_lane() {
  printf '\n==> vm, lane %s\n' "$1${2:+, kernel $2}"
  rm -f "$work/counts"
  RAILCNI_VM_KERNEL=${2:-} RAILCNI_TEST_COUNTS=$work/counts "$here/vm/run.sh" "$build" "$1" "${3:-}" ||
    true
  # Without a root, or without QEMU, nothing of it has run.
  read -r p f <"$work/counts" || {
    p=0 f=$("$build/tests/vm" --list-test-names-only "${3:-[$1]}" | wc -l)
    echo "vm: none of the $f test cases of lane $1 did run"
  }
  passed=$((passed + p)) failed=$((failed + f))
}

# The tests that need other kernel modules or hardware; those that tell kernels apart run on the
# oldest and the newest one as well.
vm() {
  for name in ethernet roce infiniband; do lane "$name"; done
  for kernel in 6.1 newest; do
    for name in ethernet roce infiniband; do lane "$name" "$kernel" "[$name][kernels]"; done
  done
}

# All of them, on those kernels.
kernels() {
  for kernel in 6.1 newest; do
    for name in ethernet roce infiniband; do lane "$name" "$kernel"; done
  done
}

# The VM keeps one processor busy at most, and often waits: its lanes run beside the other suites.
begin_vm() {
  RAILCNI_TEST_TIMES=$times setsid "$0" "$build" vm >"$work/vm.log" 2>&1 &
  vm_pid=$!
}

finish_vm() {
  wait "$vm_pid" || true
  vm_pid=
  sed '$d' "$work/vm.log"
  read -r p _ f _ <<END
$(tail -n 1 "$work/vm.log")
END
  case $p$f in
    '' | *[!0-9]*)  # it died
      tail -n 1 "$work/vm.log"
      p=0 f=$("$build/tests/vm" --list-test-names-only | wc -l)
      ;;
  esac
  passed=$((passed + p)) failed=$((failed + f))
}

for suite in "${@:-all}"; do
  case $suite in
    all)
      rules
      binary
      cases
      begin_vm
      suite unit
      suite conformance
      suite netns
      suite adversary
      suite scale
      demo
      sanitize
      fuzz
      finish_vm
      ;;
    rules | binary | demo | cases | vm | kernels | sanitize | fuzz) "$suite" ;;
    *) suite "$suite" ;;
  esac
done

# At its end the one who asked tells how long each took.
[ -n "${RAILCNI_TEST_TIMES:-}" ] || ! [ -s "$times" ] || { echo && cat "$times"; }
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
