#!/usr/bin/env bats
# bin/bench --tune for real, as small as it goes; and a bench that is ended before it is done.

load helpers/bench

setup_file() { make_room; }
teardown_file() { rm -rf "$ROOM"; }

@test "--tune compares settings" {
  run -0 bench --quick --tune commit --rounds 1 --seconds 0.1 --rows 2000
  [[ $output =~ '| asynchronous | '[0-9]+ ]]
  [[ $output =~ '| commit_delay-1000 | '[0-9]+ ]]
  run ! grep '^- † .*\(failed\|broken\|no answer at all\)' "$ROOM"/results/*-tuning.md # a slow machine may leave other notes
  [[ $(echo "$ROOM"/results/*) == *-tuning.md ]]
}

is_measuring() {
  sleep 0.5 # each pgrep reads the data of every process
  pgrep --full "^wrk .*$ROOM/data/requests" || ! kill -0 "$BENCH" 2>/dev/null
}

# The measurement would take an hour.
@test "ended in the midst of a measurement it stops at once" {
  "$TOP/bin/bench" --no-install --dir "$ROOM/data" --results "$ROOM/results" --quick --tune commit --seconds 3600 --rows 2000 \
    >"$ROOM/ended" 2>&1 3>&- &
  BENCH=$!
  local status=0
  eventually is_measuring
  grep '^== commit' "$ROOM/ended"
  kill -s TERM "$BENCH"
  wait "$BENCH" || status=$?
  ((status == 130))
  [[ -z $(processes "$ROOM/") ]]
}
