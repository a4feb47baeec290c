#!/usr/bin/env bats
# No other user may see a password: the arguments of every process are public, the environment and files with mode 0600 are not.

load helpers/common
load helpers/cluster
load helpers/silent

setup_file() {
  cluster_start
  WORD=canary$RANDOM$$ # unique on this machine, also when several runs of this file share it
  CANARY="$WORD/%: \\word"
  ENCODED=$(encode "$CANARY")
  export WORD CANARY ENCODED
  sql postgres "alter user postgres password '$CANARY'"
  PATH=${PATH#"$PROGRAMS:"} # tests also Debian's wrapper around psql, which has arguments too
  silent_server_start
}

teardown_file() {
  silent_server_stop
  cluster_stop
}

teardown() { stop_background; }

# no_canary_in_process_list COMMAND…: searches the process list while the command's psql waits for the silent server.
no_canary_in_process_list() {
  start_in_background "$@" </dev/null
  eventually waiting_psql
  [[ -z $(processes_with "$WORD") ]]
  stop_background
}

@test "the search finds a password on a command line" {
  start_in_background bash -c 'read -r -t 3600 <><(:) || :' "$WORD"
  eventually processes_with "$WORD"
}

@test "no script shows the password of the URL in the process list" {
  export CONNECTION_URL="postgresql://postgres:$ENCODED@127.0.0.1:$SILENT/x" PGCONNECT_TIMEOUT=3600
  for script in db-connect db-create db-drop db-schema-load db-seed db-sessions db-setup; do
    no_canary_in_process_list "$BIN/$script"
  done
}

@test "nor with prod, several hosts, ?password=, a keyword string, a file, or an encrypted key's password" {
  export PGCONNECT_TIMEOUT=3600 PROD_CONNECTION_URL CONNECTION_URL
  PROD_CONNECTION_URL="postgresql://postgres:$ENCODED@127.0.0.1:$SILENT/x"
  no_canary_in_process_list "$BIN/db-drop" prod --yes-drop x
  no_canary_in_process_list "$BIN/db-setup" prod --yes-drop x
  unset PROD_CONNECTION_URL
  for CONNECTION_URL in "postgresql://postgres:$ENCODED@127.0.0.1:$SILENT,127.0.0.1:1/x" \
    "postgresql://postgres@127.0.0.1:$SILENT/x?password=$ENCODED&p%61ssword=$ENCODED" \
    "host=127.0.0.1 port=$SILENT dbname=x user=postgres password='${CANARY//\\/\\\\}'" \
    "postgresql://postgres:x@127.0.0.1:$SILENT/x?sslpassword=$ENCODED"; do
    no_canary_in_process_list "$BIN/db-sessions"
    no_canary_in_process_list "$BIN/db-setup"
  done
  (umask 077 && echo "$CONNECTION_URL" >"$BATS_TEST_TMPDIR/url")
  unset CONNECTION_URL
  CONNECTION_URL_FILE=$BATS_TEST_TMPDIR/url no_canary_in_process_list "$BIN/db-sessions"
}

@test "the password arrives nonetheless, from wherever the URL has it" {
  for url in "postgresql://postgres:$ENCODED@127.0.0.1:$PORT/postgres" \
    "postgresql://postgres:wrong@127.0.0.1:$PORT/postgres?password=$ENCODED" \
    "postgresql://postgres:$ENCODED@127.0.0.1:1,127.0.0.1:$PORT/postgres" \
    "host=127.0.0.1 port=$PORT dbname=postgres user=postgres password='${CANARY//\\/\\\\}'"; do
    CONNECTION_URL=$url run -0 "$BIN/db-connect" -- -Atc 'select 1'
    [[ $output == 1 ]]
  done
}

@test "a wrong password fails at once, without a prompt, and is not shown" {
  for URL in "postgresql://postgres:wrong$WORD@127.0.0.1:$PORT/x" "postgresql://postgres@127.0.0.1:$PORT/x"; do
    CONNECTION_URL=$URL run -1 "$BIN/db-create" </dev/null
    [[ $output =~ 'password authentication failed'|'no password supplied' && $output != *"$WORD"* ]]
  done
}

@test "on a terminal too no script but db-connect asks for a password" {
  export CONNECTION_URL="postgresql://postgres@127.0.0.1:$PORT/x"
  terminal=$BATS_TEST_DIRNAME/helpers/terminal.py
  for script in db-create db-drop db-schema-load db-seed db-sessions db-setup; do
    run -1 /usr/bin/python3 -B "$terminal" 'no password supplied' '' "$BIN/$script"
    [[ $output == *'no password supplied'* ]]
  done
  run -2 /usr/bin/python3 -B "$terminal" 'Password for user postgres: ' $'wrong\n' "$BIN/db-connect"
  [[ $output == *'password authentication failed'* ]]
}

@test "the password file of libpq is used as ever" {
  escaped=${CANARY//\\/\\\\}
  printf '127.0.0.1:%s:*:postgres:%s\n' "$PORT" "${escaped//:/\\:}" >"$BATS_TEST_TMPDIR/pgpass"
  chmod 600 "$BATS_TEST_TMPDIR/pgpass"
  PGPASSFILE=$BATS_TEST_TMPDIR/pgpass CONNECTION_URL="postgresql://postgres@127.0.0.1:$PORT/postgres" \
    run -0 "$BIN/db-sessions"
}

# certificate NAME: makes an encrypted key and a certificate, signed by the authority in $CLUSTER/tls.
certificate() {
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -keyout "$1.key" -passout "pass:$CANARY" -subj "/CN=$1" -out "$1.csr" \
    && openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out "$1.crt"
}

@test "sslpassword opens an encrypted client key" {
  mkdir "$CLUSTER/tls"
  cd "$CLUSTER/tls"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -subj /CN=ca -days 2 -out ca.crt
  certificate localhost
  certificate postgres
  openssl pkey -in localhost.key -passin "pass:$CANARY" -out "$CLUSTER/data/server.key"
  cp localhost.crt "$CLUSTER/data/server.crt"
  cp ca.crt "$CLUSTER/data/root.crt"
  chmod 600 ./*.key "$CLUSTER/data/server.key"
  [[ $EUID != 0 ]] || chown postgres "$CLUSTER/data/"{server.key,server.crt,root.crt}
  echo 'hostssl all all 127.0.0.1/32 cert' >"$CLUSTER/data/pg_hba.conf"
  echo 'local all all trust' >>"$CLUSTER/data/pg_hba.conf"
  sql postgres "alter system set ssl_ca_file = 'root.crt'"
  sql postgres 'alter system set ssl = on'
  sql postgres 'select pg_reload_conf()'
  tls="postgresql://postgres@localhost:$PORT/tls?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert=$PWD/ca.crt"
  tls+="&sslcert=$PWD/postgres.crt&sslkey=$PWD/postgres.key"
  export CONNECTION_URL="$tls&sslpassword=$ENCODED"
  eventually "$BIN/db-create" --if-not-exists
  run -0 "$BIN/db-setup"
  run -0 "$BIN/db-connect" -- -Atc 'select client_dn from pg_stat_ssl where pid = pg_backend_pid()'
  [[ $output == /CN=postgres ]]
  CONNECTION_URL="$tls&sslpassword=wrong" run -1 "$BIN/db-sessions" </dev/null
  CONNECTION_URL="$tls&sslpassword=x&service=y" run -1 "$BIN/db-sessions"
  [[ $output == *'exclude each other'* ]]
}

@test "no file is left behind" {
  mkdir "$BATS_TEST_TMPDIR/tmp"
  export TMPDIR=$BATS_TEST_TMPDIR/tmp
  CONNECTION_URL="$(socket_url x)&sslpassword=$ENCODED" "$BIN/db-setup"
  [[ -z $(ls -A "$TMPDIR") ]]
}
