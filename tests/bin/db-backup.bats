#!/usr/bin/env bats
# bin/db-backup and bin/db-restore: no row is lost, a damaged backup is refused, and an interrupted run leaves nothing.

load helpers/common
load helpers/cluster
load helpers/processes

# The database `whole` belongs to a role that is no superuser; the daemon logs in as `service`.
setup_file() {
  cluster_start
  [[ -x $PROGRAMS/pg_dump ]] || return 0 # see setup
  CONNECTION_URL=$(socket_url postgres) "$BIN/db-roles"
  sql postgres 'create role service login in role cruddur_app; create database whole owner cruddur_owner'
  CONNECTION_URL=$(owner_url whole) "$BIN/db-schema-load"
  CONNECTION_URL=$(owner_url whole) "$BIN/db-seed"
  sql whole "insert into activities (user_uuid, message) select uuid, 'post ' || n || ' of ' || handle || E' \\\\ \\t \\n 😀' from users, generate_series(1, 50) n;
    insert into likes select u.uuid, a.uuid from users u, activities a;
    insert into follows select a.uuid, b.uuid from users a, users b where a.uuid <> b.uuid"
  CONNECTION_URL=$(owner_url whole) "$BIN/db-backup" "$CLUSTER/whole.dump"
}

teardown_file() { cluster_stop; }

setup() {
  needs pg_dump
  cd "$BATS_TEST_TMPDIR" || return
  CONNECTION_URL=$(owner_url whole)
  export CONNECTION_URL
}

teardown() {
  stop_background
  sql postgres 'drop database if exists fresh with (force)'
}

owner_url() { printf 'postgresql://cruddur_owner@/%s?host=%s&port=%s' "$1" "$CLUSTER" "$PORT"; }

# make_fresh: makes an empty database, which CONNECTION_URL then names.
make_fresh() {
  CONNECTION_URL=$(owner_url fresh)
  sql postgres 'create database fresh owner cruddur_owner'
}

# sums DATABASE: prints the number of rows of each table, and their MD5.
sums() {
  sql "$1" "select format('select %L, count(*), md5(string_agg(t::text, chr(10) order by t::text)) from %I t', tablename, tablename)
    from pg_tables where schemaname = 'public' order by 1 \\gexec"
}

# schema DATABASE: prints the schema, with owners and rights.
schema() {
  pg_dump --host "$CLUSTER" --port "$PORT" --username postgres --schema-only "$1" | sed '/^[\\]\(un\)\?restrict /d'
  sql "$1" "select replace(array_to_string(array(select unnest(datacl)::text order by 1), ' '), datname, ''),
    (select setconfig from pg_db_role_setting where setdatabase = d.oid) from pg_database d where datname = current_database()"
}

# nothing_written: neither a backup nor a part of one.
nothing_written() { [[ -z $(find . -name '.backup*' -o -name '*.dump*') ]]; }

# nothing_restored: the database is as empty as it was.
nothing_restored() { [[ $(sql fresh "select count(*) from pg_class where relnamespace = 'public'::regnamespace") == 0 ]]; }

copy_backup() { cp "$CLUSTER/whole.dump" "$CLUSTER/whole.dump.sha256" .; }

@test "backup, drop, restore: every row, right and setting is there again" {
  sql postgres 'create database fresh owner cruddur_owner template whole'
  sql postgres 'grant connect on database fresh to cruddur_app, cruddur_confirmation, cruddur_readonly; revoke all on database fresh from public'
  sql postgres 'alter database fresh set search_path = public'
  before=$(sums fresh && schema fresh)
  CONNECTION_URL=$(owner_url fresh)
  run -0 "$BIN/db-backup" fresh.dump
  [[ $output == "== backed up fresh on $CLUSTER, port $PORT into ./fresh.dump: "*' bytes, '*' rows' ]]
  "$BIN/db-drop"
  "$BIN/db-create"
  run -0 "$BIN/db-restore" fresh.dump
  [[ $output == *'== restored fresh.dump into fresh on '*' tables, as they were at 20'* ]]
  diff <(echo "$before") <(sums fresh && schema fresh)
  [[ $(sql fresh "select count(*) from pg_class where relowner <> 'cruddur_owner'::regrole and relnamespace = 'public'::regnamespace") == 0 ]]
  [[ $(sql fresh 'select count(*) from likes') == 804 ]]
}

# numbered: how many rows of each table have the number of the transaction that wrote them.
numbered() {
  sql fresh 'select count(written_by) from activities union all select count(written_by) from reposts
    union all select count(written_by) from messages union all select count(moved_by) from message_groups'
}

@test "on a server that has assigned fewer transactions, rows do not count as new once it comes to theirs" {
  local rows="select uuid, message, search, tags, created_at, likes_count from activities order by uuid"
  sql postgres 'create database fresh owner cruddur_owner template whole; grant connect on database fresh to cruddur_readonly;
    alter database fresh set search_path = public'
  sql fresh "set session_replication_role = replica;
    insert into message_groups (first_user_uuid, second_user_uuid)
      select least(a.uuid, b.uuid), greatest(a.uuid, b.uuid) from users a, users b where a.handle = 'londo' and b.handle = 'bayko';
    insert into messages (message_group_uuid, user_uuid, message) select uuid, first_user_uuid, 'hello' from message_groups;
    insert into reposts (user_uuid, activity_uuid) select u.uuid, a.uuid from users u, activities a where a.message like 'post 1 %';
    update activities set search = '' where message like 'post 1 %'"
  CONNECTION_URL=$(owner_url fresh) "$BIN/db-backup" here.dump
  sql fresh "set session_replication_role = replica;
    update activities set written_by = (written_by::text::bigint + 1000000)::text::xid8 where message like 'post 1 %';
    update reposts set written_by = (written_by::text::bigint + 1000000)::text::xid8;
    update messages set written_by = (written_by::text::bigint + 1000000)::text::xid8;
    update message_groups set moved_by = (moved_by::text::bigint + 1000000)::text::xid8"
  CONNECTION_URL=$(owner_url fresh) "$BIN/db-backup" elsewhere.dump
  local all before structure
  mapfile -t all < <(numbered)
  before=$(sql fresh "$rows")
  structure=$(schema fresh)
  sql postgres 'drop database fresh'
  make_fresh
  run -0 "$BIN/db-restore" here.dump
  [[ $(numbered) == $(printf '%s\n' "${all[@]}") ]]
  sql postgres 'drop database fresh'
  make_fresh
  run -0 "$BIN/db-restore" elsewhere.dump
  [[ $(numbered) == $((all[0] - all[1] / 4))$'\n0\n0\n0' ]]
  [[ $(sql fresh "select count(written_by) from activities where message like 'post 1 %'") == 0 ]]
  diff <(echo "$before") <(sql fresh "$rows") # no trigger has changed them
  diff <(echo "$structure") <(schema fresh)
}

@test "the files are private, sha256sum reads them, and the manifest has the rows of one moment" {
  run -0 "$BIN/db-backup"
  file=$(echo whole-20*Z.dump)
  [[ $(stat -c %a "$file" "$file.sha256") == $'600\n600' ]]
  run -0 sha256sum --check "$file.sha256"
  [[ $output == "$file: OK" ]]
  grep -qx '# rows public.likes 804' "$file.sha256"
  grep -qx '# role cruddur_readonly' "$file.sha256"
  grep -qx "# migration .*" "$file.sha256"
  mkdir folder
  run -0 "$BIN/db-backup" folder
  [[ -n $(find folder -name 'whole-20*Z.dump') && -z $(find . -name '.backup*') ]]
}

@test "rows that are written meanwhile are in neither" {
  start_in_background "$BIN/db-connect" -- -c "begin; lock users in access exclusive mode; select pg_sleep(3600)"
  eventually is_locked
  BLOCKER=$BACKGROUND
  start_in_background "$BIN/db-backup" meanwhile.dump
  eventually counter_waits
  sql whole "create table later as select 1"
  kill -KILL -- "-$BLOCKER"
  sql postgres "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(3600)%' and pid <> pg_backend_pid()"
  wait "$BACKGROUND"
  sql whole 'drop table later'
  run ! grep later meanwhile.dump.sha256
  make_fresh
  run -0 "$BIN/db-restore" meanwhile.dump
}

is_locked() { [[ $(sql whole "select count(*) from pg_locks where relation = 'users'::regclass and mode = 'AccessExclusiveLock' and granted") == 1 ]]; }
counter_waits() { [[ $(sql whole "select count(*) from pg_locks where relation = 'users'::regclass and not granted") -ge 1 ]]; }

@test "the role that only reads makes a backup, and another role none" {
  CONNECTION_URL="postgresql://cruddur_reader@/whole?host=$CLUSTER&port=$PORT" run -0 "$BIN/db-backup" reader.dump
  diff <(grep '^# rows' "$CLUSTER/whole.dump.sha256") <(grep '^# rows' reader.dump.sha256)
  CONNECTION_URL="postgresql://service@/whole?host=$CLUSTER&port=$PORT" run -1 "$BIN/db-backup" service.dump
  [[ $output == *'permission denied'*'It takes a role that may read them all, such as cruddur_reader'* && ! -e service.dump ]]
}

@test "what is there already is not overwritten" {
  for name in taken.dump taken.dump.sha256; do
    echo mine >"$name"
    run -1 "$BIN/db-backup" taken.dump
    [[ $output == *"$name is there already, and nothing was written: choose another name, or remove it"* ]]
    [[ $(<"$name") == mine ]]
    rm "$name"
  done
  ln -s nowhere taken.dump
  run -1 "$BIN/db-backup" taken.dump
  [[ ! -e nowhere ]]
  run -1 "$BIN/db-backup" missing/x.dump
  [[ $output == *'missing is no folder that this user may write to'* ]]
}

@test "ended by TERM while the rows are counted, and while pg_dump is at work: nothing is left, no process either" {
  start_in_background "$BIN/db-connect" -- -c "begin; lock users in access exclusive mode; select pg_sleep(3600)"
  BLOCKER=$BACKGROUND
  eventually is_locked
  start_in_background "$BIN/db-backup" cut.dump
  eventually counter_waits
  kill "$BACKGROUND"
  status=0
  wait "$BACKGROUND" || status=$?
  ((status == 143))
  kill -KILL -- "-$BLOCKER"
  sql postgres "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(3600)%' and pid <> pg_backend_pid()"
  nothing_written
  # A pg_dump that has begun to write, and does not end.
  mkdir stub
  printf '#!/bin/sh\n[ "$1" = --version ] && exec "%s/pg_dump" --version\nfor x; do case $x in --file=*) echo part >"${x#--file=}"; esac; done\nexec sleep 3607\n' "$PROGRAMS" >stub/pg_dump
  chmod +x stub/pg_dump
  PATH=$PWD/stub:$PATH start_in_background "$BIN/db-backup" cut.dump
  eventually part_is_there
  kill "$BACKGROUND"
  status=0
  wait "$BACKGROUND" || status=$?
  ((status == 143))
  nothing_written
  [[ -z $(processes 'sleep 3607') ]]
}

part_is_there() { [[ -n $(find . -name '.backup*' -size +0) ]]; }

@test "ended by TERM between the two names: both files are there or none" {
  local when
  mkdir stub
  # shellcheck disable=SC2016 # for the stub
  printf '#!/bin/sh\n[ "$WHEN" != after ] || "%s" "$@"\ncase $* in *"$AT") kill -TERM "$PPID";; esac\n[ "$WHEN" = after ] || exec "%s" "$@"\n' \
    "$(type -P mv)" "$(type -P mv)" >stub/mv
  chmod +x stub/mv
  for when in before after; do
    WHEN=$when AT=cut.dump.sha256 PATH=$PWD/stub:$PATH run -143 "$BIN/db-backup" cut.dump
    nothing_written
  done
  WHEN=after AT=cut.dump PATH=$PWD/stub:$PATH run -143 "$BIN/db-backup" cut.dump
  sha256sum --check cut.dump.sha256
  rm cut.dump*
  # a file of the name that another program puts there meanwhile stays
  # shellcheck disable=SC2016 # for the stub
  printf '#!/bin/sh\necho theirs >cut.dump.sha256\n"%s" "$@"\nkill -TERM "$PPID"\n' "$(type -P mv)" >stub/mv
  PATH=$PWD/stub:$PATH run -143 "$BIN/db-backup" cut.dump
  [[ $(<cut.dump.sha256) == theirs ]]
  rm cut.dump.sha256
  nothing_written
}

@test "the snapshot ends with the dump: none is open while its checksum is computed" {
  local count="select count(*) from pg_stat_activity where datname = 'whole' and backend_xmin is not null and pid <> pg_backend_pid()"
  mkdir stub
  # shellcheck disable=SC2016 # for the stub
  printf '#!/bin/sh\npsql --no-psqlrc --host "%s" --port "%s" --username postgres -Atc "%s" postgres >open\nexec "%s" "$@"\n' \
    "$CLUSTER" "$PORT" "$count" "$(type -P sha256sum)" >stub/sha256sum
  chmod +x stub/sha256sum
  PATH=$PWD/stub:$PATH run -0 "$BIN/db-backup" quick.dump
  [[ $(<open) == 0 ]]
}

@test "a full disk: nothing is left, and the reason is said" {
  unshare --mount true 2>/dev/null || skip 'mounting takes root'
  mkdir small
  # shellcheck disable=SC2016 # for the inner shell
  run -1 unshare --mount bash -c 'mount -t tmpfs -o size=16k tmpfs small && cd small && { "$1" whole.dump; status=$?; ls -A; exit $status; }' bash "$BIN/db-backup"
  [[ $output == *'No space left on device'*'nothing was written: pg_dump failed, for the reason above' ]]
}

@test "a pg_dump or pg_restore of an older version, and a server that is newer" {
  mkdir stub
  printf '#!/bin/sh\necho "pg_dump (PostgreSQL) 14.9"\n' >stub/pg_dump
  printf '#!/bin/sh\necho "pg_restore (PostgreSQL) 14.9"\n' >stub/pg_restore
  chmod +x stub/*
  PATH=$PWD/stub:$PATH run -1 "$BIN/db-backup" x.dump
  [[ $output =~ 'pg_dump is of version 14 and the server of '([0-9]+)': apt-get install postgresql-client-'[0-9]+', and put its folder first in PATH' ]]
  nothing_written
  make_fresh
  PATH=$PWD/stub:$PATH run -1 "$BIN/db-restore" "$CLUSTER/whole.dump"
  [[ $output == *'pg_restore is of version 14 and the backup by pg_dump '* ]]
}

@test "a pg_restore that is newer than the server" {
  mkdir stub
  # shellcheck disable=SC2016 # for the stub
  printf '#!/bin/sh\n[ "$1" != --version ] || exec "%s/pg_restore" "$@"\n"%s/pg_restore" "$@" | sed "0,/^SET /s//SET transaction_timeout = 0;\\n&/"\n' \
    "$PROGRAMS" "$PROGRAMS" >stub/pg_restore
  chmod +x stub/pg_restore
  PATH=$PWD/stub:$PATH pg_restore --file=- "$CLUSTER/whole.dump" | grep -q '^SET transaction_timeout = 0;$'
  make_fresh
  PATH=$PWD/stub:$PATH run -0 "$BIN/db-restore" "$CLUSTER/whole.dump"
  diff <(sums whole) <(sums fresh)
}

@test "a damaged file, a wrong checksum, and one that is missing or of something else: nothing is restored" {
  make_fresh
  copy_backup
  printf x | dd of=whole.dump bs=1 seek=5000 conv=notrunc status=none
  run -1 "$BIN/db-restore" whole.dump
  [[ $output == *'nothing was restored: the checksum of whole.dump is not that of whole.dump.sha256'* ]]
  copy_backup
  sed -i '1s/^./x/' whole.dump.sha256
  run -1 "$BIN/db-restore" whole.dump
  [[ $output == *'whole.dump.sha256 was not written by db-backup, or is damaged'* ]]
  sha256sum whole.dump >whole.dump.sha256
  run -1 "$BIN/db-restore" whole.dump
  [[ $output == *'whole.dump.sha256 was not written by db-backup, or is damaged'* ]]
  rm whole.dump.sha256
  run -1 "$BIN/db-restore" whole.dump
  [[ $output == *'whole.dump.sha256 cannot be read'* ]]
  run -1 "$BIN/db-restore" other.dump
  nothing_restored
}

# seal: writes the checksum of the present whole.dump into its file of checksums.
seal() { sed -i "1s/^[0-9a-f]*/$(sha256sum <whole.dump | cut -d ' ' -f 1)/" whole.dump.sha256; }

@test "a file that was damaged before its checksum, and a count that is not right: nothing is restored" {
  make_fresh
  copy_backup
  truncate -s 20000 whole.dump
  seal
  run -1 "$BIN/db-restore" whole.dump
  [[ $output == *'nothing was restored, for the reason above'* ]]
  nothing_restored
  copy_backup
  sed -i 's/^# rows public.likes 804$/# rows public.likes 805/' whole.dump.sha256
  run -1 "$BIN/db-restore" whole.dump
  [[ $output == *'public.likes has 804 rows, not the 805 that were counted at the backup'* ]]
  nothing_restored
  sed -i 's/^# rows public.likes 805$/# rows public.loves 804/' whole.dump.sha256
  run -1 "$BIN/db-restore" whole.dump
  [[ $output == *'the table public.loves of the backup is missing'* ]]
  nothing_restored
}

restores() { [[ $(sql postgres "select count(*) from pg_stat_activity where datname = 'fresh' and query like '%pg_sleep(3608)%' and state = 'active'") == 1 ]]; }
nothing_is_connected() { [[ $(sql postgres "select count(*) from pg_stat_activity where datname = 'fresh'") == 0 ]]; }

no_psql() { [[ -z $(processes "dbname=$(encode fresh)") ]]; }

@test "a restore that is ended by TERM restores nothing, and no process goes on with it" {
  make_fresh
  mkdir stub
  printf '#!/bin/sh\n[ "$1" = --version ] && exec "%s/pg_restore" --version\necho "create table half (); select pg_sleep(3608);"\nexec sleep 3609\n' "$PROGRAMS" >stub/pg_restore
  chmod +x stub/pg_restore
  PATH=$PWD/stub:$PATH start_in_background "$BIN/db-restore" "$CLUSTER/whole.dump"
  eventually restores
  kill "$BACKGROUND"
  status=0
  wait "$BACKGROUND" || status=$?
  ((status == 143))
  sql postgres "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(3608)%' and pid <> pg_backend_pid()"
  eventually nothing_is_connected
  nothing_restored
  eventually no_psql
}

@test "a database that has a table, a sequence or a view is refused" {
  make_fresh
  for thing in 'table kept ()' 'sequence kept' 'view kept as select 1'; do
    sql fresh "create $thing"
    run -1 "$BIN/db-restore" "$CLUSTER/whole.dump"
    [[ $output == *"nothing was restored: fresh on $CLUSTER, port $PORT has 1 tables already"* ]]
    sql fresh "drop ${thing%% *} kept"
  done
  run -1 env CONNECTION_URL="$(owner_url missing)" "$BIN/db-restore" "$CLUSTER/whole.dump"
  [[ $output == *'database "missing" does not exist'* ]]
}

@test "a role that is missing is named before anything is restored" {
  make_fresh
  copy_backup
  echo '# role auditor' >>whole.dump.sha256
  run -1 "$BIN/db-restore" whole.dump
  [[ $output == *'nothing was restored: the server has no role auditor, which has rights in the backup'* ]]
  nothing_restored
}

@test "a backup of a superuser's database is restored by an owner who is none, and the service's role can work" {
  sql postgres 'create database fresh'
  sql fresh '\i '"$BIN/../sql/schema.sql"
  sql fresh '\i '"$BIN/../sql/large_objects.sql"
  CONNECTION_URL=$(socket_url fresh) run -0 "$BIN/db-backup" super.dump
  sql postgres 'drop database fresh'
  make_fresh
  run -0 "$BIN/db-restore" super.dump
  [[ $(sql fresh "select count(*) from pg_class where relowner <> 'cruddur_owner'::regrole and relnamespace = 'public'::regnamespace") == 0 ]]
  CONNECTION_URL="postgresql://service@/fresh?host=$CLUSTER&port=$PORT" run -0 "$BIN/db-connect" -- -Atc 'select count(*) from activities'
}

@test "restoring into production wants the name; a mark that came along is told" {
  make_fresh
  export PROD_CONNECTION_URL=$CONNECTION_URL
  for arguments in prod '' '--yes-drop whole'; do
    # shellcheck disable=SC2086 # several words on purpose
    run -1 "$BIN/db-restore" $arguments "$CLUSTER/whole.dump" <<<'something else'
    [[ $output == *'nothing was done'* ]]
  done
  nothing_restored
  run -0 "$BIN/db-restore" prod "$CLUSTER/whole.dump" <<<fresh
  [[ $output == *PRODUCTION*'This will restore a backup into fresh on '* ]]
  [[ $(sql fresh 'select name from environment') == production ]]
  "$BIN/db-backup" prod production.dump
  sql postgres 'drop database fresh with (force)'
  make_fresh
  unset PROD_CONNECTION_URL
  run -0 "$BIN/db-restore" production.dump
  [[ $output == *'the database is marked as production, as the backup was'* ]]
}

@test "cruddurd has the last word where there is one" {
  mkdir stub
  printf '#!/bin/sh\necho "$CONNECTION_URL $*"\nexit 1\n' >stub/cruddurd
  chmod +x stub/cruddurd
  make_fresh
  PATH=$PWD/stub:$PATH run -3 "$BIN/db-restore" "$CLUSTER/whole.dump"
  [[ $output == *"$CONNECTION_URL --check --sql-dir "*'all is restored, but cruddurd --check is not content'* ]]
  [[ $(sql fresh 'select count(*) from likes') == 804 ]]
}

@test "cruddurd checks the database that was restored, and is told of no other" {
  mkdir stub
  printf '#!/bin/sh\nenv\n' >stub/cruddurd
  chmod +x stub/cruddurd
  make_fresh
  echo "$CONNECTION_URL" >url
  local -x READ_CONNECTION_URL_FILE=$PWD/url CRUDDUR_HOOK_CONNECTION_URL=$CONNECTION_URL CRUDDUR_HOOK_SECRET_FILE=$PWD/url
  PATH=$PWD/stub:$PATH run -0 "$BIN/db-restore" "$CLUSTER/whole.dump"
  grep -qx "CONNECTION_URL=$CONNECTION_URL" <<<"$output"
  run ! grep -E '^(READ_CONNECTION|CRUDDUR_HOOK|PROD_CONNECTION)' <<<"$output"
}

@test "misuse is status 2" {
  for script in db-backup db-restore; do
    run -2 "$BIN/$script" one two
    run -2 "$BIN/$script" --force
    CONNECTION_URL=postgresql:/// run -2 "$BIN/db-backup"
  done
  run -2 "$BIN/db-backup" $'a\nb'
  run -2 "$BIN/db-restore"
  run -2 "$BIN/db-restore" --yes-drop
}

@test "the manuals have every option, and none besides" {
  for script in db-backup db-restore; do
    diff <("$BIN/$script" --help | grep -o -- '--[a-z][a-z-]*' | grep -vx -e --check | sort -u) \
      <(sed -n 's/^\.It Fl \(-[a-z-]*\) .*/-\1/p' "$BIN/../man/$script.8" | sort -u)
    if command -v groff; then
      run -0 groff -man -Tutf8 -ww "$BIN/../man/$script.8"
      [[ $output != *warning* ]]
    fi
  done
}

@test "the timer's unit keeps fourteen days, and removes nothing but backups" {
  local unit=$BIN/../systemd/cruddur-backup.service folder=$BATS_TEST_TMPDIR/kept command
  mkdir "$folder-private"
  ln -s "$folder-private" "$folder" # as systemd makes it for a dynamic user
  touch --date '14 days ago' "$folder"/old.dump{,.sha256} "$folder/old.txt"
  touch --date '12 days ago' "$folder"/recent.dump{,.sha256}
  for command in ExecStart ExecStartPost; do
    mapfile -t words < <(sed -n "s|^$command=||p" "$unit" | sed "s|/usr/local/share/cruddur/bin|$BIN|; s|\${STATE_DIRECTORY}|$folder|" | tr ' ' '\n')
    run -0 "${words[@]}"
  done
  (cd "$folder" && sha256sum --check --quiet whole-*.dump.sha256)
  [[ -d $folder ]]
  [[ $(cd "$folder" && find . -type f ! -name 'whole-*' | sort) == $'./old.txt\n./recent.dump\n./recent.dump.sha256' ]]
  grep -q '^LoadCredential=backup-url:/etc/cruddur/backup-url$' "$unit"
  grep -q '^Environment=CONNECTION_URL_FILE=%d/backup-url$' "$unit"
}
