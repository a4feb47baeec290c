#!/usr/bin/env bats
# bin/db-roles: the roles of a server, by a superuser and by an administrator without superuser rights; passwords come from files and
# are shown nowhere. tests/http/test_roles.py tests sql/roles.sql itself.

load helpers/common
load helpers/cluster
load helpers/silent

setup_file() {
  cluster_start
  sql postgres "create role master login createrole createdb password 'm'"
  echo 'host all all 127.0.0.1/32 scram-sha-256' >"$CLUSTER/data/pg_hba.conf"
  echo 'local all all trust' >>"$CLUSTER/data/pg_hba.conf"
}

teardown_file() { cluster_stop; }

setup() {
  SECRETS=$BATS_TEST_TMPDIR/secrets
  mkdir -m 700 "$SECRETS"
  CONNECTION_URL=$(master_url postgres)
  export CONNECTION_URL
}

# The roles belong to the server, not to a database: each test begins without them.
teardown() {
  stop_background
  [[ -z ${LISTENER:-} ]] || silent_server_stop
  sql postgres 'drop database if exists cruddur'
  sql postgres 'drop role if exists cruddur_owner, cruddur, cruddur_hook, cruddur_reader, cruddur_app, cruddur_confirmation, cruddur_readonly'
}

master_url() { printf 'postgresql://master:m@127.0.0.1:%s/%s' "$PORT" "$1"; }

# write_password LOGIN PASSWORD
write_password() {
  printf '%s\n' "$2" >"$SECRETS/$1"
  chmod 600 "$SECRETS/$1"
}

# logs_in LOGIN PASSWORD
logs_in() {
  [[ $(PGPASSWORD=$2 psql --no-psqlrc --no-password -At --host 127.0.0.1 --port "$PORT" --username "$1" --dbname "${3:-postgres}" -c 'select current_user') == "$1" ]]
}

roles() {
  sql postgres "select rolname, rolcanlogin, rolcreatedb, rolconnlimit, rolpassword is not null,
      (select string_agg(roleid::regrole::text, ' ') from pg_auth_members where member = a.oid)
    from pg_authid a where rolname like 'cruddur%' order by 1"
}

EXPECTED='cruddur|t|f|80|t|cruddur_app
cruddur_app|f|f|-1|f|
cruddur_confirmation|f|f|-1|f|
cruddur_hook|t|f|20|t|cruddur_confirmation
cruddur_owner|t|t|-1|t|
cruddur_reader|t|f|5|t|cruddur_readonly
cruddur_readonly|f|f|-1|f|'

@test "an administrator without superuser rights makes all roles, with passwords of its own making, again and again" {
  run -0 "$BIN/db-roles" --passwords "$SECRETS" --generate
  [[ $output == *"wrote a random password into $SECRETS/cruddur_reader"*'== the roles cruddur_owner cruddur cruddur_hook cruddur_reader are on 127.0.0.1' ]]
  diff <(roles) <(echo "$EXPECTED")
  made=$(cat "$SECRETS"/*)
  for login in cruddur_owner cruddur cruddur_hook cruddur_reader; do
    [[ $(stat -c %a "$SECRETS/$login") == 600 && $(<"$SECRETS/$login") =~ ^[0-9a-f]{48}$ ]]
    logs_in "$login" "$(<"$SECRETS/$login")"
  done
  run -0 "$BIN/db-roles" --passwords "$SECRETS" --generate
  [[ $output != *wrote* ]]
  run -0 "$BIN/db-roles"
  diff <(roles) <(echo "$EXPECTED")
  [[ $(cat "$SECRETS"/*) == "$made" ]]
  logs_in cruddur "$(<"$SECRETS/cruddur")"
  [[ $(find "$SECRETS" -type f | wc -l) == 4 ]]
}

@test "the owner that it made makes the database, and the reader reads every table and writes none" {
  "$BIN/db-roles" --passwords "$SECRETS" --generate
  CONNECTION_URL="postgresql://cruddur_owner:$(<"$SECRETS/cruddur_owner")@127.0.0.1:$PORT/cruddur"
  for script in db-create db-schema-load db-seed; do
    run -0 "$BIN/$script"
  done
  CONNECTION_URL="postgresql://cruddur_reader:$(<"$SECRETS/cruddur_reader")@127.0.0.1:$PORT/cruddur"
  readarray -t tables < <(sql cruddur "select tablename from pg_tables where schemaname = 'public'")
  run -0 "$BIN/db-connect" -- -At "${tables[@]/#/-ctable }"
  [[ $output == *andrewbrown* ]]
  for statement in "update users set bio = 'x'" 'delete from activities' 'create table x ()' 'create temporary table x ()' \
    "select confirm_user(gen_random_uuid(), '{}', '', now())"; do
    run ! "$BIN/db-connect" -- -c "$statement"
    [[ $output == *'permission denied'* ]]
  done
}

@test "a table that a migration adds is the reader's too" {
  "$BIN/db-roles"
  sql postgres 'create database cruddur owner cruddur_owner'
  export CONNECTION_URL="postgresql://cruddur_owner@/cruddur?host=$CLUSTER&port=$PORT"
  "$BIN/db-schema-load"
  run -0 "$BIN/db-connect" -- -c 'create table more ()'
  [[ $(sql cruddur "select has_table_privilege('cruddur_reader', 'more', 'select')") == f ]]
  run -0 "$BIN/db-migrate"
  [[ $(sql cruddur "select has_table_privilege('cruddur_reader', 'more', 'select')") == t ]]
}

@test "a password is set from its file, and a login without a file keeps its own" {
  write_password cruddur "it's \\. \"odd\" %20 @:/?# \$x \`y\` | x"
  write_password cruddur_owner ' begins and ends with a blank '
  "$BIN/db-roles" --passwords "$SECRETS"
  logs_in cruddur "it's \\. \"odd\" %20 @:/?# \$x \`y\` | x"
  logs_in cruddur_owner ' begins and ends with a blank '
  rm "$SECRETS/cruddur_owner"
  write_password cruddur 'another'$'\r'
  "$BIN/db-roles" --passwords "$SECRETS"
  logs_in cruddur another
  logs_in cruddur_owner ' begins and ends with a blank '
}

@test "what is no password is refused by the name of its file, and is not shown" {
  for text in '' $'canary\nof two lines' $'canary \001' 'canary ü' "canary$(printf '%0257d' 0)"; do
    write_password cruddur "$text"
    run -2 "$BIN/db-roles" --passwords "$SECRETS"
    [[ $output == *"$SECRETS/cruddur: "* && $output != *canary* ]]
  done
  printf 'canary\0x\n' >"$SECRETS/cruddur"
  run -2 "$BIN/db-roles" --passwords "$SECRETS"
  write_password cruddur fine
  chmod 644 "$SECRETS/cruddur"
  run -2 "$BIN/db-roles" --passwords "$SECRETS"
  [[ $output == *'others can read it (chmod 600)'* ]]
  rm "$SECRETS/cruddur"
  mkdir "$SECRETS/cruddur"
  run -2 "$BIN/db-roles" --passwords "$SECRETS"
  run -2 "$BIN/db-roles" --passwords "$SECRETS/none"
  [[ $output == *'is no folder: mkdir -m 700'* ]]
  [[ -z $(roles) ]]
}

@test "256 characters are a password, and limits are set" {
  long=$(printf '%0256d' 0)
  write_password cruddur "$long"
  "$BIN/db-roles" --passwords "$SECRETS" --app-connections 9999 --hook-connections 1
  logs_in cruddur "$long"
  [[ $(roles | cut -d '|' -f 4 | paste -sd ' ') == '9999 -1 -1 1 -1 5 -1' ]]
}

@test "misuse is status 2" {
  for arguments in --generate --passwords "--passwords $SECRETS extra" '--app-connections 0' '--app-connections 10000' '--hook-connections x' \
    --app-connections --yes-drop; do
    # shellcheck disable=SC2086 # several words on purpose
    run -2 "$BIN/db-roles" $arguments
  done
  [[ -z $(roles) ]]
}

@test "a role that may not create roles changes nothing, and what it takes is said" {
  sql postgres 'create role weak login createdb'
  CONNECTION_URL="postgresql://weak@/postgres?host=$CLUSTER&port=$PORT" run -1 "$BIN/db-roles" --passwords "$SECRETS" --generate
  [[ $output == *'permission denied to create role'*'nothing was changed. It takes a superuser, or a role with CREATEROLE and CREATEDB'* ]]
  [[ -z $(roles) ]]
}

@test "no password among any process's arguments or in its environment, nor in the server's log" {
  WORD=canary$RANDOM$$
  for login in cruddur_owner cruddur cruddur_hook cruddur_reader; do
    write_password "$login" "$WORD/$login"
  done
  sql postgres "alter system set log_statement = 'all'"
  sql postgres 'select pg_reload_conf()'
  run -0 "$BIN/db-roles" --passwords "$SECRETS"
  [[ $output != *"$WORD"* ]]
  sql postgres 'alter system reset log_statement'
  sql postgres 'select pg_reload_conf()'
  grep -q given_passwords "$CLUSTER/log"
  run ! grep -q "$WORD" "$CLUSTER/log"
  silent_server_start
  export CONNECTION_URL="postgresql://master@127.0.0.1:$SILENT/x" PGCONNECT_TIMEOUT=3600
  start_in_background "$BIN/db-roles" --passwords "$SECRETS" --maintenance-db x </dev/null
  eventually waiting_psql
  printf '%s\n' "$WORD" >"$BATS_TEST_TMPDIR/word"
  run grep -slF -f "$BATS_TEST_TMPDIR/word" /proc/[0-9]*/cmdline /proc/[0-9]*/environ
  [[ -z $output ]]
}

@test "the manual has every option, and none besides" {
  diff <("$BIN/db-roles" --help | grep -o -- '--[a-z][a-z-]*' | sort -u) \
    <(sed -n 's/^\.It Fl \(-[a-z-]*\)\( .*\|$\)/-\1/p' "$BIN/../man/db-roles.8" | sort -u)
  if command -v groff; then
    run -0 groff -man -Tutf8 -ww "$BIN/../man/db-roles.8"
    [[ $output != *warning* ]]
  fi
}
