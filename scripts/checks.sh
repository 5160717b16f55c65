# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What scripts/test runs its tests with: one after the other or side by side, counted and timed, the output of each in .cache/log.

LOGS=.cache/log
TIMES=$LOGS/times # how many seconds each took when it last passed here: "SECONDS NAME" a line
NOT_DONE=77       # the status of a test that could not take place
JOBS=${JOBS:-2}
passed=0 failed=() not_done=() took=()
queued=() commands=()

log_of() { echo "$LOGS/${1//[^a-zA-Z0-9]/-}.log"; }

# check NAME COMMAND...: one test, now. With PLAN=1 it is only listed.
check() {
  local name=$1 start=$SECONDS status=0
  shift
  if [[ -n ${PLAN:-} ]]; then
    planned+=("$name")
    return
  fi
  printf '%-48s ' "$name"
  "$@" >"$(log_of "$name")" 2>&1 </dev/null || status=$?
  report "$name" "$status" $((SECONDS - start))
}

# later NAME COMMAND...: one test, which may run beside others, as soon as `together` is called.
later() {
  local name=$1
  shift
  if [[ -n ${PLAN:-} ]]; then
    planned+=("$name")
    return
  fi
  queued+=("$name")
  commands+=("$(printf '%q ' "$@")")
}

# Runs what is queued, JOBS at a time, and tells of each as it ends.
together() {
  local i i_ended ended status running=0 since=()
  exec {ended}<> <(:)
  # What runs in the background does not hear of Ctrl-C.
  trap 'end_all; exit 130' INT TERM
  for i in "${!queued[@]}"; do
    if ((running == JOBS)); then
      one_ended
    fi
    { eval "${commands[$i]}" {ended}>&- >"$(log_of "${queued[$i]}")" 2>&1 </dev/null; echo "$i $?" >&"$ended"; } &
    since[i]=$SECONDS
    running=$((running + 1))
  done
  while ((running > 0)); do
    one_ended
  done
  trap - INT TERM
  exec {ended}>&-
  queued=() commands=()
}

end_all() {
  local pid
  for pid in $(jobs -p); do
    pkill -TERM -P "$pid"
    kill "$pid"
  done
}

# Each tells in a pipe that it has ended, and how: `wait -n` overlooks one that ends before it is waited for.
one_ended() {
  read -r i_ended status <&"$ended"
  running=$((running - 1))
  printf '%-48s ' "${queued[$i_ended]}"
  report "${queued[$i_ended]}" "$status" $((SECONDS - since[i_ended]))
}

report() {
  local name=$1 status=$2 seconds=$3
  took+=("$seconds $name")
  case $status in
    0)
      printf 'ok      %4d s\n' "$seconds"
      passed=$((passed + 1))
      remember "$name" "$seconds"
      return
      ;;
    "$NOT_DONE")
      printf 'NOT DONE\n'
      not_done+=("$name")
      ;;
    *)
      printf 'FAILED  %4d s\n' "$seconds"
      failed+=("$name")
      ;;
  esac
  sed 's/^/    /' "$(log_of "$name")"
}

# cannot NAME REASON: a test that cannot take place here.
cannot() {
  printf '%-48s NOT DONE\n    %s\n' "$1" "$2"
  not_done+=("$1: $2")
}

remember() {
  touch "$TIMES"
  { awk -v name="$1" '{ line = $0; sub(/^[0-9]+ /, "", line) } line != name' "$TIMES" && echo "$2 $1"; } >"$TIMES.new" && mv "$TIMES.new" "$TIMES"
}

# plan PART...: lists what the parts would run, each with the minutes that it took when it last passed here, if need be on another system.
plan() {
  local PLAN=1 planned=() part
  for part in "$@"; do
    run_part "$part"
  done
  touch "$TIMES"
  printf '%s\n' "${planned[@]}" | awk -v jobs="$JOBS" -v times="$TIMES" '
    function system_less(name) { sub(/ on [a-z]+$/, "", name); return name }
    BEGIN {
      while ((getline line < times) > 0) {
        seconds = line; sub(/ .*/, "", seconds); sub(/^[0-9]+ /, "", line)
        took[line] = seconds; took[system_less(line)] = seconds
      }
    }
    !($0 in took) && system_less($0) in took { took[$0] = took[system_less($0)] }
    $0 in took { known += took[$0]; printf "  %-48s %5.1f min\n", $0, took[$0] / 60; next }
    { unknown++; printf "  %-48s     ? min\n", $0 }
    END {
      printf "%d tests, %d to %d minutes for those that have passed here before, since some run %d at a time", NR, known / jobs / 60, known / 60 + 1, jobs
      if (unknown) printf "; nobody knows for the other %d", unknown
      print "."
    }'
}

# What came of it all. Fails if a test failed, or none passed.
summary() {
  printf '\nThe ten slowest of %d:\n' "${#took[@]}"
  printf '%s\n' "${took[@]}" | sort -rn | head -n 10 | awk '{ seconds = $1; sub(/^[0-9]+ /, ""); printf "  %5.1f min  %s\n", seconds / 60, $0 }'
  joined Failed "${failed[@]}"
  joined "Not done, so nobody knows" "${not_done[@]}"
  printf '\n%d.%d minutes in all\n' $((SECONDS / 60)) $((SECONDS % 60 / 6))
  printf '\n%d passed, %d failed\n' "$passed" "${#failed[@]}"
  [[ ${#failed[@]} -eq 0 && $passed -gt 0 ]]
}

joined() {
  local title=$1
  shift
  [[ $# -eq 0 ]] || printf '\n%s: %s\n' "$title" "$(printf '%s; ' "$@" | sed 's/; $//')"
}
