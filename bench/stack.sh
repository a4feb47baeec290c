# shellcheck shell=bash
# What the bench runs besides the peers: PostgreSQL with its data, pools of cruddurd, one nginx with a server for each
# subject. Made from bin/quickstart's own pieces. Sourced, never run.

# shellcheck source-path=SCRIPTDIR
source "${BASH_SOURCE[0]%/*}/../bin/lib/quickstart.sh"

BENCH=$(readlink -f "${BASH_SOURCE[0]%/*}")
readonly BENCH

# The last commit whose worker waits for the database with everything else: "our own blocking worker".
readonly BLOCKING_COMMIT=03108a5

# The daemon's setting that keeps no feed: its way to home from the database, once it has one.
# shellcheck disable=SC2034 # for bin/bench
readonly KEEPS_NO_FEED=CRUDDUR_FEED_WATCH=0

# add_subject NAME PORT ACTIONS [ACTION=PORT]…: what is measured; an action may be at another port than the others.
add_subject() {
  local name=$1 port=$2 actions=$3
  shift 3
  printf '%s\t%s\t%s\t%s\n' "$name" "$port" "$actions" "$*" >>"$dir/subjects"
}

# leave_out NAME REASON: is not measured, and the results say so.
leave_out() {
  note "without $1: $2"
  printf '%s\t%s\n' "$1" "$2" >>"$dir/left-out"
}

# free_ports NUMBER: prints so many ports that nobody listens on.
free_ports() {
  /usr/bin/python3 -B "$TOP/tests/http/ports.py" "$1"
}

# load_data DATABASE ROWS
load_data() {
  PGPASSFILE=$dir/secrets/pgpass psql --no-psqlrc -v ON_ERROR_STOP=1 --quiet --host "$sockets/db" \
    --username cruddur_owner --dbname "$1" --set rows="$2" --file "$BENCH/load.sql" || die 'the data could not be loaded'
}

# ask DATABASE SQL: as the superuser; plain rows.
ask() {
  PGPASSFILE=$dir/secrets/pgpass psql --no-psqlrc -v ON_ERROR_STOP=1 --quiet --tuples-only --no-align \
    --host "$sockets/db" --username postgres --dbname "$1" --command "$2"
}

# make_small_database: cruddur_small, a second database with a thousand activities.
make_small_database() {
  sed 's,/cruddur?,/cruddur_small?,' "$dir/secrets/owner-url" | private small-owner-url
  sed 's,/cruddur?,/cruddur_small?,' "$dir/secrets/app-url" | private small-app-url
  own "$WEB_USER" "$dir/secrets/small-app-url"
  if [[ -z $(ask postgres "select 1 from pg_database where datname = 'cruddur_small'") ]]; then
    local -x CONNECTION_URL_FILE=$dir/secrets/small-owner-url
    if ! "$TOP/bin/db-create" || ! "$TOP/bin/db-schema-load"; then
      die 'the small database could not be made'
    fi
  fi
  load_data cruddur_small 1000
}

# make_pool NAME BUILD [URL]: room for another pool, with the programs of the folder BUILD/root; URL: a file in secrets.
make_pool() {
  local room=$dir/pools/$1
  mkdir -p "$room/log" "$room/pids" "$room/nginx" "$room/secrets" "$sockets/$1/web"
  own "$WEB_USER" "$sockets/$1/web"
  [[ $room -ef $2 ]] || ln -sfn "$2/root" "$room/root"
  cp -p "$dir/secrets/${3:-app-url}" "$room/secrets/app-url"
  cp -p "$dir/secrets/hook-url" "$room/secrets/"
  pools+=("$1")
}

# start_another_pool NAME WORKERS [SETTING=VALUE…]: of this checkout's build, just as quickstart's own.
start_another_pool() {
  # shellcheck disable=SC2034 # for start_pool
  local workers=$2 sockets=$sockets/$1 dir=$dir/pools/$1
  (($# == 2)) || local -x "${@:3}"
  start_pool
}

# start_blocking_pool NAME WORKERS: as the quickstart of its time started it.
start_blocking_pool() {
  in_blocking_checkout start_pool "$2" "$dir/pools/$1" "$sockets/$1"
}

# in_blocking_checkout FUNCTION WORKERS DIR SOCKETS: calls a function of the older quickstart.sh. The two versions cannot
# be in one shell.
in_blocking_checkout() {
  # shellcheck disable=SC2016 # expanded over there
  env --unset CRUDDUR_POSTS_PER_HOUR --unset CRUDDUR_REPEAT_WINDOW bash -c '
    set -euo pipefail
    source "$1/bin/lib/quickstart.sh"
    workers=$3 dir=$4 sockets=$5 lock=$6
    "$2"' bash "$dir/pools/blocking/checkout" "$@" "${lock:-}"
}

# build_blocking: from this repository's history.
build_blocking() {
  local room=$dir/pools/blocking
  mkdir -p "$room/log"
  if [[ ! -x $room/root/usr/local/sbin/cruddurd ]]; then
    heading "building our own blocking worker, $BLOCKING_COMMIT (log: $room/log/build.log)"
    rm -rf "$room/checkout"
    mkdir "$room/checkout"
    git -c safe.directory='*' -C "$TOP" archive "$BLOCKING_COMMIT" | tar --extract --directory "$room/checkout" \
      && in_blocking_checkout build 1 "$room" "$sockets" || return
  fi
  modernize_statements "$room/root/usr/local/share/cruddur/sql/activities"
}

# modernize_statements FOLDER: the same work for the database as ours, without parameters that that worker doesn't know: no limit, no
# deadline and no repeat window of a write. Its home and its page of an activity stay as they were, since the results had another form.
modernize_statements() {
  sed -E '/^--/!{s/%\((most|window_s)\)s/0/g; s/%\(not_after\)s/4611686018427387904/g}' "$TOP/sql/activities/create.sql" >"$1/create.sql"
}

stop_pool() {
  local dir=$dir/pools/$1
  stop_server cruddurd TERM
}

# write_server NAME PORT PASS [LINE…]: the site's include, passed to NAME by PASS ("fastcgi_pass NAME" or "proxy_pass
# http://NAME") instead of to the pool; LINE: further lines of the server block. Written to stdout.
write_server() {
  sed "s,fastcgi_pass cruddurd;,$3;," "$dir/nginx/cruddur.conf" >"$dir/nginx/cruddur-$1.conf"
  printf 'server {\n    listen 127.0.0.1:%s backlog=1024;\n    server_name _;\n    include cruddur-%s.conf;\n' "$2" "$1"
  ((${#@} == 3)) || printf '    %s\n' "${@:4}"
  printf '}\n'
}

write_upstream() {
  printf 'upstream %s {\n    server unix:%s;\n    keepalive 64;\n}\n' "$1" "$2"
}

# write_pool_server NAME PORT
write_pool_server() {
  write_upstream "$1" "$sockets/$1/web/cruddurd.sock"
  printf 'upstream %s_events {\n    server unix:%s;\n}\n' "$1" "$sockets/$1/web/cruddurd.sock"
  sed "s,fastcgi_pass cruddurd_events;,fastcgi_pass $1_events;," "$dir/nginx/events.conf" >"$dir/nginx/events-$1.conf"
  write_server "$1" "$2" "fastcgi_pass $1" "include events-$1.conf;"
}

# write_http_server NAME PORT: keep-alive to a peer that speaks HTTP, with the buffers that the pools have.
write_http_server() {
  # shellcheck disable=SC2016 # nginx's variable
  # shellcheck disable=SC2016 # nginx's variable
  local host='proxy_set_header Host $host;'
  write_upstream "$1" "$sockets/$1/peer.sock"
  write_server "$1" "$2" "proxy_pass http://$1" "$host" 'proxy_http_version 1.1;' 'proxy_set_header Connection "";' \
    'proxy_buffer_size 16k;' 'proxy_buffers 40 8k;' 'proxy_read_timeout 5s;'
}

# write_php_server NAME PORT SCRIPT: a connection that stays would keep a child of PHP-FPM for itself.
write_php_server() {
  write_upstream "$1" "$sockets/$1/peer.sock"
  write_server "$1" "$2" "fastcgi_pass $1" "fastcgi_param SCRIPT_FILENAME $3;"
  sed -i 's/fastcgi_keep_conn on;/fastcgi_keep_conn off;/' "$dir/nginx/cruddur-$1.conf"
}

# write_nginx_server NAME PORT PATH: nginx's own answers: the constant by return, the file home.json for PATH. With the
# headers that cruddurd sends.
write_nginx_server() {
  # shellcheck disable=SC2016 # nginx's variable
  local headers='add_header X-Request-Id $cruddur_request_id; add_header X-Content-Type-Options nosniff;'
  headers+=' add_header Cache-Control no-store; default_type application/json;'
  write_server "$1" "$2" 'return 404' \
    "location = /api/health-check { $headers return 200 '{\"success\":true,\"ver\":1}'; }" \
    "location = ${3%%\?*} { $headers types {} sendfile on; tcp_nopush on; alias $dir/nginx/home.json; }"
}

# make_room_for_streams: nginx takes two connections for each.
make_room_for_streams() {
  sed -i -e 's/worker_connections [0-9]*;/worker_connections 16384;/' "$dir/nginx/nginx.conf"
}

reload_nginx() {
  kill -s HUP "$(<"$dir/pids/nginx")"
}

# add_servers: quickstart's nginx.conf with the servers of stdin beside its own; its log is written, but kept nowhere.
add_servers() {
  cat >"$dir/nginx/bench.conf"
  sed -i -e 's,access_log [^ ]*,access_log /dev/null,' -e '$s,^},    include bench.conf;\n},' "$dir/nginx/nginx.conf"
}
