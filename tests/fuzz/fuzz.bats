#!/usr/bin/env bats
# tests/fuzz/run, on a copy of the sources: that each target is built and runs, what counts as done, what a broken claim leaves, and the files
# that --report and --pack write. bin/check fuzz runs it.

bats_require_minimum_version 1.5.0

setup_file() {
  local top=${BATS_TEST_DIRNAME%/tests/fuzz}
  ROOM=$(mktemp -d /tmp/cruddur-fuzz.XXXXXX)
  export ROOM SOURCES=$ROOM/sources FOLDER=$ROOM/folder
  mkdir -p "$SOURCES/tests" "$SOURCES/doc/results"
  cp -a "$top/src" "$top/sql" "$SOURCES"
  cp -a "$top/tests/fuzz" "$top/tests/unit" "$SOURCES/tests"
  fuzz --executions 1 cors >/dev/null # builds all of them
}

teardown_file() {
  rm -rf "$ROOM"
}

# fuzz ARGUMENT…
fuzz() {
  "$SOURCES/tests/fuzz/run" --folder "$FOLDER" "$@"
}

# targets: prints the name of each.
targets() {
  find "$SOURCES/tests/fuzz" -name '*.c' -printf '%f\n' | sed 's/[.]c$//' | sort
}

# rows TARGET: prints how many runs of it are counted.
rows() {
  awk -F '\t' -v target="$1" '$2 == target { rows++ } END { print rows + 0 }' "$FOLDER/executions.tsv"
}

# reached TARGET: prints how many lines of its files its inputs reach.
reached() {
  fuzz --coverage "$1" | awk '$3 == "of" { sum += $2 } END { print sum }'
}

@test "each target runs, and its inputs are counted" {
  local target
  run -0 fuzz --executions 1000
  for target in $(targets); do
    grep -Eqx "$target: [0-9]+ inputs in all, [1-9][0-9]* of them of interest" <<<"$output"
    awk -F '\t' -v target="$target" '$2 == target { sum += $3 } END { exit sum < 1000 }' "$FOLDER/executions.tsv"
  done
  [[ -z $(ls "$FOLDER/found") ]]
}

@test "a run executes what is left of the number; nothing if all is done" {
  local before
  fuzz --executions 2000 trace
  before=$(rows trace)
  fuzz --executions 2000 trace
  (($(rows trace) == before))
  fuzz --executions 3000 trace
  (($(rows trace) == before + 1))
  awk -F '\t' '$2 == "trace" { last = $3 } END { exit last > 1500 }' "$FOLDER/executions.tsv"
}

@test "an input for which a claim does not hold fails the run, and stays" {
  local target=$SOURCES/tests/fuzz/cors.c kept=$ROOM/cors.c input
  cp "$target" "$kept"
  cat >"$target" <<'C'
#include "fuzz.h"

FUZZ_TARGET(cors)
{
    MUST(size < 3 || data[2] != 7);
    return 0;
}
C
  run -1 fuzz --seconds 30 cors
  mv "$kept" "$target"
  [[ $output == *"cors: broken; the input is in $FOLDER/found"* ]]
  input=("$FOLDER/found/cors-"*)
  [[ $(od -An -tu1 -j2 -N1 "${input[0]}") -eq 7 ]]
  rm "${input[@]}"
}

@test "coverage names the lines that no input reaches" {
  run -0 fuzz --coverage page
  grep -Eq '^  http/page[.]c +[1-9][0-9]* of +[1-9][0-9]* lines,' <<<"$output"
  grep -Eq '^  src/http/page[.]c:[0-9]+: +[^ ]' <<<"$output"
}

@test "the report has a row for each target, with each of its files" {
  local report=$SOURCES/doc/results/fuzz.md target
  fuzz --report
  for target in $(targets); do
    grep -Eq "^[|] $target [|] [0-9,]+ [|] [0-9]+ [|] [1-9][0-9]* [|] \`[a-z0-9_]+/[a-z0-9_]+[.]c\` [1-9][0-9]* of [1-9]" "$report"
  done
  grep -Eqx '[|] .base/trace[.]c. [|] .* [|]' "$report"
}

@test "the packed inputs are the fewest that reach as much" {
  local corpus=$SOURCES/tests/fuzz/corpus/page before
  before=$(reached page)
  (($(wc -l <"$corpus") <= $(find "$FOLDER/corpus/page" -type f | wc -l)))
  fuzz --pack page
  rm -r "$FOLDER/corpus/page"
  (($(reached page) == before))
  (($(find "$FOLDER/corpus/page" -type f | wc -l) == $(wc -l <"$corpus")))
}

# stub_page STATEMENT…: puts a script in the place of the program of the target page, and leaves the program in $ROOM/page.
stub_page() {
  mv "$FOLDER/sanitized/page" "$ROOM/page"
  printf '%s\n' '#!/bin/bash' "$@" >"$FOLDER/sanitized/page"
  chmod +x "$FOLDER/sanitized/page"
}

@test "a merge that fails, is interrupted or leaves nothing does not touch the packed inputs" {
  local corpus=$SOURCES/tests/fuzz/corpus/page statement
  cp "$corpus" "$ROOM/corpus"
  for statement in 'exit 1' 'exit 72' 'exit 0'; do
    stub_page "$statement"
    run -1 fuzz --pack page
    mv "$ROOM/page" "$FOLDER/sanitized/page"
    cmp "$corpus" "$ROOM/corpus"
  done
  # shellcheck disable=SC2016 # for the stub
  stub_page 'kill -INT "$PPID"; exit 72'
  run -130 env --default-signal=INT "$SOURCES/tests/fuzz/run" --folder "$FOLDER" --pack page template
  mv "$ROOM/page" "$FOLDER/sanitized/page"
  cmp "$corpus" "$ROOM/corpus"
  [[ $output != *template* && -z $(find "$SOURCES/tests/fuzz/corpus" -name '.*.new') ]]
}

@test "an interrupted run is counted, is no broken input, and no other target follows" {
  local signal before
  # the program is interrupted alone, and with the script, as by Ctrl-C
  for signal in 0 INT; do
    before=$(rows page)
    stub_page "kill -$signal \"\$PPID\"; echo 'stat::number_of_executed_units: 4711' >&2; exit 72"
    run -130 env --default-signal=INT "$SOURCES/tests/fuzz/run" --folder "$FOLDER" --seconds 1 page template
    mv "$ROOM/page" "$FOLDER/sanitized/page"
    (($(rows page) == before + 1))
    [[ $(tail -n 1 "$FOLDER/executions.tsv" | cut -f 2,3) == $'page\t4711' ]]
    [[ $output != *broken* && $output != *template* ]]
  done
  # the real program, by a signal to the whole group
  before=$(rows page)
  run -124 timeout --signal INT 5 env --default-signal=INT "$SOURCES/tests/fuzz/run" --folder "$FOLDER" --seconds 60 page template
  (($(rows page) == before + 1))
  [[ $(tail -n 1 "$FOLDER/executions.tsv" | cut -f 3) -gt 0 && $output != *broken* && $output != *template* ]]
}

@test "what is no target or no number is refused" {
  local argument
  for argument in nothing --seconds=5; do
    run -2 fuzz "$argument"
    [[ $output == *Usage:* ]]
  done
  run -2 fuzz --seconds 0 cors
  run -2 fuzz --executions many cors
}
