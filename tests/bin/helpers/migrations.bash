# What the tests of migrations share: databases in every state to begin with, and functions that read their later state.

load helpers/common
load helpers/cluster

# start_databases: starts the cluster with the databases `loaded`, which sql/schema.sql has made, `seeded`, the same with rows, and
# `old`, the tables of the original's week 4 with the seeds' rows. A test copies one of them. Leaves in LAST the number of
# migrations, in ALL their numbers.
start_databases() {
  local number files=("$BIN"/../sql/migrations/*.up.sql)
  cluster_start
  LAST=${#files[@]} ALL=''
  for ((number = 1; number <= LAST; number++)); do
    ALL+="${ALL:+ }$number"
  done
  export LAST ALL
  sql postgres 'create database loaded; create database old'
  CONNECTION_URL=$(socket_url loaded) "$BIN/db-schema-load"
  sql postgres 'create database seeded template loaded'
  CONNECTION_URL=$(socket_url seeded) "$BIN/db-seed"
  sql old "$WEEK_4"
}

setup() {
  needs pg_dump
  NAME=db_$BATS_TEST_NUMBER
  CONNECTION_URL=$(socket_url "$NAME")
  export CONNECTION_URL
}

teardown() { stop_background; }

# begin_with empty|loaded|seeded|old: makes this test's database.
begin_with() {
  sql postgres "create database $NAME template ${1/empty/template1} strategy file_copy"
}

# here STATEMENT: runs it in this test's database.
here() { sql "$NAME" "$1"; }

# dump DATABASE [OPTION…]: prints pg_dump's output without the database's name, blank lines, and the key that is new every time. Names of
# NOT NULL are left out too: PostgreSQL 18 makes them from the column's name at that time, and no statement uses them.
dump() {
  pg_dump --host "$CLUSTER" --port "$PORT" --username postgres "${@:2}" "$1" \
    | sed "/^$/d; /^[\\]\(un\)\?restrict /d; s/\b$1\b/NAME/g; s/ CONSTRAINT [a-z_]*_not_null[0-9]* NOT NULL/ NOT NULL/"
}

schema() { dump "$1" --schema-only --create "${@:2}"; }

everything() { dump "$NAME" --inserts "$@"; }

# loaded_schema [PG_DUMP-OPTION…]: leaves in REPLY the name of a file with the schema of `loaded`.
loaded_schema() {
  REPLY=$BATS_FILE_TMPDIR/loaded$*
  [[ -e $REPLY ]] || schema loaded "$@" >"$REPLY"
}

# ends_like_schema [PG_DUMP-OPTION…]: this test's database is like `loaded`: tables with rights, triggers and comments, and settings.
ends_like_schema() {
  loaded_schema "$@"
  diff "$REPLY" <(schema "$NAME" "$@")
}

# refused TEXT: migration 0002 fails with that text, and changes nothing.
# shellcheck disable=SC2154 # run sets output
refused() {
  local before
  before=$(everything --exclude-table=applied_migrations)
  run -1 "$BIN/db-migrate" --to 2
  echo "$output"
  [[ $output == *"$1"* ]]
  diff <(echo "$before") <(everything --exclude-table=applied_migrations)
  [[ $(applied) == 1 ]]
}

SUB=c0ffee00-0000-4000-8000-000000000000

WEEK_4="create extension if not exists \"uuid-ossp\";
  create table public.users (uuid uuid default uuid_generate_v4() primary key, display_name text not null,
    handle text not null, email text not null, cognito_user_id text not null,
    created_at timestamp default current_timestamp not null);
  create table public.activities (uuid uuid default uuid_generate_v4() primary key, user_uuid uuid not null,
    message text not null, replies_count integer default 0, reposts_count integer default 0, likes_count integer default 0,
    reply_to_activity_uuid integer, expires_at timestamp, created_at timestamp default current_timestamp not null);
  insert into users (uuid, display_name, handle, email, cognito_user_id, created_at) values
    ('a0000000-0000-4000-8000-000000000001', 'Andrew Brown', 'andrewbrown', 'a@example.com', 'MOCK', '2023-03-12 01:30:00.123456'),
    ('a0000000-0000-4000-8000-000000000002', 'Andrew Bayko', 'bayko', 'b@example.com', 'MOCK', '2023-03-12 02:30:00'),
    ('a0000000-0000-4000-8000-000000000003', 'Real One', 'real', 'c@example.com', '$SUB', '2023-11-05 05:30:00');
  insert into activities (uuid, user_uuid, message, expires_at, created_at) values
    ('b0000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000001', 'This was imported as seed data!',
      '2023-03-22 02:30:00.000001', '2023-03-12 02:30:00'),
    ('b0000000-0000-4000-8000-000000000002', 'a0000000-0000-4000-8000-000000000003', repeat('😀', 280), null,
      '2023-11-05 05:59:59.999999');"

# applied: prints the numbers of the applied migrations, on one line.
applied() {
  here "select string_agg(number::text, ' ' order by number) from applied_migrations"
}

all_applied() { [[ $(applied) == "$ALL" ]]; }
