#!/usr/bin/env bats
# A script must fail within seconds if the server cannot be reached, also behind a firewall that drops packets.

load helpers/common
load helpers/silent

setup_file() { silent_server_start; }
teardown_file() { silent_server_stop; }

teardown() { stop_background; }

waiting_psql_has() {
  grep -qzx "$1" "$(waiting_psql)/environ"
}

@test "psql is to wait 5 seconds for a connection unless PGCONNECT_TIMEOUT says otherwise" {
  export CONNECTION_URL=postgresql://u@127.0.0.1:$SILENT/x
  for PGCONNECT_TIMEOUT in '' 7; do
    export PGCONNECT_TIMEOUT
    for script in db-connect db-create db-drop db-schema-load db-seed db-sessions db-setup; do
      start_in_background "$BIN/$script" </dev/null
      eventually waiting_psql_has "PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-5}"
      stop_background
    done
  done
}

@test "the URL's connect_timeout goes before it, and the wait really ends" {
  SECONDS=0
  PGCONNECT_TIMEOUT=3600 CONNECTION_URL="postgresql://u@127.0.0.1:$SILENT/x?connect_timeout=2" run -1 "$BIN/db-sessions"
  [[ $output == *timeout* ]]
  ((SECONDS >= 1))
}
