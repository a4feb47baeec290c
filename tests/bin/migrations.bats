#!/usr/bin/env bats
# Migrations: from nothing and from every variant of week 4 to sql/schema.sql, back again, and what stops them.

load helpers/common
load helpers/cluster

setup_file() {
  cluster_start
  export PATH=$PROGRAMS:$PATH # psql itself: Debian's wrapper around it takes its time
  LAST=$(find "$BIN/../sql/migrations" -name '*.up.sql' | wc -l)
  export LAST
  CONNECTION_URL=$(socket_url loaded) "$BIN/db-create"
  CONNECTION_URL=$(socket_url loaded) "$BIN/db-schema-load"
}

teardown_file() { cluster_stop; }

setup() {
  NAME=db_$BATS_TEST_NUMBER
  CONNECTION_URL=$(socket_url "$NAME")
  export CONNECTION_URL
  sql postgres "create database $NAME"
}

teardown() { stop_background; }

# here STATEMENT: in this test's database.
here() { sql "$NAME" "$1"; }

# dump DATABASE [OPTION…]: what pg_dump says, without the database's name, blank lines, and the key that is new every time.
dump() {
  pg_dump --host "$CLUSTER" --port "$PORT" --username postgres "${@:2}" "$1" \
    | sed "/^$/d; /^[\\]\(un\)\?restrict /d; s/\b$1\b/NAME/g"
}

schema() { dump "$1" --schema-only --create "${@:2}"; }

everything() { dump "$NAME" --inserts "$@"; }

# ends_like_schema [PG_DUMP-OPTION…]: the tables with their rights, triggers and comments, and the database's settings.
ends_like_schema() {
  diff <(schema loaded "$@") <(schema "$NAME" "$@")
}

# refused TEXT: 0002 fails with that text, and nothing has changed.
refused() {
  local before
  before=$(everything --exclude-table=applied_migrations)
  run -1 "$BIN/db-migrate" --to 2
  echo "$output"
  [[ $output == *"$1"* ]]
  diff <(echo "$before") <(everything --exclude-table=applied_migrations)
  [[ $(applied) == 1 ]]
}

# week_4: the tables of the original's week 4, with the seeds' rows.
week_4() {
  here "$WEEK_4_TABLES"
  here "insert into users (uuid, display_name, handle, email, cognito_user_id, created_at) values
      ('a0000000-0000-4000-8000-000000000001', 'Andrew Brown', 'andrewbrown', 'a@example.com', 'MOCK', '2023-03-12 01:30:00.123456'),
      ('a0000000-0000-4000-8000-000000000002', 'Andrew Bayko', 'bayko', 'b@example.com', 'MOCK', '2023-03-12 02:30:00'),
      ('a0000000-0000-4000-8000-000000000003', 'Real One', 'real', 'c@example.com', '$SUB', '2023-11-05 05:30:00');
    insert into activities (uuid, user_uuid, message, expires_at, created_at) values
      ('b0000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000001', 'This was imported as seed data!',
        '2023-03-22 02:30:00.000001', '2023-03-12 02:30:00'),
      ('b0000000-0000-4000-8000-000000000002', 'a0000000-0000-4000-8000-000000000003', repeat('😀', 280), null,
        '2023-11-05 05:59:59.999999');"
}

SUB=c0ffee00-0000-4000-8000-000000000000

WEEK_4_TABLES='create extension if not exists "uuid-ossp";
  create table public.users (uuid uuid default uuid_generate_v4() primary key, display_name text not null,
    handle text not null, email text not null, cognito_user_id text not null,
    created_at timestamp default current_timestamp not null);
  create table public.activities (uuid uuid default uuid_generate_v4() primary key, user_uuid uuid not null,
    message text not null, replies_count integer default 0, reposts_count integer default 0, likes_count integer default 0,
    reply_to_activity_uuid integer, expires_at timestamp, created_at timestamp default current_timestamp not null);'

# activity N, user N: a uuid to tell one by.
activity() { printf 'b0000000-0000-4000-8000-%012d' "$1"; }
user() { printf 'a0000000-0000-4000-8000-%012d' "$1"; }

# rows: users and activities as both schemas can tell them.
rows() {
  here "set timezone = 'UTC';
    select uuid, display_name, handle, email, created_at::timestamptz from users order by uuid;
    select uuid, user_uuid, message, replies_count, reposts_count, likes_count, reply_to_activity_uuid,
      expires_at::timestamptz, created_at::timestamptz from activities order by uuid"
}

# applied: the numbers in the bookkeeping, on one line.
applied() {
  here "select string_agg(number::text, ' ' order by number) from applied_migrations"
}

all_applied() { [[ $(applied) == "$(seq -s ' ' "$LAST")" ]]; }

# copy_of_scripts [FOLDER]: leaves in COPY a tree with the scripts and the SQL, to be changed.
copy_of_scripts() {
  COPY=$BATS_TEST_TMPDIR/${1:-copy}
  mkdir "$COPY"
  cp -R "$BIN" "$BIN/../sql" "$COPY"
}

# add_migration UP [DOWN]: one more in COPY, after the last.
add_migration() {
  MORE=$(printf '%04d_more' $((LAST + 1)))
  printf '%s\n' "$1" >"$COPY/sql/migrations/$MORE.up.sql"
  printf '%s\n' "${2:-select 1;}" >"$COPY/sql/migrations/$MORE.down.sql"
}

@test "an empty database becomes what sql/schema.sql makes, rights and settings included" {
  run -0 "$BIN/db-migrate"
  [[ $output == *"== 0001_week_4.up.sql"*"== 0002_cruddur.up.sql"*"== $NAME on "* ]]
  ends_like_schema
  all_applied
}

@test "a database loaded from sql/schema.sql has all migrations already, with the checksums of their files" {
  before=$(dump loaded --inserts)
  CONNECTION_URL=$(socket_url loaded) run -0 "$BIN/db-migrate"
  [[ $output == 'there is nothing to apply' ]]
  [[ $(dump loaded --inserts) == "$before" ]]
  [[ $(sql loaded 'select max(number) from applied_migrations') == "$LAST" ]]
}

@test "migrating again changes nothing" {
  week_4
  "$BIN/db-migrate"
  before=$(everything)
  run -0 "$BIN/db-migrate"
  [[ $output == 'there is nothing to apply' ]]
  [[ $(everything) == "$before" ]]
}

@test "week 4 with the seeds' rows: every row as it was, its times UTC wherever client and server are" {
  week_4
  before=$(rows)
  here "alter database $NAME set timezone = 'America/Toronto'"
  PGTZ=Asia/Tokyo run -0 "$BIN/db-migrate"
  here "alter database $NAME reset timezone"
  diff <(echo "$before") <(rows)
  [[ $(here "set timezone = 'UTC'; select created_at from users where handle = 'andrewbrown'") == '2023-03-12 01:30:00.123456+00' ]]
  ends_like_schema --schema=public # an extension that was there stays
}

@test "MOCK becomes a distinct id, a real one stays" {
  week_4
  run -0 "$BIN/db-migrate"
  [[ $output == *'users without a Cognito id'*': 2'*"$(user 1)"*"$(user 2)"* ]]
  [[ $(here 'select cognito_user_id from users order by uuid') == "mock-$(user 1)"$'\n'"mock-$(user 2)"$'\n'"$SUB" ]]
}

@test "the first week-4 tables, without e-mail and with nulls" {
  here 'create table users (uuid uuid default gen_random_uuid() primary key, display_name text, handle text,
      cognito_user_id text, created_at timestamp default current_timestamp not null)'
  here "insert into users (uuid, display_name, handle, cognito_user_id) values
    ('$(user 1)', 'Whole', 'whole', 'id-1'), ('$(user 2)', null, 'nameless', 'id-2'), ('$(user 3)', ' ', null, null),
    ('$(user 4)', 'Blank', '', ' '), ('$(user 5)', 'Lower', 'lower', 'mock')"
  run -0 "$BIN/db-migrate" # and without activities
  [[ $output == *'without a handle'*': 2'*'without a display name'*': 2'*'without an e-mail address'*': 5'*'Cognito id'*': 3'* ]]
  diff - <(here 'select uuid, display_name, handle, email, cognito_user_id from users order by uuid') <<END
$(user 1)|Whole|whole|$(user 1)@unknown.invalid|id-1
$(user 2)|nameless|nameless|$(user 2)@unknown.invalid|id-2
$(user 3)|user-$(user 3)|user-$(user 3)|$(user 3)@unknown.invalid|mock-$(user 3)
$(user 4)|Blank|user-$(user 4)|$(user 4)@unknown.invalid|mock-$(user 4)
$(user 5)|Lower|lower|$(user 5)@unknown.invalid|mock-$(user 5)
END
  ends_like_schema
}

@test "the finished Cruddur's tables: bio, replies with a uuid, schema_information" {
  week_4
  here "alter table users add column bio text; update users set bio = 'I brew ☕' where handle = 'bayko';
    alter table activities drop column reply_to_activity_uuid;
    alter table activities add column reply_to_activity_uuid uuid;
    insert into activities (uuid, user_uuid, message, reply_to_activity_uuid)
      select '$(activity 3)', '$(user 2)', repeat('é', 1024), '$(activity 1)';
    insert into activities (uuid, user_uuid, message, reply_to_activity_uuid)
      select '$(activity 4)', '$(user 1)', 'to a reply', '$(activity 3)';
    create table schema_information (id integer unique, last_successful_run text);
    insert into schema_information values (1, '16844665640237772')"
  before=$(rows | sed 's/|0|0|0|/|counts|/')
  run -0 "$BIN/db-migrate"
  diff <(echo "$before") <(rows | sed 's/|[01]|0|0|/|counts|/')
  [[ $(here 'select string_agg(replies_count::text, $$ $$ order by uuid) from activities') == '1 0 1 0' ]]
  [[ $(here 'select string_agg(quote_literal(bio), $$ $$ order by uuid) from users') == "'' 'I brew ☕' ''" ]]
  [[ $(here 'select last_successful_run from schema_information') == 16844665640237772 ]]
  ends_like_schema --schema=public --exclude-table=schema_information
}

@test "a foreign key, updated_at with its triggers, an index and varchar, as some have them" {
  week_4
  here "alter table activities add constraint fk_user_uuid foreign key (user_uuid) references users (uuid);
    alter table users alter column handle type varchar(50), add constraint users_handle_key unique (handle);
    alter table users add column updated_at timestamp default '2023-04-01 00:00:00';
    alter table activities add column updated_at timestamp default current_timestamp, alter column message type varchar(1000);
    create index activities_home_idx on activities (created_at);
    create function func_updated_at() returns trigger language plpgsql as 'begin new.updated_at := now(); return new; end';
    create trigger trig_users_updated_at before update on users for each row execute function func_updated_at();
    create trigger trig_activities_updated_at before update on activities for each row execute function func_updated_at()"
  before=$(rows)
  run -0 "$BIN/db-migrate"
  diff <(echo "$before") <(rows)
  [[ $(here "set timezone = 'UTC'; select distinct updated_at from users") == '2023-04-01 00:00:00+00' ]]
  here 'drop function func_updated_at()' # nothing uses it any more
  ends_like_schema --schema=public
}

@test "times that have a zone already are taken as they are" {
  week_4
  here "set timezone = 'America/Toronto'; alter table users alter column created_at type timestamptz;
    alter table activities alter column created_at type timestamptz, alter column expires_at type timestamptz"
  before=$(rows)
  run -0 "$BIN/db-migrate"
  diff <(echo "$before") <(rows)
}

@test "a database loaded by the first version of schema.sql, which kept no books" {
  "$BIN/db-migrate" --to 2
  "$BIN/db-seed"
  here "drop table applied_migrations; update users set bio = 'kept' where handle = 'londo'"
  rows="select * from users order by uuid; select to_jsonb(a) - 'search' - 'tags' from activities a order by uuid"
  before=$(here "$rows")
  run -0 "$BIN/db-migrate"
  diff <(echo "$before") <(here "$rows")
  ends_like_schema
}

@test "posts that are there already are found like new ones, and growth counts them" {
  number=$(find "$BIN/../sql/migrations" -name '*_search_growth.up.sql' -printf '%f')
  "$BIN/db-migrate" --to $((10#${number%%_*} - 1))
  "$BIN/db-seed"
  here "insert into activities (user_uuid, message, created_at)
    select uuid, 'an #Old post, #old', now() - interval '3 days' from users where handle = 'londo'"
  run -0 "$BIN/db-migrate"
  here "insert into activities (user_uuid, message, created_at)
    select user_uuid, message, created_at from activities where message like 'an #Old%'"
  [[ $(here "select count(*), count(distinct (tags, search)), min(tags::text) from activities where message like 'an #Old%'") == '2|1|{#old}' ]]
  "$BIN/db-purge"
  [[ $(here 'select sum(users), sum(posts), sum(replies) from growth') == '0|2|0' ]]
}

@test "handles that are equal but for case: the oldest keeps it, the others get the next free number" {
  week_4
  long=$(printf 'x%.0s' {1..64})
  here "insert into users (uuid, display_name, handle, email, cognito_user_id, created_at) values
    ('$(user 4)', 'Older', 'AndrewBrown', '4', 'id-4', '2023-03-11'),
    ('$(user 5)', 'Newer', 'ANDREWBROWN', '5', 'id-5', '2023-03-13'),
    ('$(user 6)', 'Same', 'andrewbrown', '6', 'id-6', '2023-03-14'),
    ('$(user 7)', 'Taken', 'andrewbrown-3', '7', 'id-7', '2023-03-15'),
    ('$(user 8)', 'Long', '$long', '8', 'id-8', '2023-03-15'),
    ('$(user 9)', 'Long', '$long', '9', 'id-9', '2023-03-15');
    update users set email = email || '@example.net' where email not like '%@%'"
  run -0 "$BIN/db-migrate"
  [[ $output == *"user $(user 1): the handle andrewbrown is an older user's, now andrewbrown-2"* ]]
  diff - <(here 'select handle from users order by uuid') <<END
andrewbrown-2
bayko
real
AndrewBrown
ANDREWBROWN-4
andrewbrown-5
andrewbrown-3
$long
${long:2}-2
END
}

@test "e-mail addresses and Cognito ids that occur twice: the oldest keeps them" {
  week_4
  here "insert into users (uuid, display_name, handle, email, cognito_user_id, created_at) values
    ('$(user 4)', 'Twice', 'twice', 'A@Example.com', '$SUB', '2023-12-01'),
    ('$(user 5)', 'Blank', 'blank', ' ', 'id-5', '2023-12-01')"
  run -0 "$BIN/db-migrate"
  [[ $output == *"e-mail address"*": 2"*"$(user 4)"*"$(user 5)"*'Cognito id'*': 3'* ]]
  [[ $output != *xample.com* ]]
  [[ $(here "select uuid from users where email = 'a@example.com'") == "$(user 1)" ]]
  [[ $(here "select uuid from users where cognito_user_id = '$SUB'") == "$(user 3)" ]]
  [[ $(here "select email, cognito_user_id from users where handle = 'twice'") == "$(user 4)@unknown.invalid|mock-$(user 4)" ]]
}

@test "activities of a user that is not there keep a user of that uuid" {
  week_4
  here "insert into activities (uuid, user_uuid, message, created_at) values
    ('$(activity 3)', '$(user 7)', 'one', '2023-05-02'), ('$(activity 4)', '$(user 7)', 'two', '2023-05-01'),
    ('$(activity 5)', '$(user 8)', 'three', '2023-05-03')"
  run -0 "$BIN/db-migrate"
  [[ $output == *"users that were missing"*": 2"*"$(user 7)"*"$(user 8)"* ]]
  [[ $(here 'select count(*) from activities') == 5 ]]
  made=$(here "set timezone = 'UTC'; select display_name, handle, created_at from users where uuid = '$(user 7)'")
  [[ $made == "Unknown user|user-$(user 7)|2023-05-01 00:00:00+00" ]]
}

@test "replies to nothing are top-level, whether integer or uuid" {
  week_4
  here 'update activities set reply_to_activity_uuid = 7'
  run -0 "$BIN/db-migrate" --to 2
  [[ $output == *'replies to an activity that is not there'*': 2'* ]]
  [[ $(here 'select count(*) from activities where reply_to_activity_uuid is null') == 2 ]]
}

@test "replies to an activity that was deleted, or to themselves, are top-level" {
  week_4
  here "alter table activities drop column reply_to_activity_uuid, add column reply_to_activity_uuid uuid;
    update activities set reply_to_activity_uuid = case uuid when '$(activity 1)' then uuid else '$(activity 9)' end"
  run -0 "$BIN/db-migrate"
  [[ $output == *'replies to an activity that is not there'*': 2'* ]]
  [[ $(here 'select count(*) from activities where reply_to_activity_uuid is null and replies_count = 0') == 2 ]]
}

@test "counts are never null nor below zero, and a post expires after it was made" {
  week_4
  here "update activities set replies_count = null, reposts_count = -1, likes_count = 3, expires_at = created_at;
    insert into activities (uuid, user_uuid, message, created_at, expires_at) values
      ('$(activity 3)', '$(user 1)', 'before', '2023-05-01', '2023-04-01'),
      ('$(activity 4)', '$(user 1)', 'never', 'infinity', 'infinity'), ('$(activity 5)', '$(user 1)', 'always', '2023-05-01', null)"
  here "update activities set created_at = '2023-05-01' where message = 'never'"
  run -0 "$BIN/db-migrate"
  [[ $output == *'expired before they were made'*': 3'* ]]
  [[ $output == *'2 activities had likes or reposts that nobody had made'* ]]
  [[ $(here "select distinct replies_count, reposts_count, likes_count from activities where message !~ '^(before|never|always)'") == '0|0|0' ]]
  [[ $(here 'select count(*) from activities where expires_at = created_at + $$1 microsecond$$') == 3 ]]
  [[ $(here "select message, expires_at from activities where message ~ '^(never|always)' order by 1") == $'always|\nnever|infinity' ]]
}

@test "what breaks a rule is listed, every row and every rule of it, and nothing has changed" {
  week_4
  here "update users set display_name = repeat('x', 256), handle = 'andrew brown' where uuid = '$(user 1)';
    update users set email = 'nobody', cognito_user_id = 'a b' where uuid = '$(user 2)';
    update users set handle = repeat('x', 65) where uuid = '$(user 3)';
    alter table users add column bio text; update users set bio = repeat('x', 1025) where uuid = '$(user 3)';
    update activities set message = '' where uuid = '$(activity 1)';
    update activities set message = message || 'x' where uuid = '$(activity 2)'"
  refused 'ERROR:  rows that break a rule of the new tables: 8; nothing was changed'
  for line in "activities $(activity 1): message is empty" "activities $(activity 2): message has more than 280 characters" \
    "users $(user 1): display_name has" "users $(user 1): handle is not one word" "users $(user 2): email is not" \
    "users $(user 2): cognito_user_id has" "users $(user 3): bio has" "users $(user 3): handle is not one word"; do
    [[ $output == *"$line"* ]]
  done
  [[ $output != *nobody* && $output != *😀* ]]
}

@test "a reply has 1024 characters, not 1025" {
  week_4
  here "alter table activities drop column reply_to_activity_uuid, add column reply_to_activity_uuid uuid;
    insert into activities (uuid, user_uuid, message, reply_to_activity_uuid)
      values ('$(activity 3)', '$(user 1)', repeat('x', 1025), '$(activity 1)')"
  refused "activities $(activity 3): message has more than 1024 characters"
}

@test "no more than 100 rows are listed" {
  week_4
  here "insert into activities (user_uuid, message) select '$(user 1)', '' from generate_series(1, 101)"
  refused 'rows that break a rule of the new tables: 101;'
  (($(grep -c 'message is empty' <<<"$output") == 100))
  [[ $output == *$'empty\n...\nHINT'* ]]
}

@test "a column that is unknown and holds values stops it, an empty one does not" {
  week_4
  here "alter table users add column avatar_url text; alter table activities add column bio text"
  here "update users set avatar_url = 'x' where handle = 'bayko'"
  refused 'column avatar_url of users holds values'
  here "update users set avatar_url = null; update activities set bio = 'x'"
  refused 'column bio of activities holds values'
  here 'update activities set bio = null'
  run -0 "$BIN/db-migrate"
  ends_like_schema --schema=public
}

@test "a table or a view that depends on the old tables stops it" {
  week_4
  here 'create table likes (activity_uuid uuid references activities (uuid))'
  refused 'constraint likes_activity_uuid_fkey on table likes depends on'
  here 'drop table likes; create view feed as select * from users'
  refused 'view feed depends on table users'
}

@test "tables of other names than the migration's own are none of its business" {
  week_4
  here "create table old_users as select 1 as kept; create table old_activities as select 1 as kept;
    create table new_users as select 1 as kept; create table new_activities as select 1 as kept"
  "$BIN/db-migrate"
  "$BIN/db-rollback" --to 1
  [[ $(here 'select * from old_users, old_activities, new_users, new_activities') == '1|1|1|1' ]]
  [[ $(here 'select count(*) from users') == 3 ]]
}

@test "down, one by one, is the way back, and up again ends the same" {
  for number in $(seq "$LAST"); do
    "$BIN/db-migrate" --to "$number"
    levels[number]=$(schema "$NAME")
  done
  for number in $(seq $((LAST - 1)) -1 1); do
    run -0 "$BIN/db-rollback"
    diff <(echo "${levels[number]}") <(schema "$NAME")
    [[ $(applied) == "$(seq -s ' ' "$number")" ]]
  done
  "$BIN/db-rollback"
  [[ $(here "select string_agg(tablename, ' ') from pg_tables where schemaname = 'public'") == applied_migrations ]]
  run -0 "$BIN/db-rollback"
  [[ $output == 'there is nothing to take back' ]]
  "$BIN/db-migrate"
  ends_like_schema
}

@test "down and up again keep every row: replies, bios, expiry" {
  "$BIN/db-migrate"
  "$BIN/db-seed"
  here "update users set bio = 'b' where handle = 'bayko';
    insert into activities (user_uuid, message, reply_to_activity_uuid, expires_at)
      select user_uuid, repeat('x', 1024), uuid, null from activities;
    update activities set replies_count = 1 where expires_at is not null"
  rows='select uuid, display_name, handle, email, cognito_user_id, bio, created_at from users order by uuid;
    select * from activities order by uuid'
  before=$(here "$rows")
  run -0 "$BIN/db-rollback" --to 1
  [[ $(here "set timezone = 'Asia/Tokyo'; select count(*) from activities where created_at <= now() at time zone 'UTC'") == 2 ]]
  run -0 "$BIN/db-migrate"
  diff <(echo "$before") <(here "$rows")
  ends_like_schema
}

@test "likes and the like are gone with a way down, their counts with them; replies and mentions tell again" {
  "$BIN/db-migrate"
  "$BIN/db-seed"
  here "insert into likes select u.uuid, a.uuid from users u, activities a; insert into reposts select * from likes;
    update activities set likes_count = 4, reposts_count = 4;
    insert into follows select a.uuid, b.uuid from users a, users b where a.handle <> b.handle;
    insert into activities (user_uuid, message, reply_to_activity_uuid) select u.uuid, '@LONDO, @altbrown', a.uuid
      from activities a, users u where u.handle = 'bayko'"
  told="select u.handle, kind, a.handle, n.created_at, activity_uuid from notifications n join users u on u.uuid = user_uuid
    join users a on a.uuid = actor_uuid where kind in ('reply', 'mention') order by 1, 2, 3"
  before=$(here "$told")
  [[ $before == 'altbrown|mention|bayko'*$'\n''andrewbrown|reply|bayko'*$'\n''londo|mention|bayko'* ]]
  "$BIN/db-rollback" --to 5
  [[ $(here 'select distinct likes_count, reposts_count from activities') == '0|0' ]]
  "$BIN/db-migrate"
  [[ $(here "$told") == "$before" ]]
  [[ $(here 'select count(*) from (select from likes union all select from reposts union all select from follows) none') == 0 ]]
  ends_like_schema
}

@test "down to week 4 has week 4's types where they can hold what is there" {
  types="select concat_ws(' ', table_name, column_name, data_type) from information_schema.columns
    where table_schema = 'public' and (column_name in ('bio', 'reply_to_activity_uuid') or data_type like 'timestamp%')
      and table_name <> 'applied_migrations' order by 1"
  week_4
  before=$(here "$types")
  "$BIN/db-migrate"
  "$BIN/db-rollback" --to 1
  diff <(echo "$before") <(here "$types")
}

@test "the first migration is not taken back from tables with rows" {
  week_4
  "$BIN/db-migrate"
  "$BIN/db-rollback" --to 1
  before=$(everything)
  run -1 "$BIN/db-rollback"
  [[ $output == *'users and activities hold rows'*'what it had done is undone'* ]]
  [[ $(everything) == "$before" ]]
}

@test "a migration that fails leaves nothing of itself, and those before it" {
  copy_of_scripts
  for broken in 'select 1/0' 'insert into half values (null)' 'create tabel x' '\i nowhere.sql'; do
    add_migration "create table half (x int not null); insert into half values (1); drop table messages; $broken;"
    run -1 "$COPY/bin/db-migrate"
    echo "$output"
    [[ $output == *"$MORE.up.sql:1: "*'a migration failed'* ]]
    all_applied
    ends_like_schema
  done
  add_migration 'create table half ();' 'drop table half; select 1/0;'
  "$COPY/bin/db-migrate"
  before=$(everything)
  run -1 "$COPY/bin/db-rollback"
  [[ $output == *'division by zero'* ]]
  [[ $(everything) == "$before" ]]
}

@test "when the first migration fails, there is not even a bookkeeping table" {
  copy_of_scripts
  echo 'select 1/0;' >>"$COPY/sql/migrations/0001_week_4.up.sql"
  run -1 "$COPY/bin/db-migrate"
  [[ -z $(here "select tablename from pg_tables where schemaname = 'public'") ]]
}

@test "a session that is cut off leaves nothing" {
  copy_of_scripts
  add_migration 'create table half (); select pg_sleep(60);'
  start_in_background "$COPY/bin/db-migrate"
  eventually at_work pg_sleep
  here "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'db-migrate'"
  wait "$BACKGROUND" && status=0 || status=$?
  ((status == 1))
  all_applied
  ends_like_schema
}

# at_work TEXT: a migration runs or waits in a statement with that text.
at_work() {
  [[ $(here "select count(*) from pg_stat_activity where datname = '$NAME' and application_name like 'db-%'
    and state = 'active' and query like '%$1%'") -gt 0 ]]
}

@test "five runs at once apply each migration once" {
  week_4
  for run in 1 2 3 4 5; do
    "$BIN/db-migrate" >"$BATS_TEST_TMPDIR/$run" 2>&1 3>&- &
    runs[run]=$!
  done
  for run in 1 2 3 4 5; do
    wait "${runs[run]}"
  done
  (($(grep -h '^== 000' "$BATS_TEST_TMPDIR"/[1-5] | sort | uniq -c | awk '$1 == 1' | wc -l) == LAST))
  ends_like_schema --schema=public
}

@test "a run that finds another at work says so, waits, and does what is left" {
  copy_of_scripts
  echo 'select pg_sleep(60);' >>"$COPY/sql/migrations/0001_week_4.up.sql"
  start_in_background "$COPY/bin/db-migrate"
  eventually at_work pg_sleep
  "$BIN/db-migrate" >"$BATS_TEST_TMPDIR/second" 2>&1 3>&- &
  second=$!
  eventually grep 'another db-migrate or db-rollback is at work' "$BATS_TEST_TMPDIR/second"
  eventually at_work pg_advisory_lock
  stop_background
  here "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()"
  wait "$second"
  all_applied
}

@test "a rollback that waited takes back nothing but what it said" {
  "$BIN/db-migrate"
  copy_of_scripts
  down=$(printf '%s' "$COPY"/sql/migrations/"$(printf '%04d' "$LAST")"_*.down.sql)
  echo 'select pg_sleep(1);' >>"$down"
  start_in_background "$COPY/bin/db-rollback"
  eventually at_work pg_sleep
  run -1 "$BIN/db-rollback"
  [[ $output == *'is at work'*'another run has changed the database meanwhile: nothing was done'* ]]
  wait "$BACKGROUND"
  [[ $(applied) == "$(seq -s ' ' $((LAST - 1)))" ]]
}

@test "a lock on a table that somebody holds ends the migration, with nothing changed" {
  week_4
  start_in_background "$BIN/db-connect" -- -c 'begin; lock table users in access share mode; select pg_sleep(60)'
  eventually at_work pg_sleep
  PGOPTIONS='-c lock_timeout=200' refused 'canceling statement due to lock timeout'
}

@test "a lock is waited for 5 seconds unless the operator has said otherwise" {
  copy_of_scripts
  add_migration "create table waits as select current_setting('lock_timeout');" 'drop table waits;'
  "$COPY/bin/db-migrate"
  [[ $(here 'table waits') == 5s ]]
  "$COPY/bin/db-rollback"
  PGOPTIONS='-c lock_timeout=7s' "$COPY/bin/db-migrate"
  [[ $(here 'table waits') == 7s ]]
}

# stops TEXT: neither db-migrate nor db-rollback does anything, each with that text.
stops() {
  local before script
  before=$(everything)
  for script in db-migrate 'db-migrate --dry-run' db-rollback 'db-rollback --dry-run'; do
    # shellcheck disable=SC2086 # several words on purpose
    run -1 "${COPY:-$BIN/..}"/bin/$script
    echo "$output"
    [[ $output == *"$1"* ]]
  done
  [[ $(everything) == "$before" ]]
}

@test "a file that was changed after it was applied stops everything" {
  "$BIN/db-migrate" --to 2
  copy_of_scripts
  echo '-- only a comment' >>"$COPY/sql/migrations/0001_week_4.up.sql"
  stops 'sql/migrations/0001_week_4.up.sql is not the file that was applied'
}

@test "a migration that is applied and not among the files stops everything" {
  "$BIN/db-migrate"
  copy_of_scripts
  add_migration 'select 1;'
  "$COPY/bin/db-migrate"
  COPY=''
  stops "has a migration $((LAST + 1)), more, and sql/migrations has not"
  here "update applied_migrations set number = 99 where number > $LAST"
  stops 'has a migration 99, more,'
  here "delete from applied_migrations where number = 99; update applied_migrations set name = 'else' where number = 2"
  stops 'has a migration 2, else,'
}

@test "a hole in what is applied stops everything" {
  "$BIN/db-migrate"
  here 'delete from applied_migrations where number = 1'
  stops 'has the migration 0002_cruddur, but not the one before it'
}

@test "files with a gap, a wrong name or no way back stop everything" {
  copy_of_scripts
  cd "$COPY/sql/migrations"
  mv 0002_cruddur.down.sql aside
  stops '0002_cruddur.down.sql is missing'
  mv aside 0002_cruddur.down.sql
  mv 0001_week_4.up.sql aside
  stops '0002_cruddur.up.sql: number 1 was to come'
  for name in 0001week_4 0001-week-4 0001_Week_4 0001_ 0001_a.b "0001_a'b"; do
    mv aside "$name.up.sql"
    stops "$name.up.sql is not named NNNN_name.up.sql"
    mv "$name.up.sql" aside
  done
}

@test "no migration ends its transaction itself" {
  local words='^[[:space:]]*(begin|commit|end|rollback|abort|start transaction)[[:space:]]*;|\\(c|connect|q|quit)\b'
  # A function's body cannot; its blocks end with such a word.
  run -1 grep -niE "$words" < <(sed '/^as \$\$$/,/^\$\$;$/d' "$BIN"/../sql/migrations/*.sql)
}

@test "--to goes so far and no further, both ways" {
  "$BIN/db-migrate" --to 1
  [[ $(applied) == 1 ]]
  run -0 "$BIN/db-migrate" --to 0001
  [[ $output == 'there is nothing to apply' ]]
  "$BIN/db-migrate" --to "$LAST"
  all_applied
  run -1 "$BIN/db-migrate" --to 1
  [[ $output == *"db-rollback --to 1 goes back"* ]]
  run -0 "$BIN/db-rollback" --to "$LAST"
  [[ $output == 'there is nothing to take back' ]]
  "$BIN/db-rollback" --to 1
  [[ $(applied) == 1 ]]
  run -1 "$BIN/db-rollback" --to 2
  [[ $output == *'is at 0001_week_4 only: db-migrate --to 2 goes on'* ]]
  "$BIN/db-rollback" --to 0
  [[ -z $(applied) ]]
}

@test "a number that is none, or of no migration, is misuse" {
  for script in db-migrate db-rollback; do
    for to in '' ' ' x -1 1.5 12345 $((LAST + 1)) 9999 '1;drop' 'a[0]' --dry-run; do
      run -2 "$BIN/$script" --to "$to"
    done
    run -2 "$BIN/$script" --to
    run -2 "$BIN/$script" --to=1
    run -2 "$BIN/$script" --dry-run extra
    run -2 "$BIN/$script" prod prod
  done
  run -2 "$BIN/db-migrate" --to 0
  run -2 "$BIN/db-migrate" --yes-drop "$NAME"
  run -2 "$BIN/db-rollback" --yes-drop
  [[ -z $(here "select tablename from pg_tables where schemaname = 'public'") ]]
}

@test "--dry-run prints what would run, on stdout, and runs nothing" {
  week_4
  before=$(everything)
  run -0 --separate-stderr "$BIN/db-migrate" --dry-run
  [[ ${lines[*]} == "$(cd "$BIN/../sql/migrations" && echo *.up.sql)" && -z $stderr ]]
  run -0 "$BIN/db-migrate" --to 2 --dry-run
  [[ ${lines[*]} == '0001_week_4.up.sql 0002_cruddur.up.sql' ]]
  [[ $(everything) == "$before" ]]
  "$BIN/db-migrate" --to 2
  before=$(everything)
  run -0 "$BIN/db-rollback" --dry-run
  [[ $output == 0002_cruddur.down.sql ]]
  run -0 "$BIN/db-rollback" --dry-run --to 0
  [[ ${lines[*]} == '0002_cruddur.down.sql 0001_week_4.down.sql' ]]
  [[ $(everything) == "$before" ]]
}

@test "from a folder with blanks and quotes in its name, called from elsewhere" {
  copy_of_scripts "it's \"a\" \$folder: \\n"
  cd /
  "$COPY/bin/db-migrate"
  "$COPY/bin/db-rollback" --to 1
  [[ $(applied) == 1 ]]
}

# production: PROD, a migrated database with a row in every table, beside this test's own, which is migrated too.
production() {
  PROD=prod_$BATS_TEST_NUMBER
  PROD_CONNECTION_URL=$(socket_url "$PROD")
  export PROD_CONNECTION_URL
  "$BIN/db-setup"
  "$BIN/db-setup" prod --yes-drop "$PROD"
  before=$(both)
}

both() {
  dump "$NAME" --inserts
  dump "$PROD" --inserts
}

@test "db-rollback prod wants the name typed out: anything else does nothing anywhere" {
  production
  for typed in "$NAME" '' " $PROD" "${PROD^^}" yes; do
    run -1 "$BIN/db-rollback" prod <<<"$typed"
    [[ $output == *PRODUCTION*"This will take back $(printf '%04d' "$LAST")_"*"$PROD on "*'nothing was done'* ]]
  done
  run -1 "$BIN/db-rollback" prod </dev/null
  run -1 "$BIN/db-rollback" prod --yes-drop "$NAME" <<<"$PROD"
  run -1 "$BIN/db-rollback" --yes-drop "$PROD"
  run -1 "$BIN/db-rollback" prod --to 0 --yes-drop --dry-run
  CONNECTION_URL=$PROD_CONNECTION_URL run -1 "$BIN/db-rollback" </dev/null
  [[ $output == *'names the same database as PROD_CONNECTION_URL'* ]]
  for arguments in PROD --prod '--to 0 production' "prod $PROD"; do
    # shellcheck disable=SC2086 # several words on purpose
    run -2 "$BIN/db-rollback" $arguments <<<"$PROD"
  done
  diff <(echo "$before") <(both)
}

@test "db-rollback prod --dry-run asks nothing and does nothing" {
  production
  run -0 --separate-stderr "$BIN/db-rollback" prod --dry-run </dev/null
  [[ $output == *.down.sql && $stderr == *PRODUCTION* ]]
  diff <(echo "$before") <(both)
}

@test "with the name typed out, or --yes-drop, it goes to production and nowhere else; db-migrate prod asks nothing" {
  production
  dev=$(everything)
  run -0 "$BIN/db-rollback" prod <<<"$PROD"
  [[ $(sql "$PROD" 'select max(number) from applied_migrations') == $((LAST - 1)) ]]
  run -0 "$BIN/db-rollback" --to 1 --yes-drop "$PROD" prod </dev/null
  run -0 "$BIN/db-migrate" prod </dev/null
  [[ $output == *PRODUCTION*"$PROD on "* ]]
  diff <(schema loaded) <(schema "$PROD")
  [[ $(sql "$PROD" 'select count(*) from users') == 4 ]]
  [[ $(everything) == "$dev" ]]
}

@test "an owner without CREATEROLE migrates, where cruddur_app is there already" {
  sql postgres "create role migrator login; alter database $NAME owner to migrator"
  CONNECTION_URL="postgresql://migrator@/$NAME?host=$CLUSTER&port=$PORT"
  run -0 "$BIN/db-migrate"
  diff <(schema loaded | sed '/OWNER TO\|Owner: /d') <(schema "$NAME" | sed 's/\bmigrator\b/postgres/; /OWNER TO\|Owner: /d')
  run -0 "$BIN/db-rollback" --to 0
}

@test "a migrator that may create tables but does not own the database" {
  sql postgres 'create role lodger login'
  here 'grant create on schema public to lodger'
  CONNECTION_URL="postgresql://lodger@/$NAME?host=$CLUSTER&port=$PORT"
  run -0 "$BIN/db-migrate"
  [[ $output == *"not the owner of database $NAME"* ]]
  run -0 "$BIN/db-rollback" --to 1
  run -0 "$BIN/db-migrate"
}
