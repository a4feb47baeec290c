#!/usr/bin/env bats
# The life of a database: create, load, seed, look at its sessions, set up anew, drop.

load helpers/common
load helpers/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }

setup() {
  NAME=db_$BATS_TEST_NUMBER
  CONNECTION_URL=$(socket_url "$NAME")
  export CONNECTION_URL
}

teardown() { stop_background; }

# copy_of_scripts: leaves in COPY a tree with the scripts and the SQL, which a test can change.
copy_of_scripts() {
  COPY=$BATS_TEST_TMPDIR/copy
  mkdir "$COPY"
  cp -R "$BIN" "$BIN/../sql" "$COPY"
}

tables() {
  sql "$1" "select count(*) from pg_tables where schemaname = 'public'"
}

session_is_open() {
  [[ $(sql postgres "select count(*) from pg_stat_activity where datname = '$NAME' and state = 'active'") == 1 ]]
}

@test "db-create says so with status 3 when the database is there, and --if-not-exists is content" {
  "$BIN/db-create"
  sql "$NAME" 'create table kept ()'
  run -3 "$BIN/db-create"
  [[ $output == *"there is already a database $NAME"* ]]
  run -0 "$BIN/db-create" --if-not-exists
  [[ $(tables "$NAME") == 1 ]]
}

@test "db-create makes UTF-8 of a server with another default" {
  sql postgres "update pg_database set encoding = pg_char_to_encoding('SQL_ASCII') where datname like 'template_'"
  "$BIN/db-create"
  [[ $(sql "$NAME" 'show server_encoding') == UTF8 ]]
}

@test "db-drop fails without the database unless --if-exists" {
  run -1 "$BIN/db-drop"
  [[ $output == "db-drop: there is no database $NAME on "*', so nothing was dropped'* ]]
  run -0 "$BIN/db-drop" --if-exists
  [[ $output == "db-drop: there is no database $NAME on "*': nothing to drop' ]]
}

@test "db-drop ends the sessions that are open" {
  "$BIN/db-create"
  start_in_background "$BIN/db-connect" -- -c 'select pg_sleep(3600)'
  eventually session_is_open
  run -0 "$BIN/db-drop"
  run ! database_exists "$NAME"
  wait "$BACKGROUND" && status=0 || status=$?
  ((status == 2))
  grep 'terminating connection' "$BATS_TEST_TMPDIR/background.out"
}

@test "db-drop by an owner who may not end the service's sessions says what to stop, and drops nothing" {
  local url
  sql postgres "create role dropper login createdb; create role visitor login"
  url="postgresql://dropper@/$NAME?host=$CLUSTER&port=$PORT"
  CONNECTION_URL=$url "$BIN/db-create"
  CONNECTION_URL="postgresql://visitor@/$NAME?host=$CLUSTER&port=$PORT" start_in_background "$BIN/db-connect" -- -c 'select pg_sleep(3600)'
  eventually session_is_open
  CONNECTION_URL=$url run -1 "$BIN/db-drop"
  [[ $output == *'was not dropped: that takes its owner, while no other login has a session there (stop the service), or a superuser' ]]
  database_exists "$NAME"
  stop_background
  sql postgres "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'visitor'"
  CONNECTION_URL=$url run -0 "$BIN/db-drop"
}

@test "db-schema-load works from any folder and only once, and the second time keeps every row" {
  "$BIN/db-create"
  cd /
  "$BIN/db-schema-load"
  "$BIN/db-seed"
  run -1 "$BIN/db-schema-load"
  [[ $output == *' already exists'*'nothing was loaded. A database that has the tables already is brought up to date by db-migrate'* ]]
  [[ $(sql "$NAME" 'select (select count(*) from users) + (select count(*) from activities)') == 5 ]]
}

# what_is_there: prints the number of tables and of functions.
what_is_there() {
  sql "$NAME" "select (select count(*) from pg_tables where schemaname = 'public'),
    (select count(*) from pg_proc where pronamespace = 'public'::regnamespace)"
}

# An error in the last gap shows any commit before it.
@test "an error in the middle of the schema leaves nothing" {
  copy_of_scripts
  "$BIN/db-create"
  # between statements, not within a function
  mapfile -t gaps < <(awk '{ quotes += gsub(/\$[a-z]*\$/, "") } /^$/ && quotes % 2 == 0 { print NR }' "$BIN/../sql/schema.sql")
  ((${#gaps[@]} > 5))
  for line in "${gaps[0]}" "${gaps[${#gaps[@]} / 2]}" "${gaps[-1]}"; do
    sed "${line}s|.*|select 1/0;|" "$BIN/../sql/schema.sql" >"$COPY/sql/schema.sql"
    run -1 "$COPY/bin/db-schema-load"
    [[ $output == *'division by zero'* ]]
    [[ $(what_is_there) == '0|0' ]]
  done
}

@test "a schema that lacks a file or a word fails" {
  copy_of_scripts
  "$BIN/db-create"
  rm "$COPY/sql/schema.sql"
  run -1 "$COPY/bin/db-schema-load"
  sed 's/create table activities (/object create table activities (/' "$BIN/../sql/schema.sql" >"$COPY/sql/schema.sql"
  run -1 "$COPY/bin/db-schema-load"
  [[ $(tables "$NAME") == 0 ]]
}

@test "db-seed twice is db-seed once" {
  "$BIN/db-create"
  "$BIN/db-schema-load"
  rows='select md5(string_agg(u::text, chr(10) order by uuid)) from users u
    union all select md5(string_agg(a::text, chr(10) order by uuid)) from activities a'
  "$BIN/db-seed"
  before=$(sql "$NAME" "$rows")
  "$BIN/db-seed"
  [[ $(sql "$NAME" "$rows") == "$before" ]]
  [[ $(sql "$NAME" 'select string_agg(handle, $$,$$ order by handle) from users') == altbrown,andrewbrown,bayko,londo ]]
  [[ $(sql "$NAME" "select count(*) from activities a join users u on u.uuid = a.user_uuid
    where u.handle = 'andrewbrown' and a.expires_at = a.created_at + interval '10 days'") == 1 ]]
}

@test "db-seed without a schema fails and leaves nothing" {
  "$BIN/db-create"
  run -1 "$BIN/db-seed"
  [[ $output == *'relation "users" does not exist'*'nothing was seeded: db-schema-load or db-migrate makes the tables'* ]]
}

@test "db-setup on a fresh server, and again" {
  "$BIN/db-setup"
  sql "$NAME" 'delete from users; create table extra ()'
  run -0 "$BIN/db-setup"
  [[ $(tables "$NAME") == $(grep -c '^create table' "$BIN/../sql/schema.sql") ]]
  [[ $(sql "$NAME" 'select count(*) from users') == 4 ]]
}

seed_waits() {
  [[ $(sql postgres "select count(*) from pg_stat_activity where datname = '$NAME' and query like '%go_on%'") == 1 ]]
}

@test "a second db-setup of the same database ends with a sentence while the first is at work, and what that makes is whole" {
  copy_of_scripts
  # The first stays in its seed until there is a table that lets it go on.
  cat >"$COPY/sql/seed.sql" - "$BIN/../sql/seed.sql" <<'SQL'
do $$ begin while not exists (select from pg_class where relname = 'go_on') loop perform pg_sleep(0.05); end loop; end $$;
SQL
  start_in_background "$COPY/bin/db-setup"
  eventually seed_waits
  run -1 "$BIN/db-setup"
  [[ $output == "db-setup: another db-setup is at work on $NAME on "*'wait for its end'* ]]
  sql "$NAME" 'create table go_on ()'
  wait "$BACKGROUND"
  [[ $(sql "$NAME" 'select count(*) from users') == 4 ]]
  run -0 "$BIN/db-setup"
}

@test "five db-create at once: one makes it, the others say that it is there" {
  for run in 1 2 3 4 5; do
    "$BIN/db-create" >"$BATS_TEST_TMPDIR/$run" 2>&1 3>&- &
    runs[run]=$!
  done
  statuses=()
  for run in 1 2 3 4 5; do
    wait "${runs[run]}" && statuses[run]=0 || statuses[run]=$?
  done
  [[ $(printf '%s\n' "${statuses[@]}" | sort | xargs) == '0 3 3 3 3' ]]
  [[ $(cat "$BATS_TEST_TMPDIR"/[1-5] | sort -u) == "== created $NAME on "*$'\n'"db-create: there is already a database $NAME on "* ]]
}

@test "a server without a database named postgres, and one where it takes no connections" {
  "$BIN/db-create"
  sql template1 'alter database postgres rename to other'
  by_way_of() {
    "$BIN/db-drop" "$@"
    "$BIN/db-create" "$@"
    "$BIN/db-setup" "$@"
    "$BIN/db-drop" "$@"
    "$BIN/db-create" "$@"
  }
  by_way_of
  by_way_of --maintenance-db other
  run -1 "$BIN/db-drop" --maintenance-db nothing
  [[ $output == *'database "nothing" does not exist'* ]]
  sql template1 'alter database other rename to postgres; alter database postgres allow_connections false'
  by_way_of
  sql template1 'alter database postgres allow_connections true'
}

@test "a database named postgres is dropped and made by way of template1" {
  sql template1 'alter database postgres rename to kept'
  CONNECTION_URL=$(socket_url postgres)
  "$BIN/db-create"
  "$BIN/db-setup"
  [[ $(sql postgres 'select count(*) from users') == 4 ]]
  "$BIN/db-drop"
  run ! database_exists_in_template1 postgres
  sql template1 'alter database kept rename to postgres'
}

database_exists_in_template1() {
  [[ $(sql template1 "select count(*) from pg_database where datname = '$1'") == 1 ]]
}

@test "db-setup stops at the first step that fails" {
  copy_of_scripts
  for step in db-seed db-schema-load db-create db-drop; do
    printf '#!/bin/sh\necho %s fails >&2\nexit 3\n' "$step" >"$COPY/bin/$step"
    run "$COPY/bin/db-setup"
    ((status != 0))
    [[ ${lines[-1]} == "$step fails" ]]
  done
}

@test "db-sessions shows who is connected, and db-connections is the same" {
  "$BIN/db-create"
  PGAPPNAME='cruddurd worker 7' start_in_background "$BIN/db-connect" -- -c 'begin' -c 'select pg_sleep(3600)'
  eventually session_is_open
  for script in db-sessions db-connections; do
    run -0 --separate-stderr "$BIN/$script"
    [[ ${lines[0]// /} == 'pid|user|db|client_addr|application_name|state|age|in_state|waits_for' ]]
    [[ $output =~ [0-9]+\ \|\ postgres\ \|\ $NAME\ .*\|\ cruddurd\ worker\ 7\ \|\ active.*Timeout:\ PgSleep ]]
    [[ $output == *'(1 row)'* ]]
  done
}

@test "db-connect hands what follows -- to psql, and psql's status back" {
  "$BIN/db-create"
  run -0 "$BIN/db-connect" -- -Atc 'select current_database()'
  [[ $output == "$NAME" ]]
  run -1 "$BIN/db-connect" -- -c 'select 1/0'
  run -0 "$BIN/db-connect" <<<'\echo :DBNAME'
  [[ $output == "$NAME" ]]
}

@test "db-connect reads no psqlrc" {
  "$BIN/db-create"
  printf '%s\n' '\echo from psqlrc' >"$BATS_TEST_TMPDIR/psqlrc"
  PSQLRC=$BATS_TEST_TMPDIR/psqlrc run -0 "$BIN/db-connect" -- -Atc 'select 1'
  [[ $output == 1 ]]
}
