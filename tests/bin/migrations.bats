#!/usr/bin/env bats
# Migrations from nothing to sql/schema.sql and back again, what stops them, and the guard before production.

load helpers/migrations

setup_file() { start_databases; }
teardown_file() { cluster_stop; }

# copy_of_scripts [FOLDER]: leaves in COPY a tree with the scripts and the SQL, which a test can change.
copy_of_scripts() {
  COPY=$BATS_TEST_TMPDIR/${1:-copy}
  mkdir "$COPY"
  cp -R "$BIN" "$BIN/../sql" "$COPY"
}

# add_migration UP [DOWN]: adds a migration to COPY, after the last one.
add_migration() {
  printf -v MORE '%04d_more' $((LAST + 1))
  printf '%s\n' "$1" >"$COPY/sql/migrations/$MORE.up.sql"
  printf '%s\n' "${2:-select 1;}" >"$COPY/sql/migrations/$MORE.down.sql"
}

@test "an empty database becomes what sql/schema.sql makes, rights and settings included" {
  begin_with empty
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
  begin_with old
  "$BIN/db-migrate"
  before=$(everything)
  run -0 "$BIN/db-migrate"
  [[ $output == 'there is nothing to apply' ]]
  [[ $(everything) == "$before" ]]
}

@test "a database loaded by the first version of schema.sql, which kept no books" {
  begin_with empty
  "$BIN/db-migrate" --to 2
  "$BIN/db-seed"
  here "drop table applied_migrations; update users set bio = 'kept' where handle = 'londo'"
  rows="select to_jsonb(u) - 'folded_handle' - 'suspended_at' from users u order by uuid; select to_jsonb(a) - 'search' - 'tags' - 'deleted_at' - 'written_by' - 'first_expires_at' - 'hidden_expires_at' from activities a order by uuid"
  before=$(here "$rows")
  run -0 "$BIN/db-migrate"
  diff <(echo "$before") <(here "$rows")
  ends_like_schema
}

@test "posts that are there already are found like new ones, and growth counts them" {
  begin_with empty
  local file
  file=$(echo "$BIN"/../sql/migrations/*_search_growth.up.sql)
  file=${file##*/}
  "$BIN/db-migrate" --to $((10#${file%%_*} - 1))
  "$BIN/db-seed"
  here "insert into activities (user_uuid, message, created_at)
    select uuid, 'an #Old post, #old', now() - interval '3 days' from users where handle = 'londo'"
  run -0 "$BIN/db-migrate"
  here "insert into activities (user_uuid, message, created_at)
    select user_uuid, message, created_at from activities where message like 'an #Old%'"
  "$BIN/db-purge"
  [[ $(here "select count(*), count(distinct (tags, search)), min(tags::text) from activities where message like 'an #Old%'") == '2|1|{#old}' ]]
  [[ $(here 'select sum(users), sum(posts), sum(replies) from growth') == '0|2|0' ]]
}

@test "old handles stay, and old posts are found by the rules for text once the purge has renewed them" {
  local by="select string_agg(handle, ' ' order by created_at) from users where folded_handle ="
  local found="select count(*) filter (where search @@ (select fit from search_query('python'))), min(tags::text) from activities
    where message like 'on %'"
  begin_with empty
  "$BIN/db-migrate" --to 9
  "$BIN/db-seed"
  here "insert into users (display_name, handle, email, cognito_user_id, created_at)
      select 'N', handle, place || '@example.com', place, now() + place * interval '1 s'
      from unnest(array['andrewbrown' || chr(8203), 'straße', 'STRASSE', 'c++']) with ordinality old (handle, place);
    insert into activities (user_uuid, message, created_at)
      select uuid, 'on docs.python.org #' || U&'\0939\093F\0928\094D\0926\0940', now() - n * interval '1 hour'
      from users, generate_series(1, 3) n where handle = 'c++'"
  before=$(here 'select handle, display_name, email, created_at, updated_at from users order by uuid')
  run -0 "$BIN/db-migrate"
  [[ $(here 'select handle, display_name, email, created_at, updated_at from users order by uuid') == "$before" ]]
  [[ $(here "$by fold_text('AndrewBrown')") == andrewbrown && $(here "$by fold_text('Strasse')") == straße ]]
  [[ $(here "$by fold_text('C++')") == c++ && $(here "select count(*) from users where folded_handle like '% %'") == 2 ]]
  here "update activities set likes_count = 1; update users set display_name = 'O' where handle = 'c++'"
  here "alter table activities disable trigger activities_search; update activities set search = '', tags = null;
    alter table activities enable trigger activities_search"
  [[ $(here "$found") == '0|' ]]
  [[ $(here 'select renew_activities(2)') == 2 && $(here "$found") == '1|{#हिन्दी}' ]] # the newest is the seed's
  "$BIN/db-purge"
  [[ $(here "$found") == '3|{#हिन्दी}' && $(here 'select count(*) from outdated_activities') == 0 ]]
  before=$(here 'select handle, display_name, email, created_at, updated_at from users order by uuid')
  run -0 "$BIN/db-rollback" --to 9
  run -0 "$BIN/db-migrate"
  [[ $(here 'select handle, display_name, email, created_at, updated_at from users order by uuid') == "$before" ]]
  [[ $(here "$by fold_text('Strasse')") == straße ]]
}

@test "down, one by one, is the way back, and up again ends the same" {
  begin_with empty
  for number in $ALL; do
    "$BIN/db-migrate" --to "$number"
    levels[number]=$(schema "$NAME")
  done
  for ((number = LAST - 1; number > 0; number--)); do
    run -0 "$BIN/db-rollback"
    diff <(echo "${levels[number]}") <(schema "$NAME")
    [[ "$(applied) " == "${ALL%%"$((number + 1))"*}" ]]
  done
  "$BIN/db-rollback"
  [[ $(here "select string_agg(tablename, ' ') from pg_tables where schemaname = 'public'") == applied_migrations ]]
  run -0 "$BIN/db-rollback"
  [[ $output == 'there is nothing to take back' ]]
  "$BIN/db-migrate"
  ends_like_schema
}

@test "down and up again keep every row: replies, bios, expiry" {
  begin_with seeded
  here "update users set bio = 'b' where handle = 'bayko';
    insert into activities (user_uuid, message, reply_to_activity_uuid, expires_at)
      select user_uuid, repeat('x', 1024), uuid, null from activities;
    update activities set replies_count = 1 where expires_at is not null"
  rows='select uuid, display_name, handle, email, cognito_user_id, bio, created_at from users order by uuid;
    select to_jsonb(a) - $$written_by$$ from activities a order by uuid'
  before=$(here "$rows")
  run -0 "$BIN/db-rollback" --to 1
  [[ $(here "set timezone = 'Asia/Tokyo'; select count(*) from activities where created_at <= now() at time zone 'UTC'") == 2 ]]
  run -0 "$BIN/db-migrate"
  "$BIN/db-purge" # renews the posts' tags and search vectors
  diff <(echo "$before") <(here "$rows")
  ends_like_schema
}

@test "likes and the like are gone with a way down, their counts with them; replies and mentions tell again" {
  begin_with empty
  "$BIN/db-migrate"
  "$BIN/db-seed"
  here "insert into likes select u.uuid, a.uuid from users u, activities a; insert into reposts select * from likes;
    update activities set likes_count = 4, reposts_count = 4;
    insert into follows select a.uuid, b.uuid from users a, users b where a.handle <> b.handle;
    insert into activities (user_uuid, message, reply_to_activity_uuid) select u.uuid, '@LONDO, @altbrown', a.uuid
      from activities a, users u where u.handle = 'bayko'"
  told="select u.handle, kind, a.handle, activity_uuid from notifications n join users u on u.uuid = user_uuid
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

@test "the first migration is not taken back from tables with rows" {
  begin_with old
  "$BIN/db-migrate"
  "$BIN/db-rollback" --to 1
  before=$(everything)
  run -1 "$BIN/db-rollback"
  [[ $output == *'users and activities hold rows'*'what it had done is undone'* ]]
  [[ $(everything) == "$before" ]]
}

@test "a deleted post that was hidden too does not come back" {
  begin_with loaded
  "$BIN/db-rollback" --to 30
  here "insert into users (handle, display_name, email, cognito_user_id) values ('author', 'Author', 'author@example.com', 'author');
    insert into activities (user_uuid, message, deleted_at, expires_at, hidden_expires_at)
    select uuid, 'gone', now(), '-infinity', 'infinity' from users"
  [[ $(here "select count(*) from activities where message = 'gone'") == 1 ]]
  "$BIN/db-migrate"
  [[ $(here "select hidden_expires_at is null from activities where message = 'gone'") == t ]]
}

@test "a migration that fails leaves nothing of itself, and those before it" {
  begin_with empty
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
  echo "$output"
  [[ $output == *'division by zero'* ]]
  [[ $(everything) == "$before" ]]
}

@test "when the first migration fails, there is not even a bookkeeping table" {
  begin_with empty
  copy_of_scripts
  echo 'select 1/0;' >>"$COPY/sql/migrations/0001_week_4.up.sql"
  run -1 "$COPY/bin/db-migrate"
  [[ -z $(here "select tablename from pg_tables where schemaname = 'public'") ]]
}

@test "a session that is cut off leaves nothing" {
  begin_with empty
  copy_of_scripts
  add_migration 'create table half (); select pg_sleep(3600);'
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
  begin_with old
  for run in 1 2 3 4 5; do
    "$BIN/db-migrate" >"$BATS_TEST_TMPDIR/$run" 2>&1 3>&- &
    runs[run]=$!
  done
  for run in 1 2 3 4 5; do
    wait "${runs[run]}"
  done
  [[ $(grep -h '^== [0-9]' "$BATS_TEST_TMPDIR"/[1-5] | sort) == "$(printf '== %s\n' "$BIN"/../sql/migrations/*.up.sql | sed 's#== .*/#== #')" ]]
  ends_like_schema --schema=public
}

@test "a run that finds another at work says so, waits, and does what is left" {
  begin_with empty
  copy_of_scripts
  echo 'select pg_sleep(3600);' >>"$COPY/sql/migrations/0001_week_4.up.sql"
  start_in_background "$COPY/bin/db-migrate"
  eventually at_work pg_sleep
  "$BIN/db-migrate" >"$BATS_TEST_TMPDIR/second" 2>&1 3>&- &
  second=$!
  eventually grep 'db-backup, or another db-migrate or db-rollback, is at work' "$BATS_TEST_TMPDIR/second"
  eventually at_work pg_advisory_lock
  stop_background
  here "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()"
  wait "$second"
  all_applied
}

@test "a migration waits for a backup without holding a lock on a table, and a backup for a migration" {
  local process
  begin_with loaded
  start_in_background "$BIN/db-connect" -- -c 'begin; lock table users in access exclusive mode; select pg_sleep(3600)'
  eventually at_work pg_sleep
  "$BIN/db-backup" "$BATS_TEST_TMPDIR/during.dump" >"$BATS_TEST_TMPDIR/backup" 2>&1 3>&- &
  backup=$!
  eventually at_work 'count\(\*\) from public.users'
  "$BIN/db-rollback" >"$BATS_TEST_TMPDIR/back" 2>&1 3>&- &
  back=$!
  eventually at_work pg_advisory_lock
  grep 'db-backup, or another db-migrate or db-rollback, is at work' "$BATS_TEST_TMPDIR/back"
  "$BIN/db-backup" "$BATS_TEST_TMPDIR/after.dump" >"$BATS_TEST_TMPDIR/later" 2>&1 3>&- &
  later=$!
  eventually at_work pg_advisory_lock_shared
  grep 'a migration is at work on this database: waiting for its end' "$BATS_TEST_TMPDIR/later"
  stop_background
  here "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()"
  for process in "$backup" "$back" "$later"; do
    wait "$process"
  done
  grep "^# migration $LAST " "$BATS_TEST_TMPDIR/during.dump.sha256"
  grep "^# migration $((LAST - 1)) " "$BATS_TEST_TMPDIR/after.dump.sha256"
}

@test "a rollback that waited takes back nothing but what it said" {
  begin_with loaded
  copy_of_scripts
  add_migration 'select 1;' \
    "do \$\$ begin while not exists (select from pg_class where relname = 'go_on') loop perform pg_sleep(0.05); end loop; end \$\$;"
  "$COPY/bin/db-migrate"
  start_in_background "$COPY/bin/db-rollback"
  eventually at_work go_on
  "$COPY/bin/db-rollback" >"$BATS_TEST_TMPDIR/second" 2>&1 3>&- &
  second=$!
  eventually at_work pg_advisory_lock
  here 'create table go_on ()'
  wait "$second" && status=0 || status=$?
  ((status == 1))
  grep 'is at work' "$BATS_TEST_TMPDIR/second"
  grep 'another run has changed the database meanwhile: nothing was done' "$BATS_TEST_TMPDIR/second"
  wait "$BACKGROUND"
  all_applied
}

@test "a lock on a table that somebody holds ends the migration, with nothing changed" {
  begin_with old
  start_in_background "$BIN/db-connect" -- -c 'begin; lock table users in access share mode; select pg_sleep(3600)'
  eventually at_work pg_sleep
  PGOPTIONS='-c lock_timeout=200' refused 'canceling statement due to lock timeout'
}

@test "a lock is waited for 5 seconds unless the operator has said otherwise" {
  begin_with loaded
  copy_of_scripts
  add_migration "create table waits as select current_setting('lock_timeout');" 'drop table waits;'
  "$COPY/bin/db-migrate"
  [[ $(here 'table waits') == 5s ]]
  "$COPY/bin/db-rollback"
  PGOPTIONS='-c lock_timeout=7s' "$COPY/bin/db-migrate"
  [[ $(here 'table waits') == 7s ]]
}

# stops TEXT: db-migrate and db-rollback do nothing, and both print that text.
stops() {
  local script
  for script in db-migrate 'db-migrate --dry-run' db-rollback 'db-rollback --dry-run'; do
    # shellcheck disable=SC2086 # several words on purpose
    run -1 "${COPY:-$BIN/..}"/bin/$script
    echo "$output"
    [[ $output == *"$1"* ]]
  done
}

@test "a file that was changed after it was applied stops everything" {
  begin_with empty
  "$BIN/db-migrate" --to 2
  copy_of_scripts
  echo '-- only a comment' >>"$COPY/sql/migrations/0001_week_4.up.sql"
  before=$(everything)
  stops 'sql/migrations/0001_week_4.up.sql is not the file that was applied'
  [[ $(everything) == "$before" ]]
}

@test "a way back that was changed after its migration was applied stops everything, loaded, migrated or in part" {
  copy_of_scripts
  local file=$COPY/sql/migrations/0002_cruddur.down.sql
  begin_with loaded
  [[ $(here "select string_agg(split_part(checksum, ' ', 2), ' ' order by number) from applied_migrations") == "$(sha256sum "$BIN"/../sql/migrations/*.down.sql | cut -d ' ' -f 1 | xargs)" ]]
  cp "$file" "$file.kept"
  for change in 's/$/\r/' '$a -- only a comment'; do
    sed "$change" "$file.kept" >"$file"
    before=$(everything)
    stops 'sql/migrations/0002_cruddur.down.sql is not the file that came with what was applied'
    [[ $(everything) == "$before" ]]
  done
  sql postgres "drop database $NAME"
  begin_with empty
  mv "$file.kept" "$file"
  "$COPY/bin/db-migrate" --to 3
  here "update applied_migrations set checksum = split_part(checksum, ' ', 1)" # as it was when there were none
  echo '-- mended' >>"$file"
  "$COPY/bin/db-migrate"
  echo '-- only a comment' >>"$file"
  stops 'sql/migrations/0002_cruddur.down.sql is not the file that came with what was applied'
}

@test "a migration that is applied and not among the files stops everything" {
  begin_with loaded
  copy_of_scripts
  add_migration 'select 1;'
  "$COPY/bin/db-migrate"
  COPY=''
  before=$(everything)
  stops "has a migration $((LAST + 1)), more, and sql/migrations has not"
  [[ $(everything) == "$before" ]]
  here "update applied_migrations set number = 99 where number > $LAST"
  stops 'has a migration 99, more,'
  here "delete from applied_migrations where number = 99; update applied_migrations set name = 'else' where number = 2"
  before=$(everything)
  stops 'has a migration 2, else,'
  [[ $(everything) == "$before" ]]
}

@test "a hole in what is applied stops everything" {
  begin_with loaded
  here 'delete from applied_migrations where number = 1'
  before=$(everything)
  stops 'has the migration 0002_cruddur, but not the one before it'
  [[ $(everything) == "$before" ]]
}

@test "files with a gap, a wrong name or no way back stop everything" {
  begin_with empty
  copy_of_scripts
  cd "$COPY/sql/migrations"
  before=$(everything)
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
  [[ $(everything) == "$before" ]]
}

# complains TEXT: tests/lint/migrations finds one offence in COPY, and describes it with that text.
complains() {
  run -1 bash "$BIN/../tests/lint/migrations" "$COPY"
  echo "$output"
  [[ $output == "sql/migrations/$1" ]]
}

@test "a published migration keeps its text, and a later one may come and change" {
  local advice='take its text back from the last release, and write a new migration' file
  copy_of_scripts
  bash "$BIN/../tests/lint/migrations" "$COPY"
  add_migration 'select 1;'
  bash "$BIN/../tests/lint/migrations" "$COPY"
  cd "$COPY/sql/migrations"
  for file in 0001_week_4.up.sql 0026_*.down.sql; do
    cp "$file" kept
    printf '\n' >>"$file"
    complains "$file: this published migration was changed: $advice"
    sed '1s/^./x/' kept >"$file"
    complains "$file: this published migration was changed: $advice"
    rm "$file"
    complains "$file: this published migration is missing: $advice"
    mv kept "$file"
  done
  touch 0026_another.up.sql
  complains '0026_another.up.sql: it is not in published.sha256, and no later than what is published: give it the next number'
  rm 0026_another.up.sql
  sed -i '1s/^./x/' published.sha256
  run -1 bash "$BIN/../tests/lint/migrations" "$COPY"
  [[ $output == *'published.sha256: no line of sha256sum: x'* ]]
  : >published.sha256
  complains 'published.sha256: it lists no migration'
}

# interface [CONDITION]: prints what the templates may use in the database, one a line: functions (p) with their results, columns with
# right and type, columns that an insert may leave out.
interface() {
  here "
    select 'function ' || p.oid::regprocedure || ' returns ' || pg_get_function_result(p.oid)
    from pg_proc p
    where pronamespace = 'public'::regnamespace
      and has_function_privilege('cruddur_app', p.oid, 'execute')
      and ${1:-true}
    union all
    select privilege_type || ' ' || table_name || '.' || column_name || ' ' || data_type
    from information_schema.column_privileges
    join information_schema.columns using (table_schema, table_name, column_name)
    where table_schema = 'public' and grantee = 'cruddur_app'
    union all
    select 'optional ' || attrelid::regclass || '.' || attname
    from pg_attribute
    join pg_class on pg_class.oid = attrelid
    where relnamespace = 'public'::regnamespace and relkind = 'r' and attnum > 0 and (not attnotnull or atthasdef)" | LC_ALL=C sort
}

@test "templates of the last release run on the newest schema, until their host is reloaded" {
  local published
  published=$(grep -oE '[0-9]{4}' <(tail -n 1 "$BIN/../sql/migrations/published.sha256" | cut -d ' ' -f 3))
  begin_with empty
  "$BIN/db-migrate" --to "$((10#$published))"
  before=$(interface "coalesce(obj_description(p.oid, 'pg_proc'), '') !~ '^deprecated: '")
  [[ $(wc -l <<<"$before") -gt 250 ]]
  "$BIN/db-migrate"
  diff <(echo) <(LC_ALL=C comm -23 <(echo "$before") <(interface) && echo)
  copy_of_scripts
  add_migration 'drop function clock_us(); alter table likes rename created_at to liked_at; alter table messages alter expires_at set not null;
    drop function caller(text, text) cascade; create function caller(text, text) returns uuid language sql return null::uuid;
    grant execute on function caller(text, text) to cruddur_app'
  "$COPY/bin/db-migrate"
  run -0 env LC_ALL=C comm -23 <(echo "$before") <(interface)
  [[ $output == *'SELECT likes.created_at '*'function caller(text,text) returns TABLE('*'function clock_us() returns bigint'*'optional messages.expires_at'* ]]
}

@test "no migration ends its transaction itself" {
  local words='^[[:space:]]*(begin|commit|end|rollback|abort|start transaction)[[:space:]]*;|\\(c|connect|q|quit)\b'
  # Functions are left out: they cannot end the transaction, but their blocks end with such a word.
  run -1 grep -niE "$words" < <(sed '/^as \$\$$/,/^\$\$;$/d' "$BIN"/../sql/migrations/*.sql)
}

@test "--to goes so far and no further, both ways" {
  begin_with empty
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
  begin_with empty
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
  begin_with old
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
  begin_with empty
  copy_of_scripts "it's \"a\" \$folder: \\n"
  cd /
  "$COPY/bin/db-migrate" --to 2
  "$COPY/bin/db-rollback" --to 1
  [[ $(applied) == 1 ]]
}

# production: makes PROD, a migrated database with rows, and this test's own database with the same content.
production() {
  PROD=prod_$BATS_TEST_NUMBER
  PROD_CONNECTION_URL=$(socket_url "$PROD")
  export PROD_CONNECTION_URL
  begin_with seeded
  sql postgres "create database $PROD template seeded"
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
  loaded_schema
  diff "$REPLY" <(schema "$PROD")
  [[ $(sql "$PROD" 'select count(*) from users') == 4 ]]
  [[ $(everything) == "$dev" ]]
}

@test "an owner without CREATEROLE migrates, where cruddur_app is there already" {
  begin_with empty
  sql postgres "create role migrator login; alter database $NAME owner to migrator"
  CONNECTION_URL="postgresql://migrator@/$NAME?host=$CLUSTER&port=$PORT"
  run -0 "$BIN/db-migrate"
  loaded_schema
  diff <(sed '/OWNER TO\|Owner: /d' "$REPLY") <(schema "$NAME" | sed 's/\bmigrator\b/postgres/; /OWNER TO\|Owner: /d')
  run -0 "$BIN/db-rollback" --to 0
}

@test "a migrator that may create tables but does not own the database" {
  begin_with empty
  sql postgres 'create role lodger login'
  here 'grant create on schema public to lodger'
  CONNECTION_URL="postgresql://lodger@/$NAME?host=$CLUSTER&port=$PORT"
  run -0 "$BIN/db-migrate"
  [[ $output == *"not the owner of database $NAME"* ]]
  run -0 "$BIN/db-rollback" --to 1
  run -0 "$BIN/db-migrate"
}
