#!/usr/bin/env bats
# The blocks of doc/frontends.md: each, pasted whole, leaves a running backend with the settings that it names.

load helpers/quickstart
load helpers/build

setup_file() {
  skip_wrappers
  make_room
  take_build "$CLONE/var"
}

teardown_file() { remove_room; }

# blocks: every ```sh block of the page, each with a NUL behind it.
blocks() {
  awk '/^```sh$/ { on = 1; next } /^```/ { if (on) printf "%c", 0; on = 0 } on' "$CLONE/doc/frontends.md"
}

# paste BLOCK: runs it in a shell like the operator's, line by line, with the port that is free here.
paste() {
  (cd "$CLONE" && QUICKSTART_PORT=$PORT bash -euo pipefail 3>&- <<<"${1//8080/$PORT}")
}

allows_origin() {
  curl --silent --output /dev/null --dump-header - --header "Origin: $1" "http://127.0.0.1:$PORT/api/activities/home" \
    | grep -qi "^access-control-allow-origin: $1"
}

@test "each block that starts a backend leaves it running, with what it was started for" {
  local block started=0 all=()
  mapfile -d '' all < <(blocks)
  ((${#all[@]} >= 5))
  for block in "${all[@]}"; do
    [[ $block != *'--detach'*'--stop'* ]]
    if [[ $block != *'bin/quickstart --detach'* ]]; then
      paste "$block"
      continue
    fi
    "$CLONE/bin/quickstart" --stop
    paste "$block"
    "$CLONE/bin/quickstart" --status
    [[ $block != *FRONTEND_URL=* ]] || allows_origin http://localhost:3000
    [[ $block != *COMPAT=week4* ]] || [[ $(curl --silent "http://127.0.0.1:$PORT/api/activities/@andrewbrown") == '['* ]]
    started=$((started + 1))
  done
  ((started == 3))
  "$CLONE/bin/quickstart" --stop
}

@test "no command of the README or a page has a secret among its arguments" {
  run ! grep -nE '(-hmac|-macopt|key:|--password([^s]|$)|PGPASSWORD=)' "$CLONE"/README.md "$CLONE"/doc/*.md
  # shellcheck disable=SC2016 # as it stands there
  run ! grep -nF '"$(<var/secrets' "$CLONE"/README.md "$CLONE"/doc/*.md
}
