#!/usr/bin/env bats
# bin/db-purge: it deletes all expired rows and no others, in batches, whatever happens meanwhile. Also bin/growth.

load helpers/common
load helpers/cluster

setup_file() {
  cluster_start
  CONNECTION_URL=$(socket_url template) "$BIN/db-setup"
  sql template 'create role service login in role cruddur_app; truncate activities cascade'
}

teardown_file() { cluster_stop; }

setup() {
  NAME=db_$BATS_TEST_NUMBER
  CONNECTION_URL="postgresql://service@/$NAME?host=$CLUSTER&port=$PORT"
  export CONNECTION_URL
  sql postgres "create database $NAME template template strategy file_copy; grant connect on database $NAME to cruddur_app"
}

teardown() { stop_background; }

here() { sql "$NAME" "$1"; }

# posts COUNT MESSAGE EXPIRES-AT [MORE-COLUMNS MORE-VALUES]: adds posts; the arguments are SQL expressions, n counts from 1.
posts() {
  here "insert into activities (user_uuid, message, expires_at, created_at ${4:+, $4})
    select uuid, $2, $3, now() - interval '2 days' ${5:+, $5} from users, generate_series(1, $1) n where handle = 'londo'"
}

expired() { posts "$1" "'old ' || n" "now() - n * interval '1 second'"; }

left() { here 'select count(*) from activities'; }

@test "what has expired goes, and nothing else" {
  expired 1234
  posts 5 "'new ' || n" "now() + n * interval '1 hour'"
  posts 3 "'ever ' || n" null
  run -0 "$BIN/db-purge" --pause-ms 0
  [[ $output == "== 1234 posts deleted from $NAME on $CLUSTER, port $PORT, 0 expired ones left" ]]
  [[ $(here "select string_agg(message, ' ' order by message) from activities") == 'ever 1 ever 2 ever 3 new 1 new 2 new 3 new 4 new 5' ]]
  run -0 "$BIN/db-purge"
  [[ $output == "== 0 posts deleted "* ]]
}

@test "messages that have expired or were deleted an hour ago go, and no others" {
  here "insert into message_groups (first_user_uuid, second_user_uuid)
      select least(a.uuid, b.uuid), greatest(a.uuid, b.uuid) from users a, users b where a.handle = 'londo' and b.handle = 'bayko';
    set session_replication_role = replica; -- without the trigger, which updates the group's row for each message
    insert into messages (message_group_uuid, user_uuid, message, expires_at, deleted_at)
      select g.uuid, g.first_user_uuid, row.message, now() + row.expires, now() - row.deleted
      from message_groups g, generate_series(1, 700), (values ('old', interval '-1 second', null::interval),
        ('new', '1 hour', null), ('ever', null, null), ('gone', null, '61 minutes'), ('going', null, '45 minutes')) row (message, expires, deleted)"
  run -0 "$BIN/db-purge" --pause-ms 0
  [[ $(here 'select string_agg(message, $$ $$ order by message) from (select distinct message from messages) m') == 'ever going new' ]]
  [[ $(here 'select count(*) from messages') == 2100 ]]
}

@test "replies go with it, and a parent that stays has fewer" {
  posts 1 "'parent'" "date_trunc('day', now())" uuid "'00000000-0000-4000-8000-000000000001'"
  posts 40 "'reply'" "date_trunc('day', now())" reply_to_activity_uuid "'00000000-0000-4000-8000-000000000001'"
  posts 1 "'kept'" "now() + interval '1 day'" 'uuid, replies_count' "'00000000-0000-4000-8000-000000000002', 7"
  posts 3 "'gone'" "date_trunc('day', now())" reply_to_activity_uuid "'00000000-0000-4000-8000-000000000002'"
  posts 4 "'stays'" "now() + interval '1 day'" reply_to_activity_uuid "'00000000-0000-4000-8000-000000000002'"
  run -0 "$BIN/db-purge" --batch 3 --pause-ms 0
  [[ $output == "== 44 posts deleted "* ]]
  [[ $(here 'select message, replies_count from activities where reply_to_activity_uuid is null') == 'kept|4' ]]
  [[ $(left) == 5 ]]
}

@test "a thread that is kept while it runs stays, down to the replies to replies" {
  posts 1 "'old'" "now() - interval '1 hour'"
  posts 1 "'kept'" "now() - interval '1 minute'" 'uuid, replies_count' "'00000000-0000-4000-8000-000000000001', 60"
  posts 60 "'reply'" "now() - interval '1 minute'" 'replies_count, reply_to_activity_uuid' "1, '00000000-0000-4000-8000-000000000001'"
  # The post is kept when the first batch is deleted.
  here "insert into activities (user_uuid, message, expires_at, created_at, reply_to_activity_uuid)
      select user_uuid, 'below', expires_at, created_at + interval '1 minute', uuid from activities where message = 'reply';
    create function keep() returns trigger language plpgsql security definer as \$\$
      begin
        update public.activities set expires_at = now() + interval '7 days' where message = 'kept';
        insert into public.unsettled_threads select uuid from public.activities where message = 'kept';
        return null;
      end \$\$;
    create trigger keep after delete on activities for each row when (old.message = 'old') execute function keep()"
  run -0 "$BIN/db-purge" --batch 1 --pause-ms 0
  [[ $output == "== 1 posts deleted "*", 0 expired ones left" ]]
  [[ $(here 'select count(*), count(distinct expires_at) from activities') == '121|1' ]]
}

@test "no transaction deletes more than a batch, replies included, and --limit is the end" {
  here "create table deleted (transaction bigint);
    create function note() returns trigger language plpgsql security definer as \$\$
      begin insert into public.deleted values (txid_current()); return null; end \$\$;
    create trigger note after delete on activities for each row execute function note()"
  posts 5 "'thread ' || n" "now() - n * interval '1 second'" uuid "('00000000-0000-4000-8000-00000000000' || n)::uuid"
  here "insert into activities (user_uuid, message, expires_at, created_at, reply_to_activity_uuid)
    select user_uuid, 'reply', expires_at, created_at + interval '1 minute', uuid from activities, generate_series(1, 9)"
  run -0 "$BIN/db-purge" --batch 4 --pause-ms 0 --limit 30
  [[ $output == "== 30 posts deleted "*", 20 expired ones left" ]]
  [[ $(left) == 20 ]]
  run -0 "$BIN/db-purge" --batch 4 --pause-ms 0
  [[ $(left) == 0 ]]
  [[ $(here 'select max(count), sum(count) from (select count(*) from deleted group by transaction) each') == '4|50' ]]
}

@test "nor more likes and reposts than twenty for each of them, and the counts stay those of the rows" {
  here "create table deleted (transaction bigint, wrong bigint);
    create function note() returns trigger language plpgsql security definer as \$\$
      begin insert into public.deleted values (txid_current()); return null; end \$\$;
    create trigger note after delete on likes for each row execute function note();
    create trigger note after delete on reposts for each row execute function note();
    create trigger note after delete on notifications for each row execute function note();
    insert into users (display_name, handle, email, cognito_user_id)
      select n, n, n || '@example.com', n from generate_series(1, 200) n"
  posts 6 "'post ' || n" "now() - n * interval '1 second'"
  here "insert into likes select u.uuid, a.uuid from users u, activities a where a.message = 'post 3' or u.handle < '15';
    insert into reposts select u.uuid, a.uuid from users u, activities a where a.message = 'post 3' and u.handle < '2';
    insert into notifications select (select uuid from users where handle = 'londo'), now(), gen_random_uuid(), 'like', user_uuid, activity_uuid
      from likes where user_uuid <> (select uuid from users where handle = 'londo');
    update activities a set likes_count = (select count(*) from likes where activity_uuid = a.uuid),
      reposts_count = (select count(*) from reposts where activity_uuid = a.uuid)"
  before=$(here 'select clock_timestamp()')
  "$BIN/db-purge" --batch 3 --pause-ms 0 --limit 4
  [[ $(left) == 2 ]]
  [[ $(here 'select count(*) from activities a where likes_count <> (select count(*) from likes where activity_uuid = a.uuid)') == 0 ]]
  run -0 "$BIN/db-purge" --batch 3 --pause-ms 0
  [[ $output == "== 2 posts deleted "*", 0 expired ones left" ]]
  (($(here 'select max(count) from (select count(*) from deleted group by transaction) each') <= 240))
  [[ $(here 'select count(*) from likes') == 0 ]]
  [[ $(here "select posts, finished_at > '$before' from purge_progress") == '6|t' ]]
}

@test "what somebody holds is left for the next time, without waiting for it" {
  expired 20
  start_in_background psql --no-psqlrc --quiet "$(socket_url "$NAME")" -c "begin;
    select from activities where message = 'old 7' for key share; select pg_sleep(3600)"
  eventually is_held
  run -0 "$BIN/db-purge" --batch 5 --pause-ms 0
  [[ $output == "== 19 posts deleted "*", 1 expired ones left" ]]
  is_held
  here "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(3600)%' and pid <> pg_backend_pid()"
  eventually is_free
  run -0 "$BIN/db-purge"
  [[ $output == "== 1 posts deleted "* ]]
}

sleepers() { here "select count(*) from pg_stat_activity where query like '%pg_sleep(3600)%' and wait_event = 'PgSleep'"; }
is_held() { [[ $(sleepers) == 1 ]]; }
is_free() { [[ $(sleepers) == 0 ]]; }

@test "two at once: one does it, the other says so" {
  expired 100
  start_in_background "$BIN/db-purge" --batch 1 --pause-ms 60000
  eventually has_begun
  run -1 "$BIN/db-purge"
  [[ $output == 'another purge holds the lock of this database: nothing done. Wait for its end; '* ]]
}

has_begun() { (($(left) < 100)); }

@test "one that is killed goes on where it was" {
  expired 100
  start_in_background "$BIN/db-purge" --batch 10 --pause-ms 60000
  eventually has_begun
  stop_background
  eventually is_alone
  left=$(left)
  ((left % 10 == 0 && left > 0))
  [[ $(here 'select sum(posts) from growth') == 100 ]]
  run -0 "$BIN/db-purge" --pause-ms 0
  [[ $output == "== $left posts deleted "* ]]
  [[ $(here 'select sum(posts) from growth') == 100 ]]
}

is_alone() { [[ $(here "select count(*) from pg_locks where locktype = 'advisory'") == 0 ]]; }

@test "beside writers nothing waits and nothing is lost" {
  expired 2000
  cat >"$BATS_TEST_TMPDIR/writes.sql" <<'SQL'
insert into activities (user_uuid, message, expires_at)
select uuid, 'expires now', now() + interval '1 ms' from users where handle = 'bayko';
update activities set deleted_at = now(), expires_at = '-infinity' where uuid = (select uuid from activities where message like 'old%' order by random() limit 1);
insert into activities (user_uuid, message) select uuid, 'stays' from users where handle = 'bayko';
SQL
  pgbench --no-vacuum --client 4 --transactions 100 --file "$BATS_TEST_TMPDIR/writes.sql" --host "$CLUSTER" --port "$PORT" \
    --username service "$NAME" >"$BATS_TEST_TMPDIR/pgbench" 2>&1 &
  pgbench=$!
  for _ in 1 2 3 4; do
    "$BIN/db-purge" --batch 50 --pause-ms 5
  done
  wait "$pgbench"
  "$BIN/db-purge" --pause-ms 0
  [[ $(here 'select message, count(*) from activities where deleted_at is null group by message') == 'stays|400' ]]
  run -0 "$BIN/growth"
  echo "$output"
  [[ $output =~ 'in all'' '*'|     4 |  2800 |       0' ]]
}

@test "numbers that are none are misuse" {
  local arguments
  for arguments in '--batch' '--batch 0' '--batch x' '--batch 10001' '--pause-ms -1' '--pause-ms 60001' '--limit 0' '--limit' \
    '--limit 1e3' 'now' '--yes-drop'; do
    # shellcheck disable=SC2086 # several words
    run -2 "$BIN/db-purge" $arguments
    [[ $output == *"Try 'db-purge --help'." ]]
  done
}

@test "production wants the name typed out" {
  expired 3
  export PROD_CONNECTION_URL=$CONNECTION_URL
  run -1 "$BIN/db-purge" prod <<<'something else'
  run -1 "$BIN/db-purge" <<<'something else' # without prod, the same database by CONNECTION_URL
  run -1 "$BIN/db-purge" --yes-drop another
  [[ $(left) == 3 ]]
  run -0 "$BIN/db-purge" prod <<<"$NAME"
  [[ $output == *PRODUCTION*"This will delete the expired posts of"*"3 posts deleted"* ]]
  run -0 "$BIN/db-purge" prod --yes-drop "$NAME"
}

@test "a stranger's role may not" {
  sql postgres "create role stranger login"
  here "grant connect on database $NAME to stranger"
  CONNECTION_URL="postgresql://stranger@/$NAME?host=$CLUSTER&port=$PORT" run -1 "$BIN/db-purge"
}

@test "growth is what the service says, as a table" {
  expired 5
  "$BIN/db-purge"
  here "insert into activities (user_uuid, message) select uuid, 'new' from users"
  run -0 --separate-stderr "$BIN/growth" --tz Asia/Kathmandu
  echo "$output"
  [[ ${lines[0]} == ' days of Asia/Kathmandu | users | posts | replies '* ]]
  [[ ${#lines[@]} == 10 ]]
  today=$(TZ=Asia/Kathmandu date +%F)
  [[ ${lines[8]} == " $today "*'|     4 |     4 |       0' ]]
  [[ ${lines[9]} == ' in all '*'|     4 |     9 |       0' ]]
  [[ $output == *'|     0 |     5 |       0'* ]]
}

@test "growth of an unknown time zone" {
  run -0 --separate-stderr "$BIN/growth" --days 366
  ((${#lines[@]} == 2 + 366 + 1))
  for number in 0 367 x ""; do
    run -2 "$BIN/growth" --days "$number"
  done
  run -1 "$BIN/growth" --tz Mars/Phobos
  [[ $output == *'time zone "Mars/Phobos" not recognized'* ]]
  for zone in '' "'" 'ABC5' '../etc' 'Etc/GMT+13' "x'; drop table users; --"; do
    run -2 "$BIN/growth" --tz "$zone"
  done
}

@test "the timer's units are well-formed" {
  command -v systemd-analyze || skip 'systemd-analyze is missing'
  mkdir "$BATS_TEST_TMPDIR/units"
  cp "$BIN"/../systemd/cruddur-purge.* "$BATS_TEST_TMPDIR/units"
  sed -i "s:^ExecStart=.*:ExecStart=/bin/true:" "$BATS_TEST_TMPDIR/units/cruddur-purge.service"
  run systemd-analyze verify --man=no "$BATS_TEST_TMPDIR"/units/cruddur-purge.{service,timer}
  echo "$output"
  ((status == 0))
  [[ $output != *cruddur-purge* ]]
}

@test "the manual has every option, and none besides" {
  diff <("$BIN/db-purge" --help | grep -o -- '--[a-z][a-z-]*' | sort -u) \
    <(sed -n 's/^\.It Fl \(-[a-z-]*\) .*/-\1/p' "$BIN/../man/db-purge.8" | sort -u)
  if command -v groff; then
    run -0 groff -man -Tutf8 -ww "$BIN/../man/db-purge.8"
    [[ $output != *warning* ]]
  fi
}
