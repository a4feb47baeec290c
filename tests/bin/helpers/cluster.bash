# A private PostgreSQL server for one test file: a socket folder and a loopback port of its own, gone at the end.
# Over the socket nobody needs a password, over TCP everybody does.

PROGRAMS=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)

# cluster_start: leaves CLUSTER (folder of the socket and the data), PORT and PASSWORD (of the superuser postgres).
cluster_start() {
  CLUSTER=$(mktemp -d /tmp/cruddur-bats.XXXXXX)
  PASSWORD="p@ss/cruddur:'\\% word"
  export CLUSTER PORT PASSWORD
  printf '%s\n' "$PASSWORD" >"$CLUSTER/password"
  [[ $EUID != 0 ]] || chown -R postgres "$CLUSTER"
  as_server initdb --no-sync --username postgres --pwfile "$CLUSTER/password" --encoding UTF8 --locale C.UTF-8 \
    --auth-local trust --auth-host scram-sha-256 --pgdata "$CLUSTER/data" >/dev/null
  for _ in 1 2 3 4 5; do # another process may take the port first
    PORT=$(free_port)
    as_server pg_ctl --pgdata "$CLUSTER/data" --log "$CLUSTER/log" --wait --silent \
      --options "-k $CLUSTER -p $PORT -c listen_addresses=127.0.0.1 -c fsync=off" start 3>&- && return
  done
  cat "$CLUSTER/log" >&2
  return 1
}

cluster_stop() {
  as_server pg_ctl --pgdata "$CLUSTER/data" --mode immediate --wait --silent stop
  rm -rf "$CLUSTER"
}

# as_server PROGRAM ARGUMENT…: one of PostgreSQL's programs, which refuse to be run by root.
as_server() {
  if [[ $EUID == 0 ]]; then
    (cd / && runuser -u postgres -- "$PROGRAMS/$1" "${@:2}")
  else
    "$PROGRAMS/$1" "${@:2}"
  fi
}

free_port() {
  /usr/bin/python3 -B "${BASH_SOURCE[0]%/*}/../../http/ports.py" 1
}

# sql DATABASE STATEMENT: as the superuser, over the socket; rows without decoration.
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
