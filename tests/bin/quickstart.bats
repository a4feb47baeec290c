#!/usr/bin/env bats
# bin/quickstart for real, from a copy of the checkout as a fresh clone would have it; and the README's commands.

load helpers/common
load helpers/cluster # free_port

setup_file() {
  ROOM=$(mktemp -d /tmp/cruddur-quickstart.XXXXXX)
  CLONE=$ROOM/clone
  DATA=$ROOM/data
  PORT=$(free_port)
  export ROOM CLONE DATA PORT
  chmod 755 "$ROOM"
  clone
}

teardown_file() {
  local data
  for data in "$DATA" "$ROOM"/*/data "$ROOM"/other/* "$CLONE/var"; do
    [[ ! -e $data ]] || "$CLONE/bin/quickstart" --stop --dir "$data"
    [[ ! -L $data ]] || rm -rf "$(readlink -f "$data")"
  done
  rm -rf "$ROOM"
}

# clone: what `git clone` would give after a commit of everything, so nothing that is ignored.
clone() {
  local top file
  top=$(readlink -f "$BATS_TEST_DIRNAME/../..")
  mkdir "$CLONE"
  git -c safe.directory='*' -C "$top" ls-files -z --cached --others --exclude-standard \
    | while IFS= read -r -d '' file; do
      [[ ! -e $top/$file ]] || printf '%s\0' "$file"
    done | tar --create --null --files-from=- --directory "$top" | tar --extract --directory "$CLONE"
}

quickstart() {
  "$CLONE/bin/quickstart" --no-install --dir "$DATA" --port "$PORT" "$@" 3>&-
}

# unprivileged COMMAND…: as root, as nobody.
unprivileged() {
  if ((EUID == 0)); then
    setpriv --reuid nobody --regid nogroup --clear-groups env HOME="$ROOM/other" "$@"
  else
    "$@"
  fi
}

# processes FOLDER: prints the command lines of what still runs there.
processes() {
  local file
  for file in /proc/[0-9]*/cmdline; do
    { tr '\0' ' ' <"$file"; } 2>/dev/null | grep -F -- "$1/" || true
  done
}

# comes_up: within a minute, since the start compiles.
comes_up() {
  local deadline=$((SECONDS + 60))
  until quickstart --status >/dev/null; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

home() {
  curl --fail --silent --show-error --max-time 5 "http://127.0.0.1:${1:-$PORT}/api/activities/home"
}

post() {
  curl --fail --silent --show-error --max-time 5 "http://127.0.0.1:$PORT/api/activities" \
    --header 'Content-Type: application/json' --data "{\"user_handle\":\"andrewbrown\",\"message\":\"$1\",\"ttl\":\"1-day\"}"
}

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
import socket, time
server = socket.create_server(("127.0.0.1", int(__import__("sys").argv[1])))
time.sleep(60)' "$PORT"
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

@test "--detach returns when the seed's post is there; two minutes are enough" {
  local start=$SECONDS
  run -0 quickstart --detach
  ((SECONDS - start < 120))
  [[ $output == *"http://127.0.0.1:$PORT/api/activities/home"* ]]
  echo "$output" >"$ROOM/started"
  [[ $(home) == *'This was imported as seed data!'* ]]
  run -0 quickstart --status
  [[ $output == *":$PORT" ]]
}

@test "a post comes back and is first on the next page" {
  [[ $(post 'from bats') =~ \"uuid\":\"([0-9a-f-]{36})\" ]]
  [[ $(home) == "[{\"uuid\":\"${BASH_REMATCH[1]}\""* ]]
}

@test "the page about the API that it prints is there" {
  local url
  url=$(sed -n 's/^ *API *//p' "$ROOM/started")
  run -0 curl --fail --silent --show-error --max-time 5 --dump-header - "$url"
  [[ $output == *$'\nContent-Security-Policy: default-src '* && $output == *'id="createActivity"'* ]]
  run -0 curl --fail --silent --show-error --max-time 5 --output "$BATS_TEST_TMPDIR/openapi.yaml" "$url/openapi.yaml"
  cmp "$BATS_TEST_TMPDIR/openapi.yaml" "$CLONE/doc/openapi.yaml"
}

@test "the psql line that it prints works" {
  local line
  line=$(sed -n 's/^ *database *//p' "$ROOM/started")
  [[ $line == *psql* ]]
  run -0 bash -c "$line --no-password -Atc 'select count(*) from users'"
  [[ $output == 4 ]]
}

@test "no password is on a command line or readable by others, and PostgreSQL asks for it" {
  local role
  for role in postgres cruddur_owner cruddur; do
    [[ -z $(processes_with "$(<"$DATA/secrets/$role")") ]]
  done
  [[ -z $(find "$DATA/secrets" -type f -size +0 -perm /077) ]]
  run ! env PGPASSWORD=guess psql -h "$DATA/run/db" -U cruddur cruddur -c ''
}

processes_with() {
  grep -laF -- "$1" /proc/[0-9]*/cmdline 2>/dev/null || true
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
  [[ -z $(processes "$DATA") ]]
  run -3 quickstart --status
  [[ ! -e $DATA/run ]]
}

@test "the data stay, and a second start is quick" {
  local start=$SECONDS
  run -0 quickstart --detach
  ((SECONDS - start < 20))
  [[ $(home) == *'from bats'* ]]
}

@test "after kill -9 of all three it starts again, and with the data" {
  kill -9 "$(pid_of nginx)" "$(pid_of cruddurd)" "$(pid_of postgres)"
  run -3 quickstart --status
  run -0 quickstart --detach
  [[ $(home) == *'from bats'* ]]
}

@test "a process that has the number of a dead server is not ours to stop" {
  sleep 60 3>&- &
  local stranger=$! ours
  ours=$(pid_of nginx)
  echo "$stranger" >"$DATA/pids/nginx"
  run -0 quickstart --stop
  kill -0 "$stranger"
  kill "$stranger" "$ours"
  eventually eval '[[ -z $(processes "$DATA") ]]'
}

@test "in the foreground it shows the requests, and Ctrl-C ends all of it" {
  start_in_background env --default-signal=INT "$CLONE/bin/quickstart" --no-install --dir "$DATA" --port "$PORT"
  comes_up
  home >/dev/null
  eventually grep -q /api/activities/home "$BATS_TEST_TMPDIR/background.out"
  kill -INT -- "-$BACKGROUND"
  wait "$BACKGROUND"
  BACKGROUND=''
  [[ -z $(processes "$DATA") ]]
}

@test "--stop ends one in the foreground; while that runs, a second one is refused" {
  start_in_background "$CLONE/bin/quickstart" --no-install --dir "$DATA" --port "$PORT"
  comes_up
  run -1 quickstart --detach
  [[ $output == *'--stop ends it'* ]]
  run -0 quickstart --stop
  wait "$BACKGROUND" || true
  BACKGROUND=''
  [[ -z $(processes "$DATA") ]]
}

@test "as a user in a folder with blanks and a long name, beside another one, workers and identity as asked for" {
  local other
  other="$ROOM/other/ä b, c $(printf '%070d' 0)"
  mkdir "$ROOM/other"
  ((EUID != 0)) || chown nobody "$ROOM/other"
  run -0 quickstart --detach
  local port
  port=$(free_port)
  run -0 unprivileged "$CLONE/bin/quickstart" --no-install --detach --dir "$other" --port "$port" --workers 2 \
    --identity token 3>&-
  [[ $(home "$port") == *seed* && $(home) == *'from bats'* ]]
  PORT=$port run ! post 'without a token'
  [[ $output == *401* ]]
  [[ $(processes "$other" | grep -c -- '--workers 2') -ge 2 ]]
  run -0 unprivileged "$CLONE/bin/quickstart" --stop --dir="$other"
  [[ -z $(processes "$other") && $(home) == *seed* ]]
}

@test "as root in a folder that only root can enter: it lies in /var/lib" {
  ((EUID == 0)) || return 0
  mkdir -m 700 "$ROOM/hidden"
  local port
  port=$(free_port)
  run -0 quickstart --detach --dir "$ROOM/hidden/data" --port "$port"
  [[ $(home "$port") == *seed* && $(readlink "$ROOM/hidden/data") == /var/lib/cruddur.* ]]
  run -0 quickstart --stop --dir "$ROOM/hidden/data"
  rm -rf "$(readlink "$ROOM/hidden/data")"
}

@test "--fresh forgets the data" {
  run -0 quickstart --stop
  run -0 quickstart --detach --fresh
  [[ $(home) == *seed* && $(home) != *'from bats'* ]]
  run -0 quickstart --stop
}

# signs_in HANDLE NAME: what dev-token --browser prints is one line, whose entries are those that Amplify looks for, and whose
# token the API takes.
signs_in() {
  run -0 --separate-stderr "$CLONE/bin/dev-token" --dir "$DATA" --browser "$1"
  [[ -z $stderr && ${#lines[@]} == 1 ]]
  /usr/bin/python3 - "$output" "$1" "$2" "http://127.0.0.1:$PORT/api/message_groups" <<'PYTHON'
import json, re, sys, urllib.request

line, handle, name, url = sys.argv[1:]
form = r'\(token => Object\.entries\((.*)\)\.forEach\(\(\[key, value\]\) => localStorage\.setItem\(key, value \?\? token\)\)\)\("([\w.-]+)"\)'
entries, token = re.fullmatch(form, line).groups()
entries = json.loads(entries)
pool, sub = "CognitoIdentityServiceProvider.cruddur-quickstart", f"mock-{handle}"
data = json.loads(entries.pop(f"{pool}.{sub}.userData"))
assert {row["Name"]: row["Value"] for row in data["UserAttributes"]} == {"sub": sub, "name": name, "preferred_username": handle}
assert entries == {
    "access_token": None, f"{pool}.LastAuthUser": sub, f"{pool}.{sub}.accessToken": None, f"{pool}.{sub}.idToken": None,
}
assert urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})).status == 200
PYTHON
}

@test "for a frontend: settings from the environment, and dev-token --browser signs a page in" {
  FRONTEND_URL=http://localhost:3000 CRUDDUR_COMPAT=week4 run -0 quickstart --detach
  run -0 curl --fail --silent --include --header 'Origin: http://localhost:3000' \
    "http://127.0.0.1:$PORT/api/activities/@andrewbrown"
  [[ $output == *'Access-Control-Allow-Origin: http://localhost:3000'* && ${lines[-1]} == '[{'* ]]
  # nginx's own errors are for it to read too, and for nobody else
  run -0 curl --silent --include --header 'Origin: http://localhost:3000' "http://127.0.0.1:$PORT/nothing"
  [[ $output == *' 404 '*'Access-Control-Allow-Origin: http://localhost:3000'* ]]
  run -0 curl --silent --include --header 'Origin: http://localhost:3001' "http://127.0.0.1:$PORT/nothing"
  [[ $output == *' 404 '* && $output != *Access-Control* ]]
  signs_in andrewbrown 'Andrew Brown'
  CONNECTION_URL_FILE=$DATA/secrets/owner-url "$CLONE/bin/db-connect" -- --quiet \
    --command "update users set display_name = E'O\\'Br\"\\\\ien\\t</b>' where handle = 'londo'"
  signs_in londo $'O\'Br"\\ien\t</b>'
  run -1 --separate-stderr "$CLONE/bin/dev-token" --dir "$DATA" --browser nobody
  [[ -z $output && $stderr == *'no user nobody'* ]]
  run -0 quickstart --stop
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

# Every ```sh block of README.md, in order, as one script in the clone; its port 8080 is one that is free here.
@test "the README's commands work and leave nothing running" {
  local script=$BATS_TEST_TMPDIR/readme
  awk '/^```sh$/ { on = 1; next } /^```/ { on = 0 } on' "$CLONE/README.md" | sed "s/\b8080\b/$PORT/g" >"$script"
  grep -q spawn-fcgi "$script"
  cd "$CLONE"
  QUICKSTART_PORT=$PORT run -0 timeout 300 bash -euo pipefail "$script" 3>&-
  [[ $output == *'This was imported as seed data!'*'"success":true'*'"display_name":"Ada Lovelace"'* ]]
  [[ $output == *'"liked":true'*'"followed":true'*'"kind":"follow"'*'"kind":"like"'*'{"unread":0}'* ]]
  [[ -z $(processes "$CLONE") ]]
}
