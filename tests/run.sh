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

counts=$(mktemp)
vm_log=$(mktemp)
vm_pid=
cleanup() {
  [ -z "$vm_pid" ] || kill -- "-$vm_pid" 2>/dev/null || true
  rm -f "$counts" "$vm_log"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
passed=0 failed=0

# suite NAME [BUILD]: a Catch2 program of that name; it appends "PASSED FAILED" to the file of counts.
suite() {
  folder=${2:-$build}
  printf '\n==> %s\n' "$1${2:+, with sanitizers}"
  : >"$counts"
  RAILCNI_BIN=$folder/railcni RAILCNI_TEST_COUNTS=$counts "$folder/tests/$1" \
    --durations yes --min-duration 5 || true
  # A suite that died before its end has no counts: that is a failure too.
  read -r p f <"$counts" || { p=0 f=1; echo "$1: died" >&2; }
  passed=$((passed + p)) failed=$((failed + f))
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

rules() {
  printf '\n==> rules\n'
  single 'third-party headers stay in their rooms, and rooms apart' "$here/lint.sh" "$build" rules
}

demo() {
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
fuzz() {
  printf '\n==> fuzz\n'
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

# The tests that need other kernel modules or hardware: a VM for each lane, see vm/run.sh.
vm() {
  for lane in ethernet roce infiniband; do
    printf '\n==> vm, lane %s\n' "$lane"
    : >"$counts"
    RAILCNI_TEST_COUNTS=$counts "$here/vm/run.sh" "$build" "$lane" || true
    # No root, no QEMU: that is a failure too.
    read -r p f <"$counts" || { p=0 f=1; echo "vm: lane $lane did not run" >&2; }
    passed=$((passed + p)) failed=$((failed + f))
  done
}

# The VM keeps one processor busy at most, and often waits: its lanes run beside the other suites.
begin_vm() {
  setsid "$0" "$build" vm >"$vm_log" 2>&1 &
  vm_pid=$!
}

finish_vm() {
  wait "$vm_pid" || true
  vm_pid=
  sed '$d' "$vm_log"
  read -r p _ f _ <<END
$(tail -n 1 "$vm_log")
END
  case $p$f in
    '' | *[!0-9]*) p=0 f=1 ;;  # it died
  esac
  passed=$((passed + p)) failed=$((failed + f))
}

for suite in "${@:-all}"; do
  case $suite in
    all)
      rules
      binary
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
    rules | binary | demo | vm | sanitize | fuzz) "$suite" ;;
    *) suite "$suite" ;;
  esac
done

printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
