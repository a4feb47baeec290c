# A private PostgreSQL server for one test file, with a socket folder and a loopback port of its own; it is removed at the end.
# A session over the socket needs no password, one over TCP does.

load helpers/ports
load helpers/shared

# cluster_start: leaves CLUSTER (folder of the socket and the data), PORT and PASSWORD (of the superuser postgres).
cluster_start() {
  CLUSTER=$(mktemp -d "${CHECK_FOLDER:-/tmp}/cruddur-bats.XXXXXX")
  PASSWORD="p@ss/cruddur:'\\% word"
  export CLUSTER PORT PASSWORD
  skip_wrappers
  take_shared cluster make_cluster "$CLUSTER/data"
  [[ $EUID != 0 ]] || chown postgres "$CLUSTER"
  for _ in 1 2 3 4 5; do # another process may take the port first
    PORT=$(free_ports 1)
    start_postgres && return
  done
  cat "$CLUSTER/log" >&2
  return 1
}

# make_cluster FOLDER: initdb runs in CLUSTER, since the server's user may be unable to enter the folder around FOLDER.
make_cluster() {
  local room=$CLUSTER/initdb
  mkdir "$room"
  printf '%s\n' "$PASSWORD" >"$room/password"
  [[ $EUID != 0 ]] || chown -R postgres "$CLUSTER"
  (exec_server initdb --no-sync --username postgres --pwfile "$room/password" --encoding UTF8 --locale C.UTF-8 \
    --auth-local trust --auth-host scram-sha-256 --pgdata "$room/data" >/dev/null)
  mv "$room/data" "$1"
  rm -r "$room"
}

# start_postgres: returns when the server takes connections; fails if the server has ended. By mmap dynamic shared memory is in files of the
# data folder, so a server that was killed leaves nothing in /dev/shm.
start_postgres() {
  (exec_server postgres -D "$CLUSTER/data" -k "$CLUSTER" -p "$PORT" -c listen_addresses=127.0.0.1 -c fsync=off -c dynamic_shared_memory_type=mmap) \
    </dev/null >>"$CLUSTER/log" 2>&1 3>&- &
  SERVER=$!
  eventually is_settled
  kill -0 "$SERVER" 2>/dev/null
}

# is_settled: the server has ended, or is ready, which PostgreSQL writes into its pid file.
is_settled() {
  ! kill -0 "$SERVER" 2>/dev/null || grep -qs '^ready' "$CLUSTER/data/postmaster.pid"
}

cluster_stop() {
  if read -r SERVER 2>/dev/null <"$CLUSTER/data/postmaster.pid"; then
    kill -QUIT "$SERVER"
    eventually has_ended "$SERVER"
  fi
  rm -rf "$CLUSTER"
}

has_ended() {
  ! kill -0 "$1" 2>/dev/null
}

# exec_server PROGRAM ARGUMENT…: executes one of PostgreSQL's programs, which refuse to be run by root. The array before_server may have
# a command that runs the program elsewhere, such as nsenter, and server_environment its variables (NAME=VALUE).
before_server=()
server_environment=()

exec_server() {
  cd /
  if [[ $EUID == 0 ]]; then
    exec "${before_server[@]}" setpriv --reuid postgres --regid postgres --init-groups -- env "${server_environment[@]}" "$PROGRAMS/$1" "${@:2}"
  fi
  exec "${before_server[@]}" env "${server_environment[@]}" "$PROGRAMS/$1" "${@:2}"
}

# needs PROGRAM: skips the test if the PostgreSQL that PGBIN names comes without it. Debian's has all programs.
needs() {
  if [[ ! -x $PROGRAMS/$1 ]]; then
    [[ -z ${PGBIN:-} ]] || skip "$PROGRAMS has no $1"
    echo "$PROGRAMS has no $1" >&2
    return 1
  fi
}

# sql DATABASE STATEMENT: runs it as the superuser, over the socket; prints rows without decoration.
sql() {
  PGOPTIONS='-c client_min_messages=warning' "$PROGRAMS/psql" --no-psqlrc --quiet --tuples-only --no-align \
    --set ON_ERROR_STOP=1 --host "$CLUSTER" --port "$PORT" --username postgres --dbname "$1" <<<"$2"
}

# socket_url DATABASE: a URL that needs no password.
socket_url() {
  printf 'postgresql://postgres@/%s?host=%s&port=%s' "$1" "$CLUSTER" "$PORT"
}

database_exists() {
  [[ $(sql postgres "select count(*) from pg_database where datname = \$\$$1\$\$") == 1 ]]
}
