#!/usr/bin/env bats
# The schema's own rules, with values on both sides of each bound, and what a role may do.

load helpers/common
load helpers/cluster

setup_file() {
  cluster_start
  CONNECTION_URL=$(socket_url rules) "$BIN/db-setup"
  sql rules "create role service login in role cruddur_app; create role stranger login;
    create role confirmer login in role cruddur_confirmation"
}

teardown_file() { cluster_stop; }

# A fresh user with a fresh activity.
FRESH="insert into users (uuid, display_name, handle, email, cognito_user_id)
    values ('00000000-0000-4000-8000-000000000001', 'Fresh', 'fresh', 'fresh@example.com', 'fresh');
  insert into activities (uuid, user_uuid, message)
    values ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001', 'fresh')"

# try STATEMENT: runs it after FRESH, and rolls both back.
try() {
  run sql rules "begin; $FRESH; $1; rollback;"
}

# psql_as ROLE ARGUMENT…: runs psql in a session of that role.
psql_as() {
  "$PROGRAMS/psql" --no-psqlrc -qAt --host "$CLUSTER" --port "$PORT" --username "$1" --dbname rules "${@:2}"
}

# each_as ROLE STATEMENT…: runs the statements one after the other in one session, also after one that failed; leaves in ERRORS the
# error of each.
each_as() {
  local line statement script='set client_min_messages = error;'
  ERRORS=()
  for statement in "${@:2}"; do
    script+=$'\n\\warn == next\n'"$statement; rollback;"
  done
  while IFS= read -r line; do
    if [[ $line == '== next' ]]; then
      ERRORS+=('')
    else
      ERRORS[-1]+=$line$'\n'
    fi
  done < <(psql_as "$1" 2>&1 >/dev/null <<<"$script")
  ((${#ERRORS[@]} == $# - 1))
}

# set_each COLUMN VALUE…: sets the column in the fresh row of TABLE to each SQL expression, each time anew.
set_each() {
  local value statements=()
  for value in "${@:2}"; do
    statements+=("begin; $FRESH; update $TABLE set $1 = $value where uuid::text like '00000000-%'")
  done
  each_as postgres "${statements[@]}"
}

# holds COLUMN VALUE…
holds() {
  local at values=("${@:2}")
  set_each "$@"
  for at in "${!values[@]}"; do
    echo "${values[at]}: ${ERRORS[at]}"
    [[ -z ${ERRORS[at]} ]]
  done
}

# breaks CONSTRAINT COLUMN VALUE…
breaks() {
  local at values=("${@:3}")
  set_each "${@:2}"
  for at in "${!values[@]}"; do
    echo "${values[at]}: ${ERRORS[at]}"
    [[ ${ERRORS[at]} == *"\"$1\""* ]]
  done
}

# as ROLE STATEMENT: runs it in a session of that role.
as() {
  PGOPTIONS='-c client_min_messages=warning' run psql_as "$1" --set ON_ERROR_STOP=1 --command "$2"
}

@test "handles: 1 to 64 characters, one word, unique without case" {
  TABLE=users
  holds handle "'a'" "repeat('é', 64)" "'andrew.brown-2_X'" "'андрей'" "'FRESH'"
  breaks users_handle_check handle "''" "repeat('a', 65)" "' a'" "'a b'" "'a' || chr(9)" "'a' || chr(10)" "'a' || chr(1)" \
    "'a/b'" "'@a'" "'a@b'"
  breaks users_handle_check handle "'a' || chr(8203)" "'c++'" "'a.'" "'_'"
  breaks users_handle_key handle "'andrewbrown'" "'AndrewBrown'" "'ａｎｄｒｅｗｂｒｏｗｎ'"
}

@test "e-mails look like one and are unique without case" {
  TABLE=users
  holds email "'A.B+c@example.com'" "'Fresh@Example.com'" "repeat('a', 308) || '@example.com'"
  breaks users_email_check email "''" "'x'" "'@'" "'x@'" "'@x'" "'a b@example.com'" "repeat('a', 309) || '@example.com'"
  breaks users_email_key email "'andrewbrown@example.com'" "'AndrewBrown@Example.COM'"
}

@test "display names, ids and bios have bounds, and no id is used twice" {
  TABLE=users
  holds display_name "'Andrew Brown'" "repeat('é', 255)"
  breaks users_display_name_check display_name "''" "'  '" "chr(9)" "chr(12288) || chr(8203)" "repeat('a', 256)" "'a' || chr(10) || 'b'" \
    "'a' || chr(8238)"
  holds cognito_user_id "'c0ffee00-0000-4000-8000-000000000000'" "repeat('a', 128)"
  breaks users_cognito_user_id_check cognito_user_id "''" "' '" "repeat('a', 129)"
  breaks users_cognito_user_id_key cognito_user_id "'mock-andrewbrown'"
  holds bio "''" "repeat('é', 1024)"
  breaks users_bio_check bio "repeat('a', 1025)"
}

@test "messages: 1 to 280 code points at the top, to 1024 in a reply, blanks at the end included" {
  TABLE=activities
  holds message "'x'" "repeat('x', 280)" "repeat('😀', 280)" "'x' || repeat(' ', 279)"
  breaks activities_message_check message "''" "repeat(' ', 280)" "chr(8203)" "repeat('x', 281)" "repeat('😀', 281)" "'x' || repeat(' ', 280)"
  seeded="reply_to_activity_uuid = (select uuid from activities where message like 'This was imported%'), message"
  holds "$seeded" "'x'" "repeat('😀', 1024)"
  breaks activities_message_check "$seeded" "''" "repeat('x', 1025)"
}

@test "counts never go below zero, and a post expires after it was made or never" {
  TABLE=activities
  for count in replies reposts likes; do
    holds "${count}_count" 0 1
    breaks activities_counts_check "${count}_count" -1
  done
  holds expires_at null "created_at + interval '1 microsecond'"
  breaks activities_expires_at_check expires_at created_at "created_at - interval '1 second'"
  holds "hidden_expires_at = now(), expires_at" "'-infinity'"
}

@test "nothing that is needed may be missing" {
  local columns statements at
  for TABLE in users activities; do
    mapfile -t columns < <(sql rules "select attname from pg_attribute where attrelid = '$TABLE'::regclass and attnum > 0
      and attname not in ('reply_to_activity_uuid', 'expires_at', 'deleted_at', 'first_expires_at', 'hidden_expires_at', 'written_by',
      'updated_at', 'suspended_at', 'search', 'tags', 'folded_handle')")
    statements=()
    for column in "${columns[@]}"; do
      statements+=("begin; $FRESH; update $TABLE set $column = null where uuid::text like '00000000-%'")
    done
    each_as postgres "${statements[@]}"
    for at in "${!columns[@]}"; do
      echo "${columns[at]}: ${ERRORS[at]}"
      [[ ${ERRORS[at]} == *"null value in column \"${columns[at]}\""* ]]
    done
  done
}

@test "an activity has a user, a reply an activity that is not itself" {
  TABLE=activities
  breaks activities_user_uuid_fkey user_uuid 'gen_random_uuid()'
  breaks activities_reply_to_activity_uuid_fkey reply_to_activity_uuid 'gen_random_uuid()'
  breaks activities_reply_to_itself_check reply_to_activity_uuid uuid
}

@test "a user's activities go with the user, replies with their activity" {
  try "insert into activities (user_uuid, message, reply_to_activity_uuid) select uuid, 'reply',
      '00000000-0000-4000-8000-000000000002' from users where handle = 'bayko';
    delete from users where handle = 'fresh';
    select count(*) from activities"
  [[ $output == 1 ]]
}

@test "a like, a repost: once for each, gone with the user and with the activity" {
  local row="(user_uuid, activity_uuid) select uuid, '00000000-0000-4000-8000-000000000002' from users where handle" table
  for table in likes reposts; do
    try "insert into $table $row = 'bayko'; insert into $table $row = 'bayko'"
    [[ $output == *"\"${table}_pkey\""* ]]
    try "insert into $table $row in ('bayko', 'fresh'); select count(*) from $table; delete from users where handle = 'bayko';
      select count(*) from $table; delete from activities where message = 'fresh'; select count(*) from $table"
    [[ $output == $'2\n1\n0' ]]
    try "insert into $table $row = 'bayko'; delete from users where handle = 'fresh'; select count(*) from $table"
    [[ $output == 0 ]]
    try "insert into $table (user_uuid, activity_uuid) values (gen_random_uuid(), gen_random_uuid())"
    [[ $output == *"\"${table}_"*"_fkey\""* ]]
  done
}

@test "a follow: of another, once, gone with either" {
  local row="(follower_uuid, followed_uuid) select a.uuid, b.uuid from users a, users b where"
  try "insert into follows $row a.handle = 'fresh' and b.handle = 'fresh'"
  [[ $output == *'"follows_oneself_check"'* ]]
  try "insert into follows $row a.handle = 'fresh' and b.handle = 'bayko'; insert into follows $row a.handle = 'fresh' and b.handle = 'bayko'"
  [[ $output == *'"follows_pkey"'* ]]
  for handle in fresh bayko; do
    try "insert into follows $row a.handle = 'fresh' and b.handle = 'bayko'; delete from users where handle = '$handle';
      select count(*) from follows"
    [[ $output == 0 ]]
  done
}

# Prints for each notification its receiver, its kind and its actor. The rows are written at the commit, or by the `set`.
TOLD="set constraints all immediate;
  select coalesce(string_agg(u.handle || ' ' || kind || ' ' || a.handle, ',' order by n.created_at, u.handle), 'nobody')
  from notifications n join users u on u.uuid = n.user_uuid join users a on a.uuid = actor_uuid"

@test "authors, the mentioned and the followed are told, until it is taken back, gone or they are" {
  local by="select uuid, '00000000-0000-4000-8000-000000000002' from users where handle" table kind
  for table in likes reposts; do
    kind=${table%s}
    try "insert into $table (user_uuid, activity_uuid) $by in ('bayko', 'fresh'); $TOLD;
      delete from $table where user_uuid = (select uuid from users where handle = 'bayko'); $TOLD"
    [[ $output == "fresh $kind bayko"$'\nnobody' ]]
    for gone in "activities where message = 'fresh'" "users where handle = 'bayko'" "users where handle = 'fresh'"; do
      try "insert into $table (user_uuid, activity_uuid) $by = 'bayko'; delete from $gone; $TOLD"
      [[ $output == nobody ]]
    done
  done
  local reply="insert into activities (message, user_uuid, reply_to_activity_uuid) select"
  try "$reply '@LONDO @fresh @bayko', ${by#select} = 'bayko'; $TOLD"
  [[ $output == 'fresh reply bayko,londo mention bayko' ]]
  try "$reply 'hello', ${by#select} = 'bayko'; delete from activities where message = 'fresh'; $TOLD"
  [[ $output == nobody ]]
  try "insert into follows select b.uuid, f.uuid from users b, users f where b.handle = 'bayko' and f.handle = 'fresh'; $TOLD;
    delete from follows; $TOLD"
  [[ $output == $'fresh follow bayko\nnobody' ]]
}

@test "a notification: of another, of a kind, about an activity unless one follows" {
  local row="insert into notifications select f.uuid, now(), f.uuid" of="from users f, users b where f.handle = 'fresh' and b.handle"
  try "$row, 'mention', b.uuid, '00000000-0000-4000-8000-000000000002' $of = 'fresh'"
  [[ $output == *'"notifications_oneself_check"'* ]]
  try "$row, 'wave', b.uuid, '00000000-0000-4000-8000-000000000002' $of = 'bayko'"
  [[ $output == *'"notifications_kind_check"'* ]]
  for row in "$row, 'like', b.uuid, null" "$row, 'follow', b.uuid, '00000000-0000-4000-8000-000000000002'"; do
    try "$row $of = 'bayko'"
    [[ $output == *'"notifications_activity_uuid_check"'* ]]
  done
}

@test "replies end with their post, as many as are settled at once, and the rest with the purge" {
  local reply="insert into activities (uuid, user_uuid, message, reply_to_activity_uuid, expires_at)
      select gen_random_uuid(), user_uuid, 'below ' || message, uuid, expires_at from activities where message ="
  local post="update activities set expires_at = now() + interval '1 hour' where message = 'fresh'; $reply 'fresh'; $reply 'below fresh'"
  local ends="select string_agg(distinct (expires_at - now())::text, ' ') from activities where message like '%fresh'"
  local settle="select settle_replies('00000000-0000-4000-8000-000000000002'" left='select count(*) from unsettled_threads'
  post+="; update activities set expires_at = now() + interval '2 hours' where message = 'fresh'
    ; update activities set replies_count = 1 where message in ('fresh', 'below fresh')"
  try "$post; $ends"
  [[ $output == '01:00:00 02:00:00' ]]
  try "$post; $settle, 200); $ends; $left"
  [[ $output == $'2\n02:00:00\n0' ]]
  try "$post; $settle, 1); $ends; $left; do 'begin while settle_threads(200) <> 0 loop end loop; end'; $ends; $left"
  [[ $output == $'1\n01:00:00 02:00:00\n2\n02:00:00\n0' ]]
  try "$post; update activities set deleted_at = now(), expires_at = '-infinity' where message = 'below fresh'; $settle, 200);
    select count(*) from activities where message like '%fresh' and expires_at = '-infinity'; $left"
  [[ $output == $'0\n1\n0' ]]
}

# mentions MESSAGE: prints the handles of the users that it mentions.
mentions() {
  sql rules "select coalesce(string_agg(handle, ' ' order by handle), '') from mentioned_users(\$message\$$1\$message\$) m
    join users on uuid = m"
}

@test "who is mentioned" {
  [[ $(mentions 'hello @londo and @BAYKO!') == 'bayko londo' ]]
  [[ $(mentions "@londo's @bayko, (@altbrown) @londo") == 'altbrown bayko londo' ]]
  [[ -z $(mentions 'me@londo @londos @nobody @ londo @@londo /@londo') ]]
  [[ $(mentions "$(printf '@n%d ' {1..99})@londo @bayko") == 'bayko londo' ]]
  [[ $(mentions "$(printf '@londo %.0s' {1..146})") == londo ]]
}

@test "updated_at moves with every change of a user and with nothing else" {
  try "update users set updated_at = 'epoch' where handle = 'fresh';
    select updated_at = now() from users where handle = 'fresh'"
  [[ $output == t ]]
  run sql rules "begin; alter table users disable trigger users_updated_at; update users set updated_at = 'epoch';
    alter table users enable trigger users_updated_at;
    update users set bio = bio; select count(*) from users where updated_at = 'epoch';
    update users set bio = 'x' where handle = 'bayko';
    select handle from users where updated_at = now(); rollback"
  [[ $output == $'4\nbayko' ]]
}

@test "every time has a zone, every constraint a name of the schema's" {
  [[ -z $(sql rules "select 1 from information_schema.columns where table_schema = 'public'
    and data_type like 'timestamp without%'") ]]
  [[ -z $(sql rules "select conname from pg_constraint where connamespace = 'public'::regnamespace
    and contype not in ('n', 't') -- PostgreSQL 18 names NOT NULL, too; and a deferred trigger is a constraint
    and conname !~ '^(users|activities|message_groups|messages|likes|reposts|follows|notifications|withdrawn_notifications|notification_reads|growth_closed|purge_progress|unsettled_threads|confirmations|environment|outdated_activities|conversation_reads|reports|blocks|mutes|visibility)_.*_(check|key|fkey)\$|_pkey\$'") ]]
}

# uses_index NAME STATEMENT: look_at_plans will check that the plan uses the index, sorts nothing, and reads no whole table.
uses_index() {
  INDICES+=("$1")
  EXPLAIN+="\\echo == next"$'\n'"explain $2;"$'\n'
}

look_at_plans() {
  local plan number=0
  while IFS= read -rd '' plan; do
    echo "${INDICES[number]}: $plan"
    [[ $plan == *"${INDICES[number]}"* && $plan != *'Seq Scan'* && $plan != *Sort* ]]
    number=$((number + 1))
  done < <(sql many "$EXPLAIN" | sed 's/^== next$/\x0/; 1d; $s/$/\x0/')
  ((number == ${#INDICES[@]}))
}

@test "every list has its index" {
  sql postgres 'create database many template rules'
  sql many "insert into users (display_name, handle, email, cognito_user_id)
      select n, n, n || '@example.com', n from generate_series(1, 1000) n;
    insert into activities (user_uuid, message, created_at, expires_at)
      select uuid, 'post', now() - n * interval '1 second', now() + n * interval '1 minute'
      from users, generate_series(1, 3) n;
    insert into activities (user_uuid, message, reply_to_activity_uuid) select user_uuid, 'reply', uuid from activities;
    insert into likes select user_uuid, uuid, created_at from activities;
    insert into reposts select user_uuid, uuid, created_at from activities;
    insert into notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
      select b.uuid, a.created_at, a.uuid, 'mention', a.user_uuid, a.uuid from activities a
      join (select lag(uuid) over (order by uuid) as before, uuid from users) b on b.before = a.user_uuid;
    insert into follows select a.uuid, b.uuid from users a, users b where hashtext(a.handle) & 127 = hashtext(b.handle) & 127
      and a.uuid <> b.uuid;
    vacuum analyze"
  one="'b4a1c9d2-6f0e-4a57-9c3b-1d5e8f7a2b60'"
  INDICES=() EXPLAIN=$'set enable_incremental_sort = off;\n' # as in session/begin.sql
  uses_index activities_home_idx "select uuid from activities where reply_to_activity_uuid is null
    and (expires_at is null or expires_at > '-infinity') and (created_at, uuid) < (now(), $one) order by created_at desc, uuid desc limit 50"
  uses_index activities_user_idx "select uuid from user_posts($one, null, null, '-infinity', 5)"
  uses_index activities_user_idx "select uuid from user_replies($one, null, null, 5)"
  uses_index activities_replies_idx "select uuid from activities where reply_to_activity_uuid = $one
    order by created_at, uuid limit 50"
  uses_index activities_replies_idx "select uuid from activities where reply_to_activity_uuid >= $one
    and (reply_to_activity_uuid, created_at, uuid) < ($one, 'infinity', $one)
    order by reply_to_activity_uuid desc, created_at desc, uuid desc limit 50"
  uses_index activities_expires_at_idx 'select uuid from activities where expires_at <= now() order by expires_at limit 50'
  uses_index likes_user_idx "select activity_uuid from likes where user_uuid = $one"
  uses_index likes_ "select true from likes where user_uuid = $one and activity_uuid = $one"
  uses_index likes_ "select user_uuid from likes where activity_uuid = $one"
  uses_index likes_newest_idx "select user_uuid from likes where (activity_uuid, created_at) <= ($one, now()) and activity_uuid >= $one
    order by activity_uuid desc, created_at desc fetch first 5 rows with ties"
  uses_index reposts_user_idx "select activity_uuid from reposts where user_uuid = $one"
  uses_index reposts_ "select true from reposts where user_uuid = $one and activity_uuid = $one"
  uses_index reposts_ "select user_uuid from reposts where activity_uuid = $one"
  uses_index reposts_activity_idx "select user_uuid from reposts where (activity_uuid, created_at) <= ($one, now()) and activity_uuid >= $one
    order by activity_uuid desc, created_at desc fetch first 5 rows with ties"
  uses_index reposts_user_idx "select activity_uuid from reposts where user_uuid = $one and created_at <= now()
    order by created_at desc limit 5"
  uses_index reposts_created_at_idx "select user_uuid from reposts where created_at <= now() order by created_at desc limit 50"
  uses_index follows_pkey "select followed_uuid from follows where follower_uuid = $one"
  uses_index follows_newest_idx "select follower_uuid from follows where followed_uuid = $one"
  uses_index follows_newest_idx "select follower_uuid from follows where followed_uuid = $one
    order by created_at desc, follower_uuid desc limit 5"
  uses_index notifications_pkey "select uuid from notifications where user_uuid >= $one
    and (user_uuid, created_at, uuid) < ($one, 'infinity', $one)
    order by user_uuid desc, created_at desc, uuid desc limit 50"
  uses_index notifications_activity_idx "select uuid from notifications where activity_uuid = $one"
  uses_index notifications_actor_idx "select uuid from notifications where actor_uuid = $one"
  uses_index users_handle_key "select uuid from users where folded_handle = fold_text('BAYKO')"
  look_at_plans
}

@test "the service may read, create and repeat a create" {
  as service "select uuid, display_name, handle, cognito_user_id, bio, created_at from users"
  ((status == 0))
  for _ in 1 2; do
    as service "insert into activities (uuid, user_uuid, message, expires_at)
        select '00000000-0000-4000-8000-00000000000a', uuid, 'mine', now() + interval '1 hour' from users
        where folded_handle = 'londo'
      on conflict (uuid) do update set uuid = excluded.uuid returning message"
    [[ $output == mine ]]
  done
  as service "select count(*) from activities a left join users u on u.uuid = a.user_uuid where message = 'mine'"
  [[ $output == 1 ]]
}

EVENT='{"triggerSource":"PostConfirmation_ConfirmSignUp","request":{"userAttributes":{"sub":"a-sub",
  "preferred_username":"newcomer","name":"New Comer","email":"newcomer@example.com"}}}'

# confirm ROLE: confirms the user of EVENT, as that role.
confirm() {
  as "$1" "select confirm_user(gen_random_uuid(), '$EVENT', null)"
}

@test "who may confirm a user makes one, once" {
  for attempt in 1 2; do
    confirm confirmer
    [[ $output == ok ]]
    [[ $(sql rules "select count(*), min(email) from users where handle = 'newcomer'") == '1|newcomer@example.com' ]]
  done
  as service "select confirm_user(gen_random_uuid(), '{}', null)"
  ((status == 1))
  for role in stranger cruddur_confirmation; do
    confirm "$role"
    ((status == 2))
  done
}

# forbidden ROLE STATEMENT…: each is refused because the role lacks a right.
forbidden() {
  local at statements=("${@:2}")
  each_as "$@"
  for at in "${!statements[@]}"; do
    echo "${statements[at]}: ${ERRORS[at]}"
    [[ ${ERRORS[at]} == *'permission denied'* || ${ERRORS[at]} == *'must be '* ]]
  done
}

@test "who may confirm a user may do nothing else" {
  forbidden confirmer 'select uuid from users' 'select from activities' 'select from messages' 'insert into users default values' \
    "update users set email = 'x'" 'delete from users' 'truncate users' 'select * from applied_migrations' \
    'select public.set_updated_at()' 'create table mine ()' 'create temporary table mine ()' 'create schema mine' \
    'create function mine() returns int language sql as $$select 1$$' 'drop function confirm_user' \
    'alter function confirm_user reset search_path' 'set role postgres' \
    'set role cruddur_app' 'create role other' "alter role confirmer createdb" "select pg_read_file('/etc/passwd')"
}

@test "what a caller brings along does not lead confirm_user astray" {
  sql rules "create schema trap; grant usage on schema trap to confirmer; create table trap.users (like users);
    create function trap.lower(text) returns text language plpgsql as 'begin raise exception ''trapped''; end';
    grant all on all tables in schema trap to confirmer"
  as confirmer "set search_path = trap, public, pg_catalog; select confirm_user(gen_random_uuid(), '${EVENT//a-sub/b-sub}', null)"
  [[ $output == handle_taken ]]
  sql rules 'drop schema trap cascade'
}

@test "an e-mail address does not get into the server's log" {
  local event
  for event in "${EVENT//a-sub/c-sub}" "${EVENT/newcomer/a b}" "${EVENT//@example.com/}"; do
    as confirmer "select confirm_user(gen_random_uuid(), '$event', null)"
    ((status == 0))
    [[ $output == handle_taken || $output == *_invalid ]]
  done
  run -1 grep -F newcomer "$CLUSTER/log"
}

@test "the service may do nothing else" {
  forbidden service 'select email from users' 'select * from users' "insert into users default values" \
    "update users set handle = 'x'" 'delete from users' 'truncate users' 'truncate activities' \
    'delete from messages' "update messages set message = 'x'" 'delete from message_groups' \
    'update message_groups set first_user_uuid = second_user_uuid' 'select * from applied_migrations' "update activities set message = 'x'" \
    'update activities set user_uuid = user_uuid' 'update activities set created_at = now()' 'drop table activities' \
    'update likes set user_uuid = user_uuid' 'update reposts set created_at = now()' 'update follows set follower_uuid = followed_uuid' \
    'truncate likes' 'delete from notifications' 'update notifications set created_at = now()' \
    'insert into notifications select * from notifications' 'select mentioned_users(null)' 'delete from notification_reads' \
    'update notification_reads set user_uuid = user_uuid' 'delete from activities' 'select public.note_gone_activities()' 'alter table activities add column x int' \
    'create table mine ()' 'create temporary table mine ()' 'create schema mine' 'create view mine as select 1' \
    'create function mine() returns int language sql as $$select 1$$' 'create index on activities (message)' \
    'alter table activities disable trigger all' 'begin; lock table users in exclusive mode' \
    'create role other' 'create database other' \
    "copy activities to program 'id'" "select pg_read_file('/etc/passwd')" 'create extension pgcrypto' \
    'drop database rules' 'insert into growth (at) values (now())' 'update growth_closed set until = now()' 'truncate growth' 'update purge_progress set posts = 0' \
    'select public.set_activity_search()' 'set role postgres' "alter role service createdb" 'select public.set_updated_at()' \
    'alter function confirm_user reset search_path' 'set role cruddur_confirmation'
}

@test "cruddur_app cannot log in, and somebody else cannot even connect" {
  as cruddur_app 'select 1'
  [[ $output == *'not permitted to log in'* ]]
  as stranger 'select 1'
  [[ $output == *'permission denied for database'* ]]
}

@test "PUBLIC has no right to the database, the schema or its functions" {
  [[ -z $(sql rules "
    select 1 from pg_database, aclexplode(datacl) where datname = 'rules' and grantee = 0
    union all select 1 from pg_namespace, aclexplode(nspacl) where nspname = 'public' and grantee = 0
    union all select 1 from pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner)))
      where pronamespace = 'public'::regnamespace and grantee = 0") ]]
}

@test "every session of the database has the schema's search_path" {
  as service "select current_setting('search_path')"
  [[ $output == public ]]
}

# load_as ROLE DATABASE: loads the schema and the seed with no more rights than the role's.
load_as() {
  CONNECTION_URL="postgresql://$1@/$2?host=$CLUSTER&port=$PORT" "$BIN/db-schema-load" \
    && CONNECTION_URL="postgresql://$1@/$2?host=$CLUSTER&port=$PORT" "$BIN/db-seed"
}

@test "an owner without CREATEROLE loads the schema, where cruddur_app is there already" {
  sql postgres 'create role owner login'
  sql postgres 'create database owned owner owner'
  run -0 load_as owner owned
  [[ $(sql owned "select has_column_privilege('cruddur_app', 'activities', 'message', 'insert')") == t ]]
}

@test "an owner without CREATEROLE loads the schema, where cruddur_app cannot be made" {
  drop_role='drop owned by cruddur_app; '
  sql rules "$drop_role"
  sql many "$drop_role"
  sql owned "$drop_role drop role cruddur_app"
  sql postgres 'create database lonely owner owner'
  run -0 load_as owner lonely
  [[ $output == *'NOTICE:  role cruddur_app is missing'* ]]
  [[ $(sql lonely 'select count(*) from users') == 4 ]]
}

@test "a loader that may create tables but does not own the database loads the schema" {
  sql postgres 'create role tenant login'
  sql postgres 'create database rented'
  sql rented 'grant create on schema public to tenant'
  run -0 load_as tenant rented
  [[ $output == *'not the owner of database rented'* ]]
  [[ $(sql rented 'select count(*) from users') == 4 ]]
}
