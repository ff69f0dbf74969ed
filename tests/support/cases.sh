# Runs the test cases of a Catch2 program such that one that ends the program, hangs, or takes its
# machine with it, is one failure, and the others run. For POSIX shells to source.
#
# What became of the cases is kept in a folder:
#   all       their names, one a line
#   specification, left   what is given to Catch2 at first, and then
#   log       "begin NAME", "pass NAME", "fail NAME": as they begin and end (case_counter.cc)
#   progress  touched when something is checked, at most once a second

# Seconds for which a case may go without checking anything: for what hangs, and not for what is slow.
cases_patience=${RAILCNI_TEST_PATIENCE:-900}
cases_session=  # the program that runs, which leads a session of that number

# cases_list FOLDER PROGRAM [SPECIFICATION]: begins with the cases that fit.
cases_list() {
  : >"$1/log"
  echo "${3:-}" >"$1/specification"
  # Its exit code is their number.
  "$2" --list-test-names-only ${3:+"$3"} >"$1/all" || true
}

# cases_left FOLDER: those that have not begun.
cases_left() {
  sed -n 's/^begin //p' "$1/log" | grep -vxF -f - "$1/all" || true
}

cases_begun() { grep -c '^begin ' "$1/log" || true; }

# cases_close FOLDER: nothing runs any more; the case that has not ended has failed.
cases_close() {
  last=$(tail -n 1 "$1/log")
  case $last in
    'begin '*)
      echo "fail ${last#begin }" >>"$1/log"
      echo "FAILED: ${last#begin }: it did not come to its end"
      ;;
  esac
}

# The processes of the program's session.
cases_processes() {
  for process in /proc/[0-9]*; do
    read -r line 2>/dev/null <"$process/stat" || continue
    # PID (COMMAND) STATE PARENT GROUP SESSION ...
    # shellcheck disable=SC2086  # words
    set -- ${line##*) }
    [ "${4:-}" != "$cases_session" ] || echo "${process#/proc/}"
  done
}

cases_kill() {
  [ -n "$cases_session" ] || return 0
  for process in $(cases_processes); do kill -9 "$process" 2>/dev/null || true; done
}

# Where each of its processes waits in the kernel.
cases_tell_stuck() {
  echo "tests: nothing was checked for $cases_patience seconds; what runs:"
  for process in $(cases_processes); do
    echo "$process: $(tr '\0' ' ' <"/proc/$process/cmdline")"
    sed -n 's/^State:/  state/p' "/proc/$process/status"
    sed 's/^/  /' "/proc/$process/stack"
  done 2>/dev/null
}

# What to do when even a killed case does not end. In a VM: restart it.
cases_hopeless() { echo "tests: it is killed and does not end"; }

cases_watch() {
  while sleep 5 >/dev/null 2>&1; do
    now=$(date +%s)
    [ "$((now - $(stat -c %Y "$1/progress")))" -ge "$cases_patience" ] || continue
    cases_tell_stuck
    cases_kill
    sleep 60 >/dev/null 2>&1  # which outlives its shell
    cases_hopeless
  done
}

cases_start() {
  RAILCNI_TEST_CASES=$cases_folder setsid "$cases_program" "$@" &
  cases_session=$!
}

# cases_run FOLDER PROGRAM [OPTION...]: runs those that are left, in as many processes as it takes.
cases_run() {
  cases_folder=$1 cases_program=$2
  cases_specification=$(cat "$1/specification")
  shift 2
  while cases_left "$cases_folder" >"$cases_folder/left" && [ -s "$cases_folder/left" ]; do
    cases_before=$(cases_begun "$cases_folder")
    # For Catch2 a name is a pattern, but for what is in quotes, or behind a backslash.
    sed -i 's/[\\",]/\\&/g; s/.*/"&"/' "$cases_folder/left"
    touch "$cases_folder/progress"
    if [ "$cases_before" = 0 ]; then
      cases_start "$@" ${cases_specification:+"$cases_specification"}
    else
      cases_start "$@" -f "$cases_folder/left"
    fi
    cases_watch "$cases_folder" &
    cases_watcher=$!
    wait "$cases_session" || true
    cases_kill
    kill "$cases_watcher" 2>/dev/null || true
    wait "$cases_watcher" 2>/dev/null || true
    cases_session=
    cases_close "$cases_folder"
    # It does not even begin.
    [ "$(cases_begun "$cases_folder")" -gt "$cases_before" ] || return 0
  done
}

# cases_sum FOLDER NAME: sets cases_passed and cases_failed; what did not run has failed.
cases_sum() {
  cases_passed=$(grep -c '^pass ' "$1/log") || true
  cases_failed=$(grep -c '^fail ' "$1/log") || true
  cases_missing=$(cases_left "$1" | wc -l)
  if [ ! -s "$1/all" ]; then
    echo "$2: it tells no test cases"
    cases_missing=1
  elif [ "$cases_missing" != 0 ]; then
    echo "$2: $cases_missing of its test cases did not run"
  fi
  cases_failed=$((cases_failed + cases_missing))
}
