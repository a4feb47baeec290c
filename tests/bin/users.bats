#!/usr/bin/env bats
# bin/user-delete, bin/user-export and bin/user-suspend: they delete, print or hide all data of a user, and other users keep theirs. Also
# bin/reports.

load helpers/common
load helpers/cluster
load helpers/processes

setup_file() {
  cluster_start
  CONNECTION_URL=$(socket_url template) "$BIN/db-setup"
  # Every user posts, and likes, reposts and answers every post; londo writes to two users, who answer.
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
  sql postgres "create database $NAME template template strategy file_copy"
}

here() { sql "$NAME" "$1"; }

# rows_of HANDLE: prints the numbers of rows that belong to the user.
rows_of() {
  here "select (select count(*) from users where handle = '$1'), (select count(*) from activities where message like '% of $1'),
    (select count(*) from likes join users u on u.uuid = user_uuid where handle = '$1'),
    (select count(*) from notifications n join users u on u.uuid in (n.user_uuid, n.actor_uuid) where handle = '$1')"
}

counts_are_right() {
  [[ $(here "select count(*) from activities a
    where likes_count <> (select count(*) from likes where activity_uuid = a.uuid)
      or reposts_count <> (select count(*) from reposts where activity_uuid = a.uuid)
      or replies_count <> (select count(*) from activities where reply_to_activity_uuid = a.uuid and hidden_expires_at is null)") == 0 ]]
}

@test "a user goes with all that is the user's, and the others' counts are right" {
  counts_are_right
  run -0 "$BIN/user-delete" LONDO
  [[ $output == "== londo deleted from $NAME on "* ]]
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

@test "a user with many followers: no transaction deletes more than 500 rows for a column" {
  here "insert into users (handle, display_name, email, cognito_user_id) select 'fan' || n, 'Fan', 'fan' || n || '@example.com', 'fan-' || n from generate_series(1, 1200) n;
    insert into follows select f.uuid, l.uuid from users f, users l where f.handle like 'fan%' and l.handle = 'londo';
    insert into blocks select l.uuid, f.uuid from users f, users l where f.handle like 'fan%' and l.handle = 'londo';
    create table steps (xid xid8 default pg_current_xact_id(), rows bigint);
    create function note_step() returns trigger language plpgsql as
      'begin insert into public.steps (rows) select count(*) from gone; return null; end';
    create trigger note_step after delete on follows referencing old table as gone for each statement execute function note_step();
    create trigger note_step after delete on blocks referencing old table as gone for each statement execute function note_step();
    create trigger note_step after delete on notifications referencing old table as gone for each statement execute function note_step()"
  run -0 "$BIN/user-delete" londo
  [[ $(rows_of londo) == '0|0|0|0' ]]
  (($(here "select sum(rows) from steps") > 3600))
  (($(here "select max(rows) from steps") <= 1000))
  (($(here "select count(distinct xid) from steps where rows > 0") >= 3))
}

is_asleep() { [[ $(here "select count(*) from pg_stat_activity where query like '%pg_sleep(3600)' and pid <> pg_backend_pid()") == 1 ]]; }
is_waiting() { [[ $(here "select count(*) from pg_stat_activity where query like '%forget_user%' and wait_event_type = 'Lock'") == 1 ]]; }

@test "a user that is being deleted writes nothing: the blocks go before the user does" {
  here "insert into blocks select b.uuid, l.uuid from users b, users l where b.handle = 'bayko' and l.handle = 'londo'"
  start_in_background "$BIN/db-connect" -- -c "begin; select from message_groups for update; select pg_sleep(3600)"
  eventually is_asleep
  "$BIN/user-delete" londo >"$BATS_TEST_TMPDIR/deleting" 2>&1 3>&- &
  deleting=$!
  eventually is_waiting
  [[ $(here "select suspended_at is not null from users where handle = 'londo'") == t ]]
  stop_background
  here "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()"
  wait "$deleting"
  [[ $(rows_of londo) == '0|0|0|0' ]]
}

@test "production wants the name typed out" {
  export PROD_CONNECTION_URL=$CONNECTION_URL
  run -1 "$BIN/user-delete" prod londo <<<'something else'
  run -1 "$BIN/user-delete" londo <<<'something else' # without prod, the same database by CONNECTION_URL
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

# visible HANDLE: prints the number of the user's posts and replies that are in lists.
visible() { here "select count(*) from activities join users u on u.uuid = user_uuid where handle = '$1' and (expires_at is null or expires_at > now())"; }

@test "a suspended user's posts are hidden and come back as they were, and the counts are right" {
  here "update activities set expires_at = now() + interval '1 day' where message = 'reply of londo'"
  everything='select * from activities order by uuid'
  before=$(here "$everything")
  run -0 "$BIN/user-suspend" LONDO
  [[ $output == "== londo suspended on $NAME on "* ]]
  counts_are_right
  [[ $(visible londo) == 0 && $(visible bayko) == 5 ]]
  [[ $(here "select min(replies_count), max(replies_count) from activities where message like 'post of %'") == '3|3' ]]
  [[ $(here "select suspended_at is not null from users where handle = 'londo'") == t ]]
  run -0 "$BIN/user-suspend" londo
  counts_are_right
  run -0 "$BIN/user-suspend" @londo --undo
  [[ $output == "== londo no longer suspended on $NAME on "* ]]
  diff <(echo "$before") <(here "$everything")
  [[ $(here 'select count(suspended_at) from users') == 0 ]]
  run -1 "$BIN/user-suspend" nobody
  [[ $output == *'there is no user nobody on '* ]]
}

@test "many posts are hidden, and those of which the time has come are purged" {
  here "insert into activities (user_uuid, message, expires_at) select uuid, 'many', now() + interval '1 day' from users, generate_series(1, 1200) where handle = 'bayko'"
  run -0 "$BIN/user-suspend" bayko
  [[ $(visible bayko) == 0 ]]
  here "update activities set hidden_expires_at = created_at + interval '1 microsecond' where message = 'many' and uuid in (select uuid from activities where message = 'many' limit 700)"
  run -0 "$BIN/db-purge" --pause-ms 0
  [[ $(here "select count(*) from activities where message = 'many'") == 500 ]]
  run -0 "$BIN/user-suspend" --undo bayko
  [[ $(visible bayko) == 505 ]]
  counts_are_right
}

@test "a suspended user can be deleted" {
  run -0 "$BIN/user-suspend" londo
  run -0 "$BIN/user-delete" londo
  [[ $(rows_of londo) == '0|0|0|0' ]]
  counts_are_right
}

@test "production wants the name typed out before a user is suspended" {
  export PROD_CONNECTION_URL=$CONNECTION_URL
  run -1 "$BIN/user-suspend" prod londo <<<'something else'
  run -1 "$BIN/user-suspend" --undo londo --yes-drop another
  [[ $(visible londo) == 5 ]]
  run -0 "$BIN/user-suspend" prod londo <<<"$NAME"
  [[ $output == *PRODUCTION*'This will suspend the user londo of'* ]]
  run -0 "$BIN/user-suspend" prod --undo londo --yes-drop "$NAME"
}

# report BY OF REASON: BY reports the post of OF.
report() {
  here "insert into reports (activity_uuid, reporter_uuid, author_uuid, message, reason)
    select a.uuid, u.uuid, a.user_uuid, a.message, $3 from activities a, users u where u.handle = '$1' and a.message = 'post of $2'"
}

@test "reports are listed, closed, and their author is suspended" {
  report bayko londo "'spam'"
  report altbrown londo "'it is ' || chr(27) || '[2J rude'"
  report altbrown bayko "'wrong'"
  post=$(here "select uuid from activities where message = 'post of londo'")
  other=$(here "select uuid from activities where message = 'post of bayko'")
  run -0 --separate-stderr "$BIN/reports"
  [[ $output == *"$post"*londo*' 2 '*'post of londo'*spam*'\x1B[2J rude'*"$other"*wrong* ]]
  run -0 "$BIN/reports" --resolve "$other"
  [[ $output == "== reports of $other closed on "* && $(visible bayko) == 5 ]]
  run -1 "$BIN/reports" --resolve "$other"
  [[ $output == *"no report of $other is open on "* ]]
  run -0 "$BIN/reports" --suspend "${post^^}"
  [[ $output == *'== londo suspended on '*"== reports of ${post^^} closed on "* && $(visible londo) == 0 ]]
  run -0 --separate-stderr "$BIN/reports"
  [[ $output != *"$post"* && $output != *"$other"* && $(here 'select count(resolved_at) from reports') == 3 ]]
  here "update reports set resolved_at = now() - interval '31 days' where reason = 'spam'"
  report bayko altbrown "'more'"
  run -0 "$BIN/reports" --resolve "$(here "select uuid from activities where message = 'post of altbrown'")"
  [[ $(here "select string_agg(reason, ' ' order by reason) from reports where reason in ('spam', 'more', 'wrong')") == 'more wrong' ]]
}

@test "production wants the name typed out before reports are closed" {
  report bayko londo "'spam'"
  post=$(here "select uuid from activities where message = 'post of londo'")
  export PROD_CONNECTION_URL=$CONNECTION_URL
  run -0 "$BIN/reports" prod
  run -1 "$BIN/reports" prod --suspend "$post" <<<'something else'
  run -1 "$BIN/reports" --resolve "$post" --yes-drop another
  [[ $(here 'select count(resolved_at) from reports') == 0 && $(visible londo) == 5 ]]
  run -0 "$BIN/reports" prod --suspend "$post" --yes-drop "$NAME"
}

@test "reports of a user and about a user go with the user, and the user's own are exported" {
  report bayko londo "'spam'"
  report londo bayko "'wrong'"
  report altbrown bayko "'stays'"
  run -0 --separate-stderr "$BIN/user-export" londo
  [[ $output == *'"reason":"wrong"'* && $output != *spam* ]]
  run -0 "$BIN/user-delete" londo
  [[ $(here 'select string_agg(reason, $$ $$) from reports') == stays ]]
}

@test "of two users whose handles are equal but for their letters' forms, the one with exactly that handle" {
  # As migration 11 left such users: the second one is not found by the folded handle.
  here "set session_replication_role = replica;
    insert into users (uuid, display_name, handle, email, cognito_user_id, folded_handle) values
      ('00000000-0000-4000-8000-000000000001', 'First', 'strasse', 'first@example.com', 'first', 'strasse'),
      ('00000000-0000-4000-8000-000000000002', 'Second', 'Straße', 'second@example.com', 'second', 'strasse 00000000-0000-4000-8000-000000000002');
    set session_replication_role = origin;
    insert into activities (user_uuid, message) select uuid, 'post of ' || handle from users where folded_handle like 'strasse%'"
  report bayko Straße "'spam'"
  run -0 "$BIN/reports" --suspend "$(here "select uuid from activities where message = 'post of Straße'")"
  [[ $output == *'== Straße suspended on '* && $(visible strasse) == 1 && $(visible Straße) == 0 ]]
  run -0 "$BIN/user-suspend" --undo Straße
  [[ $output == *'== Straße no longer suspended on '* && $(visible Straße) == 1 ]]
  run -0 "$BIN/user-suspend" STRASSE
  [[ $output == *'== strasse suspended on '* && $(visible strasse) == 0 && $(visible Straße) == 1 ]]
  run -0 --separate-stderr "$BIN/user-export" Straße
  [[ $output == *'"handle":"Straße"'*'post of Straße'* ]]
  run -0 "$BIN/user-delete" Straße
  [[ $output == *'== Straße deleted from '* && $(here "select count(*) from users where handle = 'strasse'") == 1 ]]
}

@test "a handle that is a statement is a handle" {
  run -1 "$BIN/user-delete" "x'; drop table likes; --"
  run -1 "$BIN/user-export" "x'; drop table likes; --"
  [[ $(here 'select count(*) from likes') == 16 ]]
}

@test "misuse is status 2" {
  local script
  for script in user-delete user-export user-suspend; do
    run -2 "$BIN/$script"
    run -2 "$BIN/$script" one two
    run -2 "$BIN/$script" --force londo
    run -1 "$BIN/$script" nobody
  done
  run -2 "$BIN/user-delete" londo --yes-drop
  run -2 "$BIN/user-suspend" --undo
  run -2 "$BIN/reports" londo
  run -2 "$BIN/reports" --resolve
  run -2 "$BIN/reports" --suspend one two
  run -2 "$BIN/reports" --suspend --resolve one
  run -1 "$BIN/reports" --resolve "x'; drop table likes; --"
}

@test "the service's own role may do none of it" {
  sql postgres 'create role service login in role cruddur_app'
  here "grant connect on database $NAME to cruddur_app"
  for script in user-delete user-export user-suspend; do
    CONNECTION_URL="postgresql://service@/$NAME?host=$CLUSTER&port=$PORT" run -1 "$BIN/$script" londo
  done
  [[ $(rows_of londo) == '1|5|4|'* ]]
}

@test "the manuals have every option, and none besides" {
  for script in reports user-delete user-export user-suspend; do
    diff <("$BIN/$script" --help | grep -o -- '--[a-z][a-z-]*' | sort -u) \
      <(sed -n 's/^\.It Fl \(-[a-z-]*\).*/-\1/p' "$BIN/../man/$script.8" | sort -u)
    if command -v groff; then
      run -0 groff -man -Tutf8 -ww "$BIN/../man/$script.8"
      [[ $output != *warning* ]]
    fi
  done
}
