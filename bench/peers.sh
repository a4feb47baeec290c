# shellcheck shell=bash
# The peers: programs of other kinds that do the same work. Each has a function that prepares it (fails where it cannot be
# had here) and one that starts it, listening on $sockets/NAME/peer.sock. Sourced, never run.
#
# A peer is told by its environment: CONNECTION_URL_FILE, STATEMENTS (the folder of the shared statements), SOCKET, and
# PROCESSES and CONNECTIONS, which is for each process.

# shellcheck source-path=SCRIPTDIR
source "${BASH_SOURCE[0]%/*}/stack.sh"

# shellcheck disable=SC2034 # for bin/bench
readonly PEERS=(flask node php go kore)

# shellcheck disable=SC2034,SC2054 # for bin/bench; the commas are the list's
declare -rA PEER_ACTIONS=(
  [flask]=constant,home,show,create
  [node]=constant,home,show,create
  [php]=constant,home,show,create
  [go]=constant,home,show,create
  [kore]=constant,home,show
)

# start_peer NAME SERVER PROCESSES CONNECTIONS COMMAND…: SERVER is the program's name as the system shows it.
start_peer() {
  local room=$dir/peers/$1
  local -x CONNECTION_URL_FILE=$dir/secrets/app-url STATEMENTS=$dir/statements SOCKET=$sockets/$1/peer.sock
  local -x PROCESSES=$3 CONNECTIONS=$4
  mkdir -p "$room/log" "$room/pids" "$sockets/$1"
  own "$WEB_USER" "$sockets/$1"
  printf '%s\n' "$2" >"$room/server"
  local dir=$room
  start_server "$2" "$WEB_USER" "$room" "${@:5}"
}

stop_peer() {
  local dir=$dir/peers/$1
  [[ -e $dir/server ]] || return 0
  stop_server "$(<"$dir/server")" TERM
}

# copy_peer NAME: its sources into its room.
copy_peer() {
  mkdir -p "$dir/peers/$1"
  cp "$BENCH/peers/$1"/* "$dir/peers/$1"
}

# fill_in TEMPLATE FILE NAME=VALUE…: @NAME@ becomes VALUE.
fill_in() {
  local pair arguments=()
  for pair in "${@:3}"; do
    arguments+=(-e "s,@${pair%%=*}@,${pair#*=},")
  done
  sed "${arguments[@]}" "$1" >"$2"
}

prepare_flask() {
  /usr/bin/python3 -c 'import flask, psycopg, psycopg_pool'
}

# gunicorn's own advice is 2 × cores + 1 processes; threads let connections stay open between nginx and them.
start_flask() {
  start_peer flask gunicorn 5 2 gunicorn --chdir "$dir/peers/flask/" --bind "unix:$sockets/flask/peer.sock" --workers 5 \
    --threads 2 --keep-alive 75 --backlog 1024 --log-level warning app:app
}

# Debian has no fastify; npm takes it and pg as package-lock.json names them.
prepare_node() {
  command -v npm || {
    printf 'npm is missing\n'
    return 1
  }
  (cd "$dir/peers/node" && { [[ -d node_modules ]] || npm ci --no-audit --no-fund --ignore-scripts; })
}

start_node() {
  start_peer node node 2 4 node "$dir/peers/node/server.js"
}

prepare_php() {
  php_fpm
}

# php_fpm: prints the path of the newest.
php_fpm() {
  local newest
  newest=$(printf '%s\n' /usr/sbin/php-fpm[0-9]* | sort --version-sort | tail -n 1)
  [[ -x $newest ]] && printf '%s\n' "$newest"
}

start_php() {
  local program
  program=$(php_fpm)
  fill_in "$BENCH/peers/php/php-fpm.conf.in" "$dir/peers/php/php-fpm.conf" SOCKET="$sockets/php/peer.sock" PROCESSES=4 \
    LOG="$sockets/php/log"
  start_peer php "${program##*/}" 4 1 "$program" --nodaemonize --fpm-config "$dir/peers/php/php-fpm.conf"
}

# Debian's Go libraries lie in one GOPATH and need no network.
prepare_go() {
  local -x GOPATH=/usr/share/gocode GO111MODULE=off GOCACHE=$dir/peers/go/cache GOFLAGS=
  (cd "$dir/peers/go" && go build -o bench-go main.go)
}

start_go() {
  start_peer go bench-go 1 8 "$dir/peers/go/bench-go"
}

prepare_kore() {
  gcc -O2 -shared -fPIC -I/usr/include/kore -I"$(pg_config --includedir)" -o "$dir/peers/kore/bench.so" \
    "$dir/peers/kore/bench.c"
}

start_kore() {
  fill_in "$BENCH/peers/kore/kore.conf.in" "$dir/peers/kore/kore.conf" SOCKET="$sockets/kore/peer.sock" PROCESSES=2 \
    CONNECTIONS=4 MODULE="$dir/peers/kore/bench.so" ROOT="$sockets/kore"
  start_peer kore kore-bench 2 4 "$dir/peers/kore/kore-bench" "$dir/peers/kore/kore.conf"
}
