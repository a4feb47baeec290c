#!/usr/bin/env bats
# README.md's commands, in a copy of the checkout as a fresh clone would have it.

load helpers/quickstart
load helpers/build

setup_file() {
  make_room
  take_build "$CLONE/var"
}

teardown_file() { remove_room; }

# Every ```sh block of README.md, in order, as one script in the clone; its port 8080 is one that is free here, and the pool that
# it starts by hand has the time that it needs.
@test "the README's commands work and leave nothing running" {
  local script=$BATS_TEST_TMPDIR/readme
  awk '/^```sh$/ { on = 1; next } /^```/ { on = 0 } on' "$CLONE/README.md" \
    | sed "s/\b8080\b/$PORT/g; s/^sleep 1\$/until pgrep --parent \"\$pool\"; do sleep 0.1; done/" >"$script"
  grep -q spawn-fcgi "$script"
  cd "$CLONE"
  QUICKSTART_PORT=$PORT CFLAGS=-O0 MAKEFLAGS=--jobs run -0 bash -euo pipefail "$script" 3>&-
  [[ $output == *'This was imported as seed data!'*'"success":true'*'"display_name":"Ada Lovelace"'* ]]
  [[ $output == *'"liked":true'*'"followed":true'*'"kind":"follow"'*'"kind":"like"'*'{"unread":0}'* ]]
  [[ -z $(processes "$CLONE/") ]]
}
