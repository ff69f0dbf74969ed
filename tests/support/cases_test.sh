#!/bin/sh
# Usage: cases_test.sh PROGRAM, which is cases_example.
set -eu

RAILCNI_TEST_PATIENCE=5
. "$(dirname "$0")/cases.sh"
folder=$(mktemp -d)
trap 'cases_kill; rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM HUP

expect() {
  [ "$2" = "$3" ] || { echo "$1: $2, expected $3" && exit 1; }
}

cases_list "$folder" "$1"
cases_run "$folder" "$1"
cat "$folder/log"
cases_sum "$folder" example
expect passed "$cases_passed" 3
expect failed "$cases_failed" 4
expect 'of its own' "$(grep '^pass ' "$folder/log" | tail -n 1)" 'pass passes, too'

# What never begins is missed.
cases_list "$folder" "$1"
cases_run "$folder" false
cases_sum "$folder" example
expect 'of a program that does not run: passed' "$cases_passed" 0
expect 'of a program that does not run: failed' "$cases_failed" 7
cases_list "$folder" false
cases_sum "$folder" example
expect 'of a program without cases: failed' "$cases_failed" 1
