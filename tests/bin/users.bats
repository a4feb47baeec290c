#!/usr/bin/env bats
# bin/user-delete and bin/user-export: all of a user goes, or is printed, and the others keep theirs.

load helpers/common
load helpers/cluster

setup_file() {
  cluster_start
  CONNECTION_URL=$(socket_url template) "$BIN/db-setup"
  # Everybody posts, and likes, reposts and answers everybody's post; londo writes to two of them, who answer.
  sql template "truncate activities cascade;
    insert into activities (user_uuid, message) select uuid, 'post of ' || handle from users;
    insert into likes select u.uuid, a.uuid from users u, activities a;
    insert into reposts select u.uuid, a.uuid from users u, activities a;
    insert into activities (user_uuid, message, reply_to_activity_uuid)
      select u.uuid, 'reply of ' || u.handle, a.uuid from users u, activities a;
    update activities set likes_count = 4, reposts_count = 4, replies_count = 4 where reply_to_activity_uuid is null;
    insert into follows select a.uuid, b.uuid from users a, users b where a.uuid <> b.uuid;
    insert into message_groups (first_user_uuid, second_user_uuid)
      select least(a.uuid, b.uuid), greatest(a.uuid, b.uuid) from users a, users b where a.handle = 'londo' and b.handle in ('bayko', 'altbrown');
    insert into messages (message_group_uuid, user_uuid, message)
      select g.uuid, u.uuid, 'from ' || u.handle from message_groups g join users u on u.uuid in (g.first_user_uuid, g.second_user_uuid)"
}

teardown_file() { cluster_stop; }

setup() {
  NAME=db_$BATS_TEST_NUMBER
  CONNECTION_URL=$(socket_url "$NAME")
  export CONNECTION_URL
  sql postgres "create database $NAME template template"
}

here() { sql "$NAME" "$1"; }

# rows_of HANDLE: what names the user, in any table.
rows_of() {
  here "select (select count(*) from users where handle = '$1'), (select count(*) from activities where message like '% of $1'),
    (select count(*) from likes join users u on u.uuid = user_uuid where handle = '$1'),
    (select count(*) from notifications n join users u on u.uuid in (n.user_uuid, n.actor_uuid) where handle = '$1')"
}

counts_are_right() {
  [[ $(here "select count(*) from activities a
    where likes_count <> (select count(*) from likes where activity_uuid = a.uuid)
      or reposts_count <> (select count(*) from reposts where activity_uuid = a.uuid)
      or replies_count <> (select count(*) from activities where reply_to_activity_uuid = a.uuid)") == 0 ]]
}

@test "a user goes with all that is the user's, and the others' counts are right" {
  counts_are_right
  run -0 "$BIN/user-delete" LONDO
  [[ $output == "== LONDO deleted from $NAME on "* ]]
  [[ $(rows_of londo) == '0|0|0|0' ]]
  counts_are_right
  [[ $(here "select count(*), min(likes_count), max(replies_count) from activities where message like 'post of %'") == '3|3|3' ]]
  run -1 "$BIN/user-delete" londo
  [[ $output == *'there is no user londo on '* ]]
}

@test "the other one's conversation stays, until both are gone" {
  "$BIN/user-delete" londo
  [[ $(here "select string_agg(message || ' ' || (user_uuid is null), ', ' order by message) from messages") == 'from altbrown false, from bayko false, from londo true, from londo true' ]]
  "$BIN/user-delete" bayko
  [[ $(here "select count(*), count(user_uuid) from messages") == '2|1' ]]
  "$BIN/user-delete" altbrown
  [[ $(here "select (select count(*) from message_groups), (select count(*) from messages)") == '0|0' ]]
}

@test "a row that is deleted by hand leaves right counts too" {
  here "delete from users where handle = 'londo'"
  counts_are_right
  [[ $(here 'select count(*) from messages') == 4 ]]
}

@test "a user with many of everything" {
  here "insert into activities (user_uuid, message, reply_to_activity_uuid)
      select u.uuid, 'more of londo', a.uuid from users u, activities a, generate_series(1, 1200) where handle = 'londo' and message = 'post of bayko';
    insert into activities (user_uuid, message) select uuid, 'many' from users, generate_series(1, 1200) where handle = 'bayko';
    insert into likes select u.uuid, a.uuid from users u, activities a where handle = 'londo' and message = 'many';
    update activities set likes_count = 1 where message = 'many';
    update activities set replies_count = 1204 where message = 'post of bayko'"
  counts_are_right
  run -0 "$BIN/user-delete" londo
  [[ $(rows_of londo) == '0|0|0|0' ]]
  counts_are_right
}

@test "production wants the name typed out" {
  export PROD_CONNECTION_URL=$CONNECTION_URL
  run -1 "$BIN/user-delete" prod londo <<<'something else'
  run -1 "$BIN/user-delete" londo <<<'something else' # the same database by another name
  run -1 "$BIN/user-delete" londo --yes-drop another
  [[ $(rows_of londo) == '1|5|4|'* ]]
  run -0 "$BIN/user-delete" prod londo <<<"$NAME"
  [[ $output == *PRODUCTION*'This will delete the user londo of'* ]]
  run -0 "$BIN/user-delete" prod bayko --yes-drop "$NAME"
}

@test "an export has all of the user, and nobody else's address" {
  run -0 --separate-stderr "$BIN/user-export" @Londo
  here "create table printed (it jsonb)"
  here "insert into printed values ('${output//\'/\'\'}')"
  [[ $(here "select it -> 'profile' ->> 'handle', it -> 'profile' ->> 'email' is not null from printed") == 'londo|t' ]]
  [[ $(here "select jsonb_array_length(it -> 'activities'), jsonb_array_length(it -> 'likes'), jsonb_array_length(it -> 'reposts'),
      jsonb_array_length(it -> 'follows'), jsonb_array_length(it -> 'followers'), jsonb_array_length(it -> 'messages') from printed") == '5|4|4|3|3|4' ]]
  [[ $(here "select count(*) from jsonb_array_elements((select it -> 'messages' from printed)) m where (m ->> 'sent')::boolean") == 2 ]]
  [[ $(here "select count(*) from printed, users where handle <> 'londo' and position(email in it::text) > 0") == 0 ]]
  [[ $(rows_of londo) == '1|5|4|'* ]]
}

@test "what ended of conversations, and what was read of them" {
  here "update messages set deleted_at = now() where message = 'from londo'; update messages set expires_at = created_at where message = 'from bayko';
    insert into conversation_reads select g.uuid, u.uuid, now() from message_groups g, users u where u.uuid in (g.first_user_uuid, g.second_user_uuid)"
  run -0 --separate-stderr "$BIN/user-export" londo
  here "create table printed (it jsonb)"
  here "insert into printed values ('${output//\'/\'\'}')"
  [[ $(here "select string_agg(m ->> 'message', ', ' order by m ->> 'message') from jsonb_array_elements((select it -> 'messages' from printed)) m") == 'from altbrown, from londo, from londo' ]]
  [[ $(here "select jsonb_array_length(it -> 'conversations_read') from printed") == 2 ]]
  "$BIN/user-delete" londo
  [[ $(here "select string_agg(handle, ' ' order by handle) from conversation_reads join users on uuid = user_uuid") == 'altbrown bayko' ]]
}

@test "a handle that is a statement is a handle" {
  run -1 "$BIN/user-delete" "x'; drop table likes; --"
  run -1 "$BIN/user-export" "x'; drop table likes; --"
  [[ $(here 'select count(*) from likes') == 16 ]]
}

@test "misuse is status 2" {
  local script
  for script in user-delete user-export; do
    run -2 "$BIN/$script"
    run -2 "$BIN/$script" one two
    run -2 "$BIN/$script" --force londo
    run -1 "$BIN/$script" nobody
  done
  run -2 "$BIN/user-delete" londo --yes-drop
}

@test "the service's own role may do neither" {
  sql postgres 'create role service login in role cruddur_app'
  here "grant connect on database $NAME to cruddur_app"
  for script in user-delete user-export; do
    CONNECTION_URL="postgresql://service@/$NAME?host=$CLUSTER&port=$PORT" run -1 "$BIN/$script" londo
  done
  [[ $(rows_of londo) == '1|5|4|'* ]]
}

@test "the manuals have every option, and none besides" {
  for script in user-delete user-export; do
    diff <("$BIN/$script" --help | grep -o -- '--[a-z][a-z-]*' | sort -u) \
      <(sed -n 's/^\.It Fl \(-[a-z-]*\) .*/-\1/p' "$BIN/../man/$script.8" | sort -u)
    if command -v groff; then
      run -0 groff -man -Tutf8 -ww "$BIN/../man/$script.8"
      [[ $output != *warning* ]]
    fi
  done
}
