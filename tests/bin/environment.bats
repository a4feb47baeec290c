#!/usr/bin/env bats
# The guard of a database that is marked as production: its name must be typed out, whichever URL reaches it.

load helpers/common
load helpers/cluster

setup_file() {
  cluster_start
  CONNECTION_URL=$(socket_url template) "$BIN/db-setup"
}

teardown_file() { cluster_stop; }

DESTRUCTIVE='db-drop db-setup db-schema-load db-seed db-rollback'

# Each test has a database with the service's tables and a table `kept`, without a mark.
setup() {
  NAME=db_$BATS_TEST_NUMBER
  sql postgres "create database $NAME template template strategy file_copy"
  sql "$NAME" 'create table kept (); truncate environment'
  CONNECTION_URL=$(socket_url "$NAME")
  export CONNECTION_URL
}

here() { sql "$NAME" "$1"; }

state() {
  sql postgres "select oid from pg_database where datname = '$NAME'"
  here "select tablename from pg_tables where schemaname = 'public'; select number from applied_migrations; select handle from users;
    table environment"
}

# refused [TYPED]: without the name each of the scripts does nothing, and says why.
refused() {
  local before script
  before=$(state)
  for script in $DESTRUCTIVE; do
    run -1 "$BIN/$script" <<<"${1:-y}"
    [[ $output == *'PRODUCTION (the database is marked as '*'This will '*'nothing was done'* ]]
  done
  diff <(echo "$before") <(state)
}

@test "by address, by an alias of the host, by a socket, by a service, by libpq's variables: guarded" {
  here "insert into environment values ('production')"
  local password
  password=$(encode "$PASSWORD")
  ln -s "$CLUSTER" "$BATS_TEST_TMPDIR/alias"
  printf '[there]\nhost=%s\nport=%s\nuser=postgres\ndbname=%s\n' "$CLUSTER" "$PORT" "$NAME" >"$BATS_TEST_TMPDIR/services"
  export PROD_CONNECTION_URL="postgresql://postgres@elsewhere.example/$NAME" PGSERVICEFILE=$BATS_TEST_TMPDIR/services
  for CONNECTION_URL in "postgresql://postgres:$password@127.0.0.1:$PORT/$NAME" "postgresql://postgres:$password@localhost:$PORT/$NAME" \
    "postgresql://postgres@/$NAME?host=$BATS_TEST_TMPDIR/alias&port=$PORT" "service=there dbname=$NAME" \
    "postgresql://postgres:$password@127.0.0.1:1,127.0.0.1:$PORT/$NAME"; do
    refused
  done
  PGHOST=$CLUSTER PGPORT=$PORT PGUSER=postgres CONNECTION_URL=postgresql:///$NAME refused
}

@test "an address in the environment that the URL does not name is refused, and nothing is done" {
  local before script password
  before=$(state)
  password=$(encode "$PASSWORD")
  export PGHOSTADDR=127.0.0.1
  for CONNECTION_URL in "postgresql://postgres:$password@localhost:$PORT/$NAME" \
    "host=dev.example port=$PORT user=postgres dbname=$NAME"; do
    for script in $DESTRUCTIVE; do
      run -2 "$BIN/$script" </dev/null
      [[ $output == *'PGHOSTADDR is set'* ]]
    done
  done
  CONNECTION_URL="postgresql://postgres:$password@dev.example:$PORT/$NAME"
  PROD_CONNECTION_URL=$CONNECTION_URL run -2 "$BIN/db-drop" prod <<<"$NAME"
  diff <(echo "$before") <(unset PGHOSTADDR && state)
  # An address in the URL is the one that libpq takes.
  CONNECTION_URL+='?hostaddr=127.0.0.1'
  PGHOSTADDR=192.0.2.1 run -0 "$BIN/db-seed" </dev/null
}

@test "with CONNECTION_URL alone, and with the word prod on another URL's name" {
  here "insert into environment values ('production')"
  unset PROD_CONNECTION_URL
  for typed in y "${NAME^^}" template; do
    refused "$typed"
  done
  for script in $DESTRUCTIVE; do
    run -1 "$BIN/$script" --yes-drop template </dev/null
    [[ $output == *'nothing was done'* ]]
  done
  PROD_CONNECTION_URL=$CONNECTION_URL run -1 "$BIN/db-drop" prod <<<y
  [[ $output == *'PRODUCTION (PROD_CONNECTION_URL)'* ]]
  database_exists "$NAME"
}

@test "any name guards but development and test, in any case" {
  for name in staging Production; do
    here "truncate environment; insert into environment values ('$name')"
    refused
  done
  for name in development test Test; do
    here "truncate environment; insert into environment values ('$name')"
    run -0 "$BIN/db-seed" </dev/null
  done
  run -0 "$BIN/db-drop" </dev/null
}

@test "the name typed out, or --yes-drop with it: done" {
  here "insert into environment values ('production')"
  run -0 "$BIN/db-seed" <<<"$NAME"
  run -0 "$BIN/db-rollback" --yes-drop "$NAME" </dev/null
  run -0 "$BIN/db-migrate" </dev/null
  run -0 "$BIN/db-drop" --yes-drop "$NAME" </dev/null
  run ! database_exists "$NAME"
}

@test "without a row, or without the table, only the URL counts" {
  run -0 "$BIN/db-seed" </dev/null
  here 'drop table environment'
  run -0 "$BIN/db-seed" </dev/null
  run -0 "$BIN/db-drop" </dev/null
}

@test "db-setup prod, db-schema-load prod and db-migrate prod mark the database, once" {
  unset CONNECTION_URL
  export PROD_CONNECTION_URL
  PROD_CONNECTION_URL=$(socket_url "$NAME")
  marked() { [[ $(here 'table environment') == production ]]; }
  run -0 "$BIN/db-setup" prod <<<"$NAME"
  marked
  run -0 "$BIN/db-drop" prod <<<"$NAME"
  "$BIN/db-create" prod
  run -0 "$BIN/db-schema-load" prod </dev/null
  marked
  run -0 "$BIN/db-migrate" prod </dev/null
  marked
  here 'truncate environment'
  run -0 "$BIN/db-migrate" prod --dry-run </dev/null
  [[ -z $(here 'table environment') ]]
  run -0 "$BIN/db-migrate" prod </dev/null
  [[ $output == *'marked '* ]]
  marked
  here "update environment set name = 'staging'"
  run -0 "$BIN/db-migrate" prod </dev/null
  [[ $(here 'table environment') == staging ]]
  "$BIN/db-rollback" prod --to 2 --yes-drop "$NAME"
  run -0 "$BIN/db-migrate" prod --to 3 </dev/null
}

@test "db-setup keeps the mark" {
  here "insert into environment values ('production')"
  run -0 "$BIN/db-setup" --yes-drop "$NAME" </dev/null
  [[ $(here 'table environment') == production ]]
  run -0 "$BIN/db-setup" <<<"$NAME"
  [[ $(here 'table environment') == production ]]
  refused
  here "update environment set name = 'staging'"
  PROD_CONNECTION_URL=$(socket_url "$NAME") run -0 "$BIN/db-setup" prod <<<"$NAME"
  [[ $(here 'table environment') == staging ]]
}

@test "user-delete reads the mark" {
  here "insert into environment values ('production')"
  run -1 "$BIN/user-delete" londo </dev/null
  [[ $output == *'PRODUCTION (the database is marked as '*'This will delete the user londo of '*'nothing was done'* ]]
  [[ $(here "select count(*) from users where handle = 'londo'") == 1 ]]
  run -0 "$BIN/user-delete" londo <<<"$NAME"
}

@test "a db-setup that fails behind the drop says what the mark was" {
  here "insert into environment values ('staging')"
  mkdir "$BATS_TEST_TMPDIR/copy"
  cp -r "$BIN" "$BIN/../sql" "$BATS_TEST_TMPDIR/copy"
  echo 'select 1 / 0;' >>"$BATS_TEST_TMPDIR/copy/sql/schema.sql"
  run -1 "$BATS_TEST_TMPDIR/copy/bin/db-setup" --yes-drop "$NAME" </dev/null
  [[ $output == *'was marked as staging: see to it'* ]]
}

@test "a database that cannot be asked is left alone, but for --yes-drop" {
  here 'alter table environment rename name to other'
  for script in $DESTRUCTIVE; do
    run -1 "$BIN/$script" </dev/null
    [[ $output == *'could not be asked whether it is production, so nothing was done: --yes-drop '"$NAME"* ]]
  done
  sql postgres "alter database $NAME allow_connections false"
  run -1 "$BIN/db-drop" <<<"$NAME"
  [[ $output == *'could not be asked'* ]]
  run -0 "$BIN/db-drop" --yes-drop "$NAME" </dev/null
  run ! database_exists "$NAME"
}

@test "an owner of the database that does not own the tables can read the row" {
  sql postgres "create role landlord login createdb; alter database $NAME owner to landlord"
  here "insert into environment values ('production')"
  CONNECTION_URL="postgresql://landlord@/$NAME?host=$CLUSTER&port=$PORT"
  for script in db-drop db-setup; do
    run -1 "$BIN/$script" </dev/null
    [[ $output == *'the database is marked as production'* ]]
  done
}

@test "one row at most, of a name that a terminal can show" {
  here "insert into environment values ('production')"
  run ! here "insert into environment values ('development')"
  [[ $output == *environment_single_key* ]]
  here 'truncate environment'
  for name in "''" "'a b'" "E'a\\x1b'" "repeat('x', 65)" null; do
    run ! here "insert into environment values ($name)"
  done
}

@test "the service and the hook cannot change what it is" {
  sql "$NAME" "grant cruddur_app to cruddur_confirmation" # even a role that is both
  for statement in "insert into environment values ('test')" "update environment set name = 'test'" 'delete from environment' \
    'truncate environment' 'drop table environment'; do
    run ! here "set role cruddur_confirmation; $statement"
    [[ $output == *'permission denied'* || $output == *'must be owner'* ]]
  done
  sql "$NAME" "revoke cruddur_app from cruddur_confirmation"
}
