#!/usr/bin/env bats
# The commands of README.md and of the pages that it names, in a copy of the checkout that is like a fresh clone.

load helpers/quickstart
load helpers/build

setup_file() {
  make_room
  take_build "$CLONE/var"
}

teardown_file() { remove_room; }

PAGES=(README.md doc/by-hand.md doc/database.md doc/api.md doc/user-pool.md doc/production.md)
# These are tried by rds.bats, frontends.bats, tests/http/test_roles.py and tests/http/test_plans.py.
OTHERS=(doc/aws.md doc/frontends.md doc/security.md doc/sql.md)

@test "no page has a command that no test runs" {
  cd "$CLONE"
  [[ $(grep -l '^```sh$' README.md doc/*.md | sort) == "$(printf '%s\n' "${PAGES[@]}" "${OTHERS[@]}" | sort)" ]]
}

# Every ```sh block, page by page, as one script in the clone. A port that is free here replaces 8080, and the script waits as long
# as the pool needs that is started by hand.
@test "the pages' commands work and leave nothing running" {
  local script=$BATS_TEST_TMPDIR/readme
  cd "$CLONE"
  awk '/^```sh$/ { on = 1; next } /^```/ { on = 0 } on' "${PAGES[@]}" \
    | sed "s/\b8080\b/$PORT/g; s/^sleep 1\$/until pgrep --parent \"\$pool\"; do sleep 0.1; done/" >"$script"
  grep -q spawn-fcgi "$script"
  QUICKSTART_PORT=$PORT CFLAGS=-O0 MAKEFLAGS=--jobs=$(nproc) run -0 bash -euo pipefail "$script" 3>&-
  [[ $output == *'This was imported as seed data!'*'"success":true'*'"display_name":"Ada Lovelace"'* ]]
  [[ $output == *'"liked":true'*'"followed":true'*'"kind":"follow"'*'"kind":"like"'*'{"unread":0}'* ]]
  [[ -z $(processes "$CLONE/") ]]
}
