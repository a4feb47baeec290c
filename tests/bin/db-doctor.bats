#!/usr/bin/env bats
# bin/db-doctor: each fault is made for real, and it alone is found, with what to do about it. The password is shown nowhere.

load helpers/common
load helpers/cluster
load helpers/silent

# The database `well`, the login `cruddur` and the server, which has fsync, have no fault.
setup_file() {
  cluster_start
  mkdir -m 700 "$CLUSTER/secrets"
  echo 'canary%/word' >"$CLUSTER/secrets/cruddur"
  chmod 600 "$CLUSTER/secrets/cruddur"
  CONNECTION_URL=$(socket_url postgres) "$BIN/db-roles" --passwords "$CLUSTER/secrets"
  sql postgres 'create database well owner cruddur_owner; create role stranger login; create role strong login createrole bypassrls;
    grant cruddur_app to strong; create role heir login in role cruddur_owner, cruddur_app'
  CONNECTION_URL=$(url_of cruddur_owner) "$BIN/db-schema-load"
  sql well "alter database well set timezone = 'UTC'; update purge_progress set finished_at = now() + interval '1 hour'"
}

teardown_file() { cluster_stop; }

# start_postgres [SETTING…]: unlike the function in helpers/cluster, with fsync. The arguments are further settings.
start_postgres() {
  (exec_server postgres -D "$CLUSTER/data" -k "$CLUSTER" -p "$PORT" -c listen_addresses=127.0.0.1 "$@") </dev/null >>"$CLUSTER/log" 2>&1 3>&- &
  SERVER=$!
  eventually is_settled
  kill -0 "$SERVER" 2>/dev/null
}

# restart [SETTING…]
restart() {
  read -r SERVER <"$CLUSTER/data/postmaster.pid"
  kill -INT "$SERVER"
  eventually has_ended "$SERVER"
  start_postgres "$@"
}

setup() {
  CONNECTION_URL=$(url_of cruddur)
  export CONNECTION_URL
  undo=()                           # commands that teardown evaluates, the last one first
  before_server=() before_doctor=() # commands that run the server or db-doctor elsewhere
  server_environment=()
  unset BACKGROUND
}

teardown() {
  local index
  stop_background
  for ((index = ${#undo[@]} - 1; index >= 0; index--)); do
    eval "${undo[index]}"
  done
}

# url_of LOGIN [DATABASE]: over the socket, without a password.
url_of() { printf 'postgresql://%s@/%s?host=%s&port=%s' "$1" "${2:-well}" "$CLUSTER" "$PORT"; }

# tcp_url PASSWORD [PARAMETERS]
tcp_url() { printf 'postgresql://cruddur:%s@localhost:%s/well?%s' "$(encode "$1")" "$PORT" "${2:-}"; }

here() { sql well "$1"; }

# with NAME VALUE: changes a setting of the server, for this test.
with() {
  sql postgres "alter system set $1 = '$2'"
  undo+=("without $1")
  sql postgres 'select pg_reload_conf()'
  eventually is_set "$1" "$2"
}

is_set() { [[ $(sql postgres "show $1") == "$2" ]]; }

without() {
  sql postgres "alter system reset $1"
  sql postgres 'select pg_reload_conf()'
}

# hold_room COMMAND…: ROOM enters the namespaces that the command, unshare's, makes and keeps until teardown.
hold_room() {
  start_in_background "$@"
  ROOM=(nsenter --target "$BACKGROUND" --net --mount)
  undo+=("BACKGROUND=$BACKGROUND stop_background")
  BACKGROUND=''
}

# finds LEVEL CHECK TEXT [ARGUMENT…]: db-doctor prints that line, and its exit status is that of the worst line.
finds() {
  run "${before_doctor[@]}" "$BIN/db-doctor" "${@:4}"
  echo "$output"
  [[ $output != *canary* ]]
  grep -qE "^$1 +$2 " <<<"$output"
  [[ $output == *"$3"* ]]
  case $1 in
    problem) ((status == 2)) ;;
    *) ((status >= 1)) ;;
  esac
}

# finds_only LEVEL CHECK TEXT [ARGUMENT…]: the same, and all other lines are ok.
finds_only() {
  finds "$@"
  [[ $(grep -vc '^ok ' <<<"$output") == 1 ]]
}

@test "all is well: every check says so, as lines and as JSON" {
  needs pg_dump
  CONNECTION_URL=$(url_of cruddur_owner) "$BIN/db-backup" "$BATS_TEST_TMPDIR"
  run -0 "$BIN/db-doctor" --backups "$BATS_TEST_TMPDIR"
  echo "$output"
  [[ $(grep -c '^ok ' <<<"$output") == "${#lines[@]}" ]]
  ((${#lines[@]} >= 25))
  [[ $output == *"cruddur on $CLUSTER, port $PORT, database well"* ]]
  run -0 "$BIN/db-doctor" --json --backups "$BATS_TEST_TMPDIR"
  /usr/bin/python3 -c 'import json, sys
said = json.loads(sys.argv[1])
assert said["level"] == "ok" and len(said["checks"]) >= 25, said
assert all(check.keys() == {"check", "level", "found", "advice"} for check in said["checks"])' "$output"
}

@test "a port where nothing listens" {
  CONNECTION_URL=postgresql://cruddur:canary@127.0.0.1:1/well
  finds_only problem connection 'Connection refused'
  [[ $output == *'the server is not running, or listens on another port or address'* ]]
  run -2 "$BIN/db-doctor" --json
  [[ $output == '{"level":"problem","checks":[{"check":"connection","level":"problem","found":"connection to server at \"127.0.0.1\"'* ]]
}

@test "a name that does not exist, and a socket that does not" {
  CONNECTION_URL=postgresql://cruddur@nowhere.invalid/well finds_only problem connection 'the name is unknown here'
  CONNECTION_URL="postgresql://cruddur@/well?host=$BATS_TEST_TMPDIR" finds_only problem connection 'its unix_socket_directories are elsewhere'
}

@test "a server that never answers" {
  silent_server_start
  undo+=(silent_server_stop)
  PGCONNECT_TIMEOUT=2 CONNECTION_URL=postgresql://cruddur@127.0.0.1:$SILENT/well finds_only problem connection 'security group in between (rds-update-sg-rule)'
}

@test "a wrong password is not shown" {
  CONNECTION_URL=$(tcp_url canary) finds_only problem connection 'password authentication failed'
  [[ $output == *'the password is not the one the server has'* ]]
}

@test "a database, a login and a right that are missing" {
  CONNECTION_URL=$(url_of cruddur none) finds_only problem connection 'db-create makes the database'
  CONNECTION_URL=$(url_of none) finds_only problem connection 'db-roles makes the logins'
  CONNECTION_URL=$(url_of stranger) finds_only problem connection 'the login may not connect to this database'
}

@test "a login that has used up its sessions, and one that is about to" {
  undo+=("sql postgres 'alter role cruddur connection limit 80'")
  sql postgres 'alter role cruddur connection limit 0'
  finds_only problem connection 'too many connections for role "cruddur"'
  sql postgres 'alter role cruddur connection limit 1'
  finds problem sessions ', 1 of 1 of this login'
}

@test "one of two servers that is down, and both" {
  CONNECTION_URL="postgresql://cruddur@/well?host=$CLUSTER,$CLUSTER&port=1,$PORT" finds_only warning hosts "$CLUSTER: the primary"
  CONNECTION_URL="host=$CLUSTER,$CLUSTER port=$PORT,1 user=cruddur dbname=well" finds_only warning hosts "$CLUSTER: the primary"
  CONNECTION_URL="postgresql://cruddur@/well?host=$CLUSTER,$CLUSTER&port=1,2" finds problem connection 'unix_socket_directories are elsewhere'
}

@test "TCP without TLS, with TLS that is not verified, with another authority, and as it should be" {
  local word='canary%/word'
  CONNECTION_URL=$(tcp_url "$word" sslmode=disable) finds_only warning tls 'not encrypted, on the loopback interface: set sslmode=verify-full'
  mkdir "$BATS_TEST_TMPDIR/tls"
  cd "$BATS_TEST_TMPDIR/tls"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout server.key -subj /CN=localhost -days 2 -out server.crt
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout other.key -subj /CN=localhost -days 2 -out other.crt
  install -m 600 server.key server.crt "$CLUSTER/data"
  [[ $EUID != 0 ]] || chown postgres "$CLUSTER/data/"server.{key,crt}
  with ssl on
  CONNECTION_URL=$(tcp_url "$word" sslmode=require) finds_only warning tls 'any server could have answered (sslmode=require)'
  CONNECTION_URL=$(tcp_url "$word" "sslmode=verify-full&sslrootcert=$PWD/other.crt") finds_only problem connection 'certificate verify failed'
  CONNECTION_URL=$(tcp_url "$word" "sslmode=verify-full&sslrootcert=$PWD/server.crt") run -0 "$BIN/db-doctor"
  [[ $output == *'encrypted, and the server is verified'* ]]
}

@test "a login that is too strong: a superuser, the owner, one that may create roles and bypass row security, a member of the owner" {
  CONNECTION_URL=$(socket_url well) finds problem login 'postgres is a superuser'
  CONNECTION_URL=$(url_of cruddur_owner) finds_only warning login 'cruddur_owner may create databases, owns tables, may create tables'
  CONNECTION_URL=$(url_of strong) finds_only warning login 'strong may create roles, bypasses row security'
  CONNECTION_URL=$(url_of heir) finds_only warning login "heir is a member of the tables' owner"
}

@test "a schema that is behind, ahead, or missing" {
  undo+=("here 'delete from applied_migrations where number = 9999'")
  here "insert into applied_migrations values (9999, 'later', 'x')"
  finds_only problem schema 'at migration 9999, ahead of '
  here 'create table kept as select * from applied_migrations where number < 9999 order by number desc limit 1'
  undo+=("here 'insert into applied_migrations table kept;drop table kept'")
  here 'delete from applied_migrations where number >= (select number from kept)'
  finds_only problem schema ': db-backup, then db-migrate'
  sql postgres 'create database nothing owner cruddur_owner'
  undo+=("sql postgres 'drop database nothing'")
  CONNECTION_URL=$(url_of cruddur_owner nothing) finds problem schema 'there are no tables of Cruddur'
}

@test "production that is not marked" {
  PROD_CONNECTION_URL=$CONNECTION_URL finds warning environment 'not marked as production' prod
  here "insert into environment values ('production')"
  undo+=("here 'delete from environment'")
  PROD_CONNECTION_URL=$CONNECTION_URL run -0 "$BIN/db-doctor" prod
}

@test "a disabled trigger, and an invalid index" {
  here 'alter table likes disable trigger all'
  undo+=("here 'alter table likes enable trigger all'")
  finds_only problem triggers 'disabled: likes'
  here 'alter table likes enable trigger all'
  here "update pg_index set indisvalid = false where indexrelid = 'likes_pkey'::regclass"
  undo+=('here "update pg_index set indisvalid=true where indexrelid='\''likes_pkey'\''::regclass"')
  finds_only warning indexes '1 invalid: likes_pkey'
}

@test "another encoding" {
  sql postgres "create database ascii encoding 'SQL_ASCII' locale 'C' template template0 owner cruddur_owner"
  undo+=("sql postgres 'drop database ascii'")
  CONNECTION_URL=$(url_of cruddur_owner ascii) finds problem encoding 'the database is in SQL_ASCII'
}

@test "another time zone" {
  sql postgres "alter role cruddur set timezone = 'Asia/Kathmandu'"
  undo+=("sql postgres 'alter role cruddur reset timezone'")
  finds_only warning time_zone 'sessions begin with Asia/Kathmandu'
}

# set_clock SECONDS: puts the server's clock ahead by that much. The server's processes read the file each time.
set_clock() {
  printf '%+d\n' "$1" >"$CLUSTER/offset.new"
  chmod 644 "$CLUSTER/offset.new"
  mv "$CLUSTER/offset.new" "$CLUSTER/offset"
}

@test "clocks that differ" {
  local library
  library=$(compgen -G '/usr/lib/*/faketime/libfaketime.so.1') || skip 'libfaketime is missing'
  server_environment=(LD_PRELOAD="$library" FAKETIME_TIMESTAMP_FILE="$CLUSTER/offset" FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1
    FAKETIME_DONT_RESET=1)
  undo+=(restart 'server_environment=()')
  set_clock -3
  restart
  finds_only warning clock "s behind this machine's"
  set_clock 60
  finds_only problem clock "s ahead of this machine's"
  set_clock 0
  run -0 "$BIN/db-doctor"
}

@test "more workers than the login or the server has sessions for" {
  finds_only problem pool 'the service wants up to 83 sessions; there are 80 for this login' --workers 26
  run -0 "$BIN/db-doctor" --workers 25
  finds_only problem pool 'the service wants up to 160 sessions' --workers 25 --machines 2
  CONNECTION_URL="postgresql://cruddur@/well?host=$CLUSTER,$CLUSTER&port=$PORT" finds_only problem pool 'wants up to 84 sessions' --workers 26
  READ_CONNECTION_URL=$CONNECTION_URL finds problem pool 'wants up to 85 sessions' --workers 26
  CRUDDUR_HOOK_SECRET_FILE=/secret finds_only problem pool 'wants up to 110 sessions' --workers 26
  CRUDDUR_HOOK_SECRET_FILE=/secret CRUDDUR_HOOK_CONNECTION_URL_FILE=/url finds_only problem pool 'wants up to 83 sessions' --workers 26
}

is_idle() { [[ $(sql well "select count(*) from pg_stat_activity where state = 'idle in transaction'") == 1 ]]; }
waits() { [[ $(sql well 'select count(*) from pg_locks where not granted and waitstart is not null') == 1 ]]; }

@test "a session that is idle in a transaction, and one that waits for its lock" {
  start_in_background bash -c '{ echo "begin; lock likes;"; sleep 3600; } | psql --no-psqlrc --quiet --dbname "$1"' bash "$(url_of cruddur_owner)"
  eventually is_idle
  CONNECTION_URL=$(url_of cruddur_owner) finds warning transactions 'idle in a transaction for more than 0 s: ' --patience 0
  run -0 "$BIN/db-doctor"
  HOLDER=$BACKGROUND
  undo+=("kill -KILL -- -$HOLDER")
  start_in_background psql --no-psqlrc --quiet --dbname "$CONNECTION_URL" --command 'table likes'
  eventually waits
  finds_only warning locks ' waits for likes, held by {' --patience 0
}

@test "dead rows that are not taken away, and no autovacuum" {
  here 'create table dead with (autovacuum_enabled = off) as select generate_series(1, 10001) n'
  undo+=("here 'drop table dead'")
  here 'delete from dead; select pg_stat_force_next_flush()'
  eventually has_dead_rows
  finds_only warning dead_rows 'dead has 10001 dead rows and 0 live ones'
  here 'drop table dead; create table dead ()'
  with autovacuum off
  finds_only warning dead_rows 'autovacuum is off'
}

has_dead_rows() { [[ $(here "select n_dead_tup from pg_stat_user_tables where relname = 'dead'") == 10001 ]]; }

@test "a purge that has not come to its end for an hour, for a day, or ever" {
  undo+=('here "update purge_progress set finished_at=now()+interval '\''1 hour'\''"')
  here "update purge_progress set finished_at = now() - interval '1 hour'"
  finds_only warning purge 'was purged 60 minutes ago'
  here "update purge_progress set finished_at = now() - interval '25 hours'"
  finds_only problem purge 'was purged 1500 minutes ago'
  here 'update purge_progress set finished_at = null'
  finds_only problem purge 'no purge has ever come to its end'
}

@test "no backup, an old one, and no room for the next" {
  local folder=$BATS_TEST_TMPDIR/backups
  mkdir "$folder"
  finds_only problem backup 'has no backup of well' --backups "$folder"
  printf '# database well\n# made %s\n' "$(date --utc --date '30 hours ago' +%FT%TZ)" >"$folder/x.dump.sha256"
  finds_only problem backup 'has no backup of well' --backups "$folder"
  touch "$folder/x.dump"
  finds_only warning backup "the newest is $folder/x.dump, 30 hours old" --backups "$folder"
  sed -i "s/^# made.*/# made $(date --utc --date '8 days ago' +%FT%TZ)/" "$folder/x.dump.sha256"
  finds_only problem backup '192 hours old' --backups "$folder"
  printf '# database well\n# made %s\n' "$(date --utc +%FT%TZ)" >"$folder/x.dump.sha256"
  truncate --size 1E "$folder/x.dump" 2>/dev/null || truncate --size 15T "$folder/x.dump"
  finds_only warning backup_space 'MB are free in' --backups "$folder"
}

@test "a public address of the server, and private ones" {
  unshare --net --mount true 2>/dev/null || skip 'a network of its own takes root'
  cp -p "$CLUSTER/data/pg_hba.conf" "$BATS_TEST_TMPDIR"
  undo+=(restart "cp -p $BATS_TEST_TMPDIR/pg_hba.conf $CLUSTER/data" 'before_server=()')
  echo 'host well cruddur samehost scram-sha-256' >>"$CLUSTER/data/pg_hba.conf"
  printf '%s\n' '203.0.113.7 public.example' 'fd00::1 public.example' '10.1.2.3 private.example' 'fd00::1 private.example' >"$BATS_TEST_TMPDIR/hosts"
  hold_room unshare --net --mount sh -c 'ip link set lo up && ip address add 203.0.113.7 dev lo && ip address add 10.1.2.3 dev lo &&
    ip address add fd00::1 dev lo && mount --bind "$1" /etc/hosts && exec sleep infinity' sh "$BATS_TEST_TMPDIR/hosts"
  eventually "${ROOM[@]}" grep -q private.example /etc/hosts
  before_doctor=("${ROOM[@]}") before_server=("${ROOM[@]}")
  restart -c listen_addresses=203.0.113.7,10.1.2.3,fd00::1
  CONNECTION_URL=$(tcp_url 'canary%/word' sslmode=disable)
  CONNECTION_URL=${CONNECTION_URL/localhost/public.example} finds warning exposure 'the server has a public address: 203.0.113.7'
  CONNECTION_URL=${CONNECTION_URL/localhost/private.example} finds_only problem tls 'not encrypted'
}

@test "commits that are not on the disk" {
  with fsync off
  finds_only problem durability 'fsync is off'
  with full_page_writes off
  finds_only problem durability 'full_page_writes is off'
  without fsync
  without full_page_writes
  sql postgres 'alter role cruddur set synchronous_commit = off'
  undo+=("sql postgres 'alter role cruddur reset synchronous_commit'")
  eventually is_set fsync on
  eventually is_set full_page_writes on
  finds_only problem durability 'synchronous_commit is off'
  sql postgres 'alter role cruddur reset synchronous_commit'
  here 'alter table reposts set unlogged'
  undo+=("here 'alter table reposts set logged'")
  finds_only problem durability 'reposts is unlogged'
}

@test "passwords as MD5" {
  with password_encryption md5
  finds_only warning passwords 'new passwords are stored as md5'
}

@test "a statement_timeout of the role that ends the scripts" {
  undo+=("sql postgres 'alter role cruddur reset statement_timeout'")
  sql postgres 'alter role cruddur set statement_timeout = 4999'
  finds_only warning timeout 'set statement_timeout to 4999 ms'
  sql postgres 'alter role cruddur set statement_timeout = 5000'
  run -0 "$BIN/db-doctor"
}

@test "a login that may only read" {
  sql postgres 'alter role cruddur set default_transaction_read_only = on'
  undo+=("sql postgres 'alter role cruddur reset default_transaction_read_only'")
  finds_only problem primary 'sessions of this login are read only'
}

@test "a slot without a reader, and a synchronous standby that is not there" {
  sql postgres "select pg_create_physical_replication_slot('left', true)"
  undo+=('sql postgres "select pg_drop_replication_slot('\''left'\'')"')
  finds_only warning replication 'slot left has no reader and keeps '
  with synchronous_standby_names gone
  finds_only problem replication 'no such standby is there, so commits wait for ever'
}

streams() { [[ $(sql postgres "select count(*) from pg_stat_replication where state = 'streaming'") == 1 ]]; }

@test "a standby that is far behind" {
  needs pg_receivewal
  mkdir "$BATS_TEST_TMPDIR/wal"
  start_in_background pg_receivewal --host "$CLUSTER" --port "$PORT" --username postgres --directory "$BATS_TEST_TMPDIR/wal"
  eventually streams
  kill -STOP -- "-$BACKGROUND"
  sql postgres 'grant pg_monitor to cruddur'
  undo+=("sql postgres 'revoke pg_monitor from cruddur'")
  for _ in 1 2 3; do
    sql postgres "select pg_logical_emit_message(false, 'x', 'y'); select pg_switch_wal()"
  done
  finds warning replication 'standby pg_receivewal is '
}

# start_replica: starts a replica of the server; leaves its folder in REPLICA and its URL in READ_CONNECTION_URL.
start_replica() {
  REPLICA=$CLUSTER/replica
  mkdir "$REPLICA"
  [[ $EUID != 0 ]] || chown postgres "$REPLICA"
  (exec_server pg_basebackup --host "$CLUSTER" --port "$PORT" --username postgres --checkpoint fast --no-sync --write-recovery-conf --pgdata "$REPLICA/data")
  (exec_server pg_ctl start --silent --pgdata "$REPLICA/data" --log "$REPLICA/log" --options "-k $REPLICA -p $PORT -c listen_addresses=") 3>&-
  undo+=('rm -rf "$REPLICA"' '(exec_server pg_ctl stop --silent --mode immediate --pgdata "$REPLICA/data")')
  export READ_CONNECTION_URL="postgresql://cruddur@/well?host=$REPLICA&port=$PORT"
}

on_replica() { "$PROGRAMS/psql" --no-psqlrc --quiet --tuples-only --no-align --host "$REPLICA" --port "$PORT" --username postgres --dbname well --command "$1"; }

@test "the replicas of READ_CONNECTION_URL: one that can be used, one that is far behind, the primary, and none" {
  needs pg_basebackup
  start_replica
  run -0 "$BIN/db-doctor"
  [[ $output == *"ok       replicas      $REPLICA: a replica, 0 MB behind"* ]]
  READ_CONNECTION_URL="postgresql://cruddur@/well?host=$REPLICA,$CLUSTER&port=$PORT" run -0 "$BIN/db-doctor"
  [[ $output == *"$REPLICA: a replica, 0 MB behind; $CLUSTER: a primary, which is no replica"* ]]
  READ_CONNECTION_URL="postgresql://cruddur@/well?host=$BATS_TEST_TMPDIR,$REPLICA&port=$PORT" finds_only warning replicas ": the primary runs the reads that the others do not"
  READ_CONNECTION_URL=$(url_of cruddur) finds_only problem replicas "$CLUSTER: a primary, which is no replica: no read runs on a replica"
  on_replica 'select pg_wal_replay_pause()'
  for _ in 1 2; do
    sql postgres "select pg_logical_emit_message(false, 'x', 'y'); select pg_switch_wal()"
  done
  finds problem replicas ': a replica, 3' # MB: two files, and the used part of the first
  on_replica 'select pg_wal_replay_resume()'
  (exec_server pg_ctl promote --silent --pgdata "$REPLICA/data")
  finds_only problem replicas "$REPLICA: a primary, which is no replica"
}

@test "a replica of another cluster" {
  REPLICA=$CLUSTER/other
  mkdir "$REPLICA"
  [[ $EUID != 0 ]] || chown postgres "$REPLICA"
  (exec_server initdb --no-sync --username cruddur --auth trust --pgdata "$REPLICA/data" >/dev/null)
  (exec_server pg_ctl start --silent --pgdata "$REPLICA/data" --log "$REPLICA/log" --options "-k $REPLICA -p $PORT -c listen_addresses=") 3>&-
  undo+=('rm -rf "$REPLICA"' '(exec_server pg_ctl stop --silent --mode immediate --pgdata "$REPLICA/data")')
  READ_CONNECTION_URL="postgresql://cruddur@/postgres?host=$REPLICA&port=$PORT" finds_only problem replicas 'a server of another cluster'
}

@test "a replica; and a server that listens everywhere and lets everyone in" {
  CONNECTION_URL=$(socket_url well)
  cp -p "$CLUSTER/data/pg_hba.conf" "$BATS_TEST_TMPDIR"
  undo+=(restart "cp -p $BATS_TEST_TMPDIR/pg_hba.conf $CLUSTER/data" "rm -f $CLUSTER/data/standby.signal")
  echo 'host nothing stranger 0.0.0.0/0 trust' >>"$CLUSTER/data/pg_hba.conf"
  cp -p "$CLUSTER/data/PG_VERSION" "$CLUSTER/data/standby.signal" # -p keeps the owner
  restart -c 'listen_addresses=*'
  finds problem primary 'this is a replica, which takes no writes'
  [[ $output =~ problem' '+exposure' '+'pg_hba.conf lets every address in, line '[0-9]+', without a password' ]]
}

# fill PERCENT: fills the disk that far, by one more file.
fill() {
  local size used
  read -r size used < <("${ROOM[@]}" df --block-size=1 --output=size,used "$DISK" | tail -n 1)
  "${ROOM[@]}" fallocate --length $((size * $1 / 100 - used - 65536)) "$DISK/$1" # df rounds up
}

@test "a disk that is nearly full" {
  needs pg_basebackup
  unshare --net --mount true 2>/dev/null || skip 'mounting takes root'
  DISK=$CLUSTER/disk
  mkdir "$DISK"
  hold_room unshare --net --mount sh -c 'mount -t tmpfs -o size=256m tmpfs "$1" && exec sleep infinity' sh "$DISK"
  eventually "${ROOM[@]}" mountpoint --quiet "$DISK"
  [[ $EUID != 0 ]] || "${ROOM[@]}" chown postgres "$DISK"
  before_doctor=("${ROOM[@]}") before_server=("${ROOM[@]}")
  (exec_server pg_basebackup --host "$CLUSTER" --port "$PORT" --username postgres --checkpoint fast --no-sync --pgdata "$DISK/data")
  (exec_server pg_ctl start --silent --pgdata "$DISK/data" --log "$DISK/log" --options "-k $DISK -p $PORT -c listen_addresses=") 3>&-
  undo+=('(exec_server pg_ctl stop --silent --mode immediate --pgdata "$DISK/data")')
  CONNECTION_URL="postgresql://postgres@/well?host=$DISK&port=$PORT"
  "${ROOM[@]}" "$PROGRAMS/psql" --no-psqlrc --quiet --dbname "$CONNECTION_URL" --command checkpoint
  fill 93
  finds warning disk "93 % of the disk of $DISK/data are in use"
  fill 98
  finds problem disk "98 % of the disk of $DISK/data are in use"
}

# Debian has no PostgreSQL of another version, so the bound is raised instead, in a copy of the scripts.
@test "a server that is too old" {
  cp -R "$BIN" "$BIN/../sql" "$BATS_TEST_TMPDIR"
  sed -i 's/^readonly OLDEST=150000 /readonly OLDEST=990000 /' "$BATS_TEST_TMPDIR/bin/lib/doctor.sh"
  BIN=$BATS_TEST_TMPDIR/bin finds_only problem version 'Cruddur needs 15 or later'
}

@test "what this login may not ask is a warning, and a session that is lost a problem" {
  CONNECTION_URL=$(url_of cruddur_hook) finds warning purge 'could not be asked: permission denied for table purge_progress'
  start_in_background bash -c '{ echo "begin; lock purge_progress;"; sleep 3600; } | psql --no-psqlrc --quiet --dbname "$1"' bash "$(url_of cruddur_owner)"
  undo+=("BACKGROUND=$BACKGROUND stop_background")
  eventually is_idle
  # db-doctor waits for the lock for two seconds, and its session is ended meanwhile.
  start_in_background psql --no-psqlrc --quiet --dbname "$(socket_url postgres)" --command "do \$\$
    begin
      loop
        perform pg_terminate_backend(pid) from pg_stat_activity where application_name = 'db-doctor' and wait_event_type = 'Lock';
        exit when found;
        perform pg_stat_clear_snapshot(), pg_sleep(0.01);
      end loop;
    end
    \$\$"
  finds problem connection 'the session was lost: '
  [[ $output == *'terminating connection due to administrator command'* ]]
}

@test "misuse is status 2" {
  for arguments in --backups '--backups /none' '--workers 0' '--workers 257' '--machines 100' '--patience 86401' '--patience -1' --workers extra; do
    # shellcheck disable=SC2086 # several words on purpose
    run -2 "$BIN/db-doctor" $arguments
    [[ $output == *"Try 'db-doctor --help'."* ]]
  done
  CONNECTION_URL=postgresql:/// run -2 "$BIN/db-doctor"
  READ_CONNECTION_URL=nonsense run -2 "$BIN/db-doctor"
}

@test "the manual has every option and every check, and none besides" {
  diff <("$BIN/db-doctor" --help | grep -o -- '--[a-z][a-z-]*' | sort -u) \
    <(sed -n 's/^\.It Fl \(-[a-z-]*\)\( .*\|$\)/-\1/p' "$BIN/../man/db-doctor.8" | sort -u)
  diff <(printf '%s\n' connection hosts backup backup_space disk "$BIN"/lib/doctor/*.sql | sed 's/.*\///; s/\.sql$//' | sort) \
    <(sed -n 's/^\.It Li //p' "$BIN/../man/db-doctor.8" | sort)
  if command -v groff; then
    run -0 --separate-stderr groff -man -Tutf8 -ww "$BIN/../man/db-doctor.8"
    [[ -z $stderr ]]
  fi
}
