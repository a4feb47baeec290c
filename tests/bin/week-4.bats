#!/usr/bin/env bats
# Every variant of the original's week-4 tables is migrated to the tables of sql/schema.sql, with its rows; rows that do not fit
# stop the migration.

load helpers/migrations

setup_file() { start_databases; }
teardown_file() { cluster_stop; }

# activity N, user N: prints a recognisable uuid.
activity() { printf 'b0000000-0000-4000-8000-%012d' "$1"; }
user() { printf 'a0000000-0000-4000-8000-%012d' "$1"; }

# rows: prints users and activities, by columns that both schemas have.
rows() {
  here "set timezone = 'UTC';
    select uuid, display_name, handle, email, created_at::timestamptz from users order by uuid;
    select uuid, user_uuid, message, replies_count, reposts_count, likes_count, reply_to_activity_uuid,
      expires_at::timestamptz, created_at::timestamptz from activities order by uuid"
}

@test "week 4 with the seeds' rows: every row as it was, its times UTC wherever client and server are" {
  begin_with old
  before=$(rows)
  here "alter database $NAME set timezone = 'America/Toronto'"
  PGTZ=Asia/Tokyo run -0 "$BIN/db-migrate"
  here "alter database $NAME reset timezone"
  diff <(echo "$before") <(rows)
  [[ $(here "set timezone = 'UTC'; select created_at from users where handle = 'andrewbrown'") == '2023-03-12 01:30:00.123456+00' ]]
  ends_like_schema --schema=public # an extension that the database has stays
}

@test "MOCK becomes a distinct id, a real one stays" {
  begin_with old
  run -0 "$BIN/db-migrate"
  [[ $output == *'users without a Cognito id'*': 2'*"$(user 1)"*"$(user 2)"* ]]
  [[ $(here 'select cognito_user_id from users order by uuid') == "mock-$(user 1)"$'\n'"mock-$(user 2)"$'\n'"$SUB" ]]
}

@test "the first week-4 tables, without e-mail and with nulls" {
  begin_with empty
  here 'create table users (uuid uuid default gen_random_uuid() primary key, display_name text, handle text,
      cognito_user_id text, created_at timestamp default current_timestamp not null)'
  here "insert into users (uuid, display_name, handle, cognito_user_id) values
    ('$(user 1)', 'Whole', 'whole', 'id-1'), ('$(user 2)', null, 'nameless', 'id-2'), ('$(user 3)', ' ', null, null),
    ('$(user 4)', 'Blank', '', ' '), ('$(user 5)', 'Lower', 'lower', 'mock')"
  run -0 "$BIN/db-migrate" # the database has no activities either
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
  begin_with old
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
  begin_with old
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
  begin_with old
  here "set timezone = 'America/Toronto'; alter table users alter column created_at type timestamptz;
    alter table activities alter column created_at type timestamptz, alter column expires_at type timestamptz"
  before=$(rows)
  run -0 "$BIN/db-migrate"
  diff <(echo "$before") <(rows)
}

@test "handles that are equal but for case: the oldest keeps it, the others get the next free number" {
  begin_with old
  printf -v long 'x%.0s' {1..64}
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
  begin_with old
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
  begin_with old
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
  begin_with old
  here 'update activities set reply_to_activity_uuid = 7'
  run -0 "$BIN/db-migrate" --to 2
  [[ $output == *'replies to an activity that is not there'*': 2'* ]]
  [[ $(here 'select count(*) from activities where reply_to_activity_uuid is null') == 2 ]]
}

@test "replies to an activity that was deleted, or to themselves, are top-level" {
  begin_with old
  here "alter table activities drop column reply_to_activity_uuid, add column reply_to_activity_uuid uuid;
    update activities set reply_to_activity_uuid = case uuid when '$(activity 1)' then uuid else '$(activity 9)' end"
  run -0 "$BIN/db-migrate"
  [[ $output == *'replies to an activity that is not there'*': 2'* ]]
  [[ $(here 'select count(*) from activities where reply_to_activity_uuid is null and replies_count = 0') == 2 ]]
}

@test "counts are never null nor below zero, and a post expires after it was made" {
  begin_with old
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
  begin_with old
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
  begin_with old
  here "alter table activities drop column reply_to_activity_uuid, add column reply_to_activity_uuid uuid;
    insert into activities (uuid, user_uuid, message, reply_to_activity_uuid)
      values ('$(activity 3)', '$(user 1)', repeat('x', 1025), '$(activity 1)')"
  refused "activities $(activity 3): message has more than 1024 characters"
}

@test "no more than 100 rows are listed" {
  begin_with old
  here "insert into activities (user_uuid, message) select '$(user 1)', '' from generate_series(1, 101)"
  refused 'rows that break a rule of the new tables: 101;'
  (($(grep -c 'message is empty' <<<"$output") == 100))
  [[ $output == *$'empty\n...\nHINT'* ]]
}

@test "a column that is unknown and holds values stops it, an empty one does not" {
  begin_with old
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
  begin_with old
  here 'create table likes (activity_uuid uuid references activities (uuid))'
  refused 'constraint likes_activity_uuid_fkey on table likes depends on'
  here 'drop table likes; create view feed as select * from users'
  refused 'view feed depends on table users'
}

@test "tables of other names than the migration's own are none of its business" {
  begin_with old
  here "create table old_users as select 1 as kept; create table old_activities as select 1 as kept;
    create table new_users as select 1 as kept; create table new_activities as select 1 as kept"
  "$BIN/db-migrate"
  "$BIN/db-rollback" --to 1
  [[ $(here 'select * from old_users, old_activities, new_users, new_activities') == '1|1|1|1' ]]
  [[ $(here 'select count(*) from users') == 3 ]]
}

@test "down to week 4 has week 4's types where they can hold what is there" {
  types="select concat_ws(' ', table_name, column_name, data_type) from information_schema.columns
    where table_schema = 'public' and (column_name in ('bio', 'reply_to_activity_uuid') or data_type like 'timestamp%')
      and table_name <> 'applied_migrations' order by 1"
  begin_with old
  before=$(here "$types")
  "$BIN/db-migrate"
  "$BIN/db-rollback" --to 1
  diff <(echo "$before") <(here "$types")
}
