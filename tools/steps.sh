# shellcheck shell=bash
# Runs the steps of a check one after the other, each under a heading and with its time, and goes on after a
# failure, so that one run tells all that is wrong. Sourced.

steps_failed=()
steps_times=()
steps_began=$SECONDS

# step NAME COMMAND...: runs COMMAND, with nothing on its standard input.
step() {
  local name=$1 began=$SECONDS outcome=ok
  shift
  printf '\n==> %s\n' "$name"
  if ! "$@" </dev/null; then
    outcome=FAILED
    steps_failed+=("$name")
    printf '==> %s: failed\n' "$name"
  fi
  steps_times+=("$(printf '%-6s %6s  %s' "$outcome" "$(duration $((SECONDS - began)))" "$name")")
}

# finish_steps WHAT [DETAIL]: the table of times and a closing line; false if a step failed.
finish_steps() {
  local what=$1 detail=${2:+, $2} total
  total=$(duration $((SECONDS - steps_began)))
  printf '\n'
  printf '%s\n' "${steps_times[@]}"
  if [ ${#steps_failed[@]} -gt 0 ]; then
    printf '\n%s: %d of %d steps failed%s (%s)\n' "$what" ${#steps_failed[@]} ${#steps_times[@]} "$detail" "$total"
    return 1
  fi
  printf '\n%s: all %d steps passed%s (%s)\n' "$what" ${#steps_times[@]} "$detail" "$total"
}

# duration SECONDS: as 4:05.
duration() {
  printf '%d:%02d' $(($1 / 60)) $(($1 % 60))
}
