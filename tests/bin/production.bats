#!/usr/bin/env bats
# The guard before production: only `prod` and the database's name lead there, and a slip does nothing anywhere.

load helpers/common
load helpers/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }

# All answers are tried with the first script; the others share its code, and are tried with one or two answers of each kind.
DESTRUCTIVE='db-drop db-seed db-setup db-schema-load'

# Production and dev each have a table with a row; `state` shows any change.
setup() {
  DEV=cruddur_dev PROD=cruddur_production
  CONNECTION_URL=$(socket_url "$DEV")
  PROD_CONNECTION_URL=$(socket_url "$PROD")
  export CONNECTION_URL PROD_CONNECTION_URL
  before=$(state 2>/dev/null) || make_databases
}

make_databases() {
  local name
  sql postgres "$(for name in "$DEV" "$PROD"; do
    printf '%s\n' "drop database if exists $name;" "create database $name;" "\\connect $name" \
      "create table kept as select '$name' as row;" '\connect postgres'
  done)"
  before=$(state)
}

# state: prints identity and content of both databases.
state() {
  local name
  sql postgres "$(for name in "$DEV" "$PROD"; do
    printf '%s\n' "\\connect $name" "select oid, datname from pg_database where datname = '$name';" \
      "select tablename from pg_tables where schemaname = 'public'; select * from kept;"
  done)"
}

nothing_happened() {
  diff <(echo "$before") <(state)
}

@test "a wrong name, an empty one, no line at all, blanks around it, another case: nothing happens" {
  refuses() {
    run -1 "$BIN/$1" prod <<<"$2"
    [[ $output == *'nothing was done'* ]]
  }
  for typed in '' " $PROD" "$PROD " "${PROD^^}" y yes postgres $'\n'"$PROD" "$DEV"$'\n'"$PROD"; do
    refuses db-drop "$typed"
  done
  for script in $DESTRUCTIVE; do
    refuses "$script" "$DEV"
    run -1 "$BIN/$script" prod < <(printf '%s' "$PROD") # the line has no end
    [[ $output == *'nothing was done'* ]]
  done
  nothing_happened
}

@test "no stdin at all: nothing happens" {
  for script in $DESTRUCTIVE; do
    run -1 "$BIN/$script" prod </dev/null
    run -1 bash -c 'exec "$@" <&-' bash "$BIN/$script" prod
  done
  nothing_happened
}

@test "--yes-drop with another name, an empty one, or none: nothing happens, neither on production nor on dev" {
  for script in $DESTRUCTIVE; do
    run -1 "$BIN/$script" prod --yes-drop "$DEV" <<<"$PROD"
    run -1 "$BIN/$script" prod --yes-drop '' <<<"$PROD"
    run -2 "$BIN/$script" prod --yes-drop <<<"$PROD"
    run -1 "$BIN/$script" --yes-drop "$PROD"
    run -1 "$BIN/$script" --yes-drop prod
  done
  nothing_happened
}

@test "the name in a variable of the environment counts for nothing" {
  for script in $DESTRUCTIVE; do
    yes_drop=$PROD answer=$PROD target=dev run -1 "$BIN/$script" prod </dev/null
    [[ $output == *'nothing was done'* ]]
  done
  nothing_happened
}

@test "a slip in the arguments: nothing happens, neither on production nor on dev" {
  for arguments in PROD Prod production 'prod --yes' 'prod --force' 'prod --yes-dorp NAME' "prod --yes-drop=$PROD" '-prod' \
    '--prod' 'prod -y' '- prod' '-- prod'; do
    # shellcheck disable=SC2086 # several words on purpose
    run -2 "$BIN/db-drop" $arguments <<<"$PROD"
  done
  for script in $DESTRUCTIVE; do
    run -2 "$BIN/$script" prod "$PROD" <<<"$PROD"
    run -2 "$BIN/$script" --yes-drop "$PROD" prod extra <<<"$PROD"
  done
  nothing_happened
}

@test "PROD_CONNECTION_URL unset, empty or broken: nothing happens" {
  for url in '' ' ' "$PROD" 'postgresql://%zz/' 'http://x/y' 'postgresql:///'; do
    PROD_CONNECTION_URL=$url run -2 "$BIN/db-drop" prod <<<"$PROD"
  done
  unset PROD_CONNECTION_URL
  for script in $DESTRUCTIVE; do
    run -2 "$BIN/$script" prod <<<"$PROD"
    run -2 "$BIN/$script" prod --yes-drop "$DEV"
  done
  nothing_happened
}

# type_at_prompt KEYS COMMAND…: answers the question on a terminal.
type_at_prompt() {
  /usr/bin/python3 -B "$BATS_TEST_DIRNAME/helpers/terminal.py" 'Type the name of the database to go on: ' "$@"
}

@test "Ctrl-C, Ctrl-D or a wrong name on a terminal: nothing happens" {
  for script in $DESTRUCTIVE; do
    run -130 type_at_prompt "$PROD"$'\003' "$BIN/$script" prod
    run -1 type_at_prompt $'\004' "$BIN/$script" prod
    run -1 type_at_prompt "$DEV"$'\n' "$BIN/$script" prod
  done
  nothing_happened
}

@test "dev's URL that names production's database is guarded as production" {
  CONNECTION_URL=$PROD_CONNECTION_URL
  for script in $DESTRUCTIVE; do
    run -1 "$BIN/$script" </dev/null
    [[ $output == *'PRODUCTION (CONNECTION_URL names the same database'* ]]
  done
  nothing_happened
}

@test "dev's URL that names production's host or database in another case is guarded, too" {
  PROD_CONNECTION_URL=postgresql://postgres@localhost:$PORT/$PROD
  for place in "LOCALHOST:$PORT/$PROD" "LocalHost:$PORT/$PROD" "localhost:$PORT/${PROD^^}"; do
    CONNECTION_URL=postgresql://postgres@$place
    for script in db-drop db-seed db-setup; do
      run -1 "$BIN/$script" </dev/null
      [[ $output == *'PRODUCTION (CONNECTION_URL names the same database'* ]]
    done
  done
  nothing_happened
}

@test "the name typed out, or --yes-drop with it: done, to production and not to dev" {
  run -0 "$BIN/db-drop" prod <<<"$PROD"
  [[ $output == *'PRODUCTION'*"This will drop $PROD on "* ]]
  run ! database_exists "$PROD"
  run -0 "$BIN/db-create" prod
  run -0 "$BIN/db-schema-load" prod </dev/null # empty: nothing to lose, nothing asked
  run -0 "$BIN/db-seed" prod --yes-drop "$PROD" </dev/null
  [[ $(sql "$PROD" 'select count(*) from users') == 4 ]]
  run -0 "$BIN/db-setup" --yes-drop "$PROD" prod </dev/null
  run -0 "$BIN/db-drop" --yes-drop "$PROD" prod --if-exists
  run ! database_exists "$PROD"
  [[ $(sql "$DEV" 'select * from kept') == "$DEV" ]]
}

@test "db-setup prod asks once, and sets up production only" {
  run -0 "$BIN/db-setup" prod <<<"$PROD"
  [[ $(sql "$PROD" 'select count(*) from users') == 4 ]]
  [[ $(sql "$DEV" 'select * from kept') == "$DEV" ]]
}

@test "db-setup prod asks also when there is nothing to drop yet" {
  sql postgres "drop database $PROD"
  run -1 "$BIN/db-setup" prod <<<"$DEV"
  run -1 "$BIN/db-setup" prod --yes-drop "$DEV" </dev/null
  run ! database_exists "$PROD"
  run -0 "$BIN/db-setup" prod <<<"$PROD"
  [[ $(sql "$PROD" 'select count(*) from users') == 4 ]]
}

@test "the name typed on a terminal, which shows production in red" {
  run -0 type_at_prompt "$PROD"$'\n' "$BIN/db-drop" prod
  [[ $output == *$'\033[1;31m== PRODUCTION'* ]]
  run ! database_exists "$PROD"
}

@test "db-connect prod and db-sessions prod go to production and say so on stderr" {
  run -0 --separate-stderr "$BIN/db-connect" prod -- -Atc 'select * from kept'
  [[ $output == "$PROD" && $stderr == *PRODUCTION* ]]
  run -0 --separate-stderr "$BIN/db-sessions" prod
  [[ $stderr == *PRODUCTION* ]]
  run -0 --separate-stderr "$BIN/db-connect" -- -Atc 'select * from kept'
  [[ $output == "$DEV" && -z $stderr ]]
}

@test "PROD_CONNECTION_URL_FILE works like CONNECTION_URL_FILE" {
  (umask 077 && echo "$PROD_CONNECTION_URL" >"$BATS_TEST_TMPDIR/url")
  unset PROD_CONNECTION_URL
  export PROD_CONNECTION_URL_FILE=$BATS_TEST_TMPDIR/url
  run -0 --separate-stderr "$BIN/db-connect" prod -- -Atc 'select * from kept'
  [[ $output == "$PROD" ]]
}
