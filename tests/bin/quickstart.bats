#!/usr/bin/env bats
# bin/quickstart for real, from a copy of the checkout as a fresh clone would have it: from nothing, stopped, started again.

load helpers/quickstart

# Other tests compile the same files with optimisation.
setup_file() {
  export CFLAGS=-O0
  make_room
}

teardown_file() { remove_room; }
teardown() { stop_background; }

pid_of() {
  cat "$DATA/pids/$1"
}

@test "--help explains, misuse is refused" {
  run -0 --separate-stderr quickstart --help
  [[ $output == Usage:* && -z $stderr ]]
  for misuse in '--bogus' 'prod' '--port 0' '--port 65536' '--port 8o' '--workers -1' '--workers x' '--identity me' '--dir' \
    '--stop --status' '--detach --stop' '--stop --fresh' '--dir='; do
    # shellcheck disable=SC2086 # several words
    run -2 --separate-stderr quickstart $misuse
    [[ -z $output && $stderr == *--help* ]]
  done
}

@test "nothing runs: --status is 3, --stop is content" {
  run -3 quickstart --status
  run -0 quickstart --stop
  [[ ! -e $DATA ]]
}

@test "a folder with other things in it is left alone, even with --fresh" {
  mkdir "$ROOM/theirs"
  echo dear >"$ROOM/theirs/file"
  run -1 quickstart --detach --fresh --dir "$ROOM/theirs"
  [[ $output == *'has other things in it'* && $(ls -A "$ROOM/theirs") == file ]]
}

@test "a port in use is named before anything is made" {
  start_in_background /usr/bin/python3 -c '
import signal, socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
signal.pause()' "$PORT"
  eventually eval '(exec 4<>/dev/tcp/127.0.0.1/$PORT) 2>/dev/null'
  run -1 quickstart --detach
  stop_background
  [[ $output == *"port $PORT is in use"* && ! -e $DATA/build && ! -e $DATA/pgdata ]]
}

@test "with --no-install a missing package is named, and nothing is installed" {
  mkdir "$BATS_TEST_TMPDIR/bin"
  printf '#!/bin/sh\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/dpkg-query"
  printf '#!/bin/sh\ntouch %s/called\n' "$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/bin/apt-get"
  cp "$BATS_TEST_TMPDIR/bin/apt-get" "$BATS_TEST_TMPDIR/bin/sudo"
  chmod +x "$BATS_TEST_TMPDIR"/bin/*
  PATH=$BATS_TEST_TMPDIR/bin:$PATH run -1 quickstart --detach
  [[ $output == *'apt-get install'*libfcgi-dev*postgresql* && ! -e $BATS_TEST_TMPDIR/called ]]
}

@test "--detach returns when the seed's post is there" {
  run -0 quickstart --detach
  [[ $output == *"http://127.0.0.1:$PORT/api/activities/home"* ]]
  echo "$output" >"$ROOM/started"
  [[ $(home) == *'This was imported as seed data!'* ]]
  run -0 quickstart --status
  [[ $output == *":$PORT" ]]
}

@test "whether it answers is asked without a proxy" {
  echo 'proxy = http://127.0.0.1:9' >"$BATS_TEST_TMPDIR/.curlrc"
  CURL_HOME=$BATS_TEST_TMPDIR run -0 quickstart --status
  http_proxy=http://127.0.0.1:9 run -0 quickstart --status
  http_proxy=http://127.0.0.1:9 run -1 quickstart --detach
  [[ $output == *'it already runs'* ]]
}

@test "a post comes back and is first on the next page" {
  [[ $(post 'from bats') =~ \"uuid\":\"([0-9a-f-]{36})\" ]]
  [[ $(home) == "[{\"uuid\":\"${BASH_REMATCH[1]}\""* ]]
}

@test "the page about the API that it prints is there" {
  local url
  url=$(sed -n 's/^ *API *//p' "$ROOM/started")
  run -0 curl --fail --silent --show-error --max-time "$PATIENCE" --dump-header - "$url"
  [[ $output == *$'\nContent-Security-Policy: default-src '* && $output == *'id="createActivity"'* ]]
  run -0 curl --fail --silent --show-error --max-time "$PATIENCE" --output "$BATS_TEST_TMPDIR/openapi.yaml" "$url/openapi.yaml"
  cmp "$BATS_TEST_TMPDIR/openapi.yaml" "$CLONE/doc/openapi.yaml"
}

@test "the psql line that it prints works" {
  local line
  line=$(sed -n 's/^ *database *//p' "$ROOM/started")
  [[ $line == *psql* ]]
  PGPORT=1 run -0 bash -c "$line --no-password -Atc 'select count(*) from users'"
  [[ $output == 4 ]]
}

@test "no password is on a command line or readable by others, and PostgreSQL asks for it" {
  local role
  for role in postgres cruddur_owner cruddur; do
    [[ -z $(processes "$(<"$DATA/secrets/$role")") ]]
  done
  [[ -z $(find "$DATA/secrets" -type f -size +0 -perm /077) ]]
  run ! env PGPASSWORD=guess psql -h "$DATA/run/db" -U cruddur cruddur -c ''
}

@test "nothing runs as root" {
  ((EUID == 0)) || return 0
  local name
  for name in postgres cruddurd nginx; do
    [[ $(stat --format=%U "/proc/$(pid_of "$name")") != root ]]
  done
}

@test "the servers are not killed with the one who started them, and --stop leaves no process" {
  run -0 quickstart --stop
  [[ -z $(processes "$DATA/") ]]
  run -3 quickstart --status
  [[ ! -e $DATA/run ]]
}

@test "the data stay, and a second start builds and installs nothing" {
  run -0 quickstart --detach
  [[ $DATA/build/cruddurd -ot $ROOM/started && $DATA/root/usr/local/sbin/cruddurd -ot $ROOM/started ]]
  [[ $(home) == *'from bats'* ]]
}

@test "after kill -9 of all three it starts again, and with the data" {
  kill -9 "$(pid_of nginx)" "$(pid_of cruddurd)" "$(pid_of postgres)"
  run -3 quickstart --status
  run -0 quickstart --detach
  [[ $(home) == *'from bats'* ]]
}

@test "a process that has the number of a dead server is not ours to stop" {
  start_in_background sleep 3600
  local ours
  ours=$(pid_of nginx)
  echo "$BACKGROUND" >"$DATA/pids/nginx"
  run -0 quickstart --stop
  kill -0 "$BACKGROUND"
  kill "$ours"
  eventually eval '[[ -z $(processes "$DATA/") ]]'
}

@test "in the foreground it shows the requests, and Ctrl-C ends all of it" {
  start_quickstart
  home >/dev/null
  eventually grep -q /api/activities/home "$BATS_TEST_TMPDIR/background.out"
  kill -INT -- "-$BACKGROUND"
  wait "$BACKGROUND"
  BACKGROUND=''
  [[ -z $(processes "$DATA/") ]]
}

@test "--stop ends one in the foreground; while that runs, a second one is refused" {
  start_quickstart
  run -1 quickstart --detach
  [[ $output == *'--stop ends it'* ]]
  run -0 quickstart --stop
  wait "$BACKGROUND" || true
  BACKGROUND=''
  [[ -z $(processes "$DATA/") ]]
}

@test "what is older than the last build is built all the same when it differs from it" {
  copied() { bash -c "source '$CLONE/bin/lib/source.sh'; copy_source '$BATS_TEST_TMPDIR/copy'"; }
  copied
  touch -d '1 hour ago' "$BATS_TEST_TMPDIR/copy/README.md"
  unchanged=$(stat --format=%Y "$BATS_TEST_TMPDIR/copy/README.md")
  printf '/* from elsewhere */\n' >>"$BATS_TEST_TMPDIR/copy/src/main.c"
  touch "$BATS_TEST_TMPDIR/built"
  copied
  [[ $(stat --format=%Y "$BATS_TEST_TMPDIR/copy/README.md") == "$unchanged" ]]
  [[ ! $BATS_TEST_TMPDIR/copy/src/main.c -ot $BATS_TEST_TMPDIR/built ]]
  cmp "$CLONE/src/main.c" "$BATS_TEST_TMPDIR/copy/src/main.c"
  [[ -x $BATS_TEST_TMPDIR/copy/bin/check && ! -e $BATS_TEST_TMPDIR/copy.new ]]
}

@test "what is no longer in the checkout leaves the copy, and what was made in the copy stays" {
  local copy=$BATS_TEST_TMPDIR/copy
  copied() { bash -c "set -o pipefail; source '$CLONE/bin/lib/source.sh'; copy_source '$copy'"; }
  mkdir "$CLONE/later"
  touch "$CLONE/later/ä b" "$CLONE/-later"
  copied
  touch "$copy/configure" "$copy/src/made"
  run -0 test -e "$copy/later/ä b" -a -e "$copy/-later"
  rm -r "$CLONE/later" "$CLONE/-later"
  touch -d '1 hour ago' "$copy/.cruddur-copied"
  touch -d '1 minute ago' "$BATS_TEST_TMPDIR/built"
  copied
  [[ ! -e $copy/later/ä\ b && ! -e $copy/-later && -e $copy/configure && -e $copy/src/made ]]
  # is_installed of lib/quickstart.sh compares times: after a removal something is newer than what was installed
  [[ -n $(find "$copy" -type f -newer "$BATS_TEST_TMPDIR/built" -name .cruddur-copied) ]]
  # of a copy without the list nobody knows what was copied
  touch "$copy/stale"
  rm "$copy/.cruddur-copied"
  copied
  [[ ! -e $copy/stale && ! -e $copy/configure && -e $copy/bin/check ]]
  diff <(find "$copy" -type f -name '*.sql' -printf '%P\n' | sort) <(cd "$CLONE" && find . -type f -name '*.sql' -printf '%P\n' | sort)
}

@test "a copy that fails half-way is an error, the first one and a later one" {
  local copy=$BATS_TEST_TMPDIR/copy tar
  tar=$(command -v tar)
  copied() { bash -c "set -euo pipefail; source '$CLONE/bin/lib/source.sh'; if ! copy_source '$copy'; then echo failed; fi"; }
  mkdir "$BATS_TEST_TMPDIR/stub"
  # shellcheck disable=SC2016 # for the stub
  printf '#!/bin/sh\n"%s" "$@"\n[ "$1" != "$TAR_FAILS" ] || exit 2\n' "$tar" >"$BATS_TEST_TMPDIR/stub/tar"
  chmod +x "$BATS_TEST_TMPDIR/stub/tar"
  for action in --create --extract; do
    TAR_FAILS=$action PATH=$BATS_TEST_TMPDIR/stub:$PATH run -0 copied
    [[ $output == *failed && ! -e $copy ]]
  done
  run -0 copied
  [[ -z $output ]]
  for action in --create --extract; do
    TAR_FAILS=$action PATH=$BATS_TEST_TMPDIR/stub:$PATH run -0 copied
    [[ $output == *failed ]]
  done
  run -0 copied
  [[ -z $output ]]
}
