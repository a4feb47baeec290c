#!/usr/bin/env bats
# `make lambda`: the zip for AWS Lambda has all that the function needs, has the same bytes each time, and runs in an empty root.

load helpers/common
load helpers/build
load helpers/cluster

setup_file() {
  ROOM=$(mktemp -d "${CHECK_FOLDER:-/tmp}/cruddur-lambda.XXXXXX")
  export ROOM
  take_build "$ROOM/data"
  make_certificate
  make_bundle
}

teardown_file() { rm -rf "$ROOM"; }

make_certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=database \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$ROOM/server.key" -out "$ROOM/server.crt" 2>/dev/null
}

# make_bundle: makes $ROOM/data/build/cruddur-confirm.zip.
make_bundle() {
  rm -f "$ROOM/data/build/cruddur-confirm.zip"
  make --silent -C "$ROOM/data/build" lambda LAMBDA_DATABASE_CA="$ROOM/server.crt"
}

# unpack FOLDER: unpacks the zip there, with the modes that it has.
unpack() {
  /usr/bin/python3 - "$ROOM/data/build/cruddur-confirm.zip" "$1" <<'PYTHON'
import os, sys, zipfile

bundle = zipfile.ZipFile(sys.argv[1])
for entry in bundle.infolist():
    os.chmod(bundle.extract(entry, sys.argv[2]), entry.external_attr >> 16 & 0o777)
PYTHON
}

# start_database: with TLS and that certificate; leaves the function's URL in URL.
start_database() {
  cluster_start
  cp "$ROOM/server.crt" "$ROOM/server.key" "$CLUSTER/data"
  chmod 600 "$CLUSTER/data/server.key"
  [[ $EUID != 0 ]] || chown postgres "$CLUSTER/data/server.crt" "$CLUSTER/data/server.key"
  sql postgres 'alter system set ssl = on'
  sql postgres 'select pg_reload_conf()' >/dev/null
  CONNECTION_URL=$(socket_url users) "$BIN/db-setup" >/dev/null
  sql users "create role confirmer login password 'hush' in role cruddur_confirmation"
  URL=postgresql://confirmer:hush@127.0.0.1:$PORT/users
}

@test "it is small, has a loader, and is the same bytes again" {
  local bundle=$ROOM/data/build/cruddur-confirm.zip
  cp "$bundle" "$ROOM/first.zip"
  (($(stat -c %s "$bundle") < 10000000))
  run -0 /usr/bin/python3 -m zipfile --list "$bundle"
  [[ $output == *bootstrap* && $output == *lib/ld-linux-* && $output == *lib/libpq.so.5* && $output == *sql/hooks/confirm.sql* && $output == *ca/public.pem* ]]
  rm "$ROOM/data/build/bootstrap"
  make_bundle
  cmp "$ROOM/first.zip" "$bundle"
}

@test "it runs in an empty root, as Lambda unpacks it" {
  ((EUID == 0)) || skip 'chroot needs root'
  local root=$ROOM/root address answer
  start_database
  mkdir -p "$root/var/task"
  unpack "$root/var/task"
  printf '%s' '{"userPoolId": "us-east-1_tests", "triggerSource": "PostConfirmation_ConfirmSignUp", "request": {"userAttributes":
    {"sub": "sub-of-ada", "name": "Ada", "preferred_username": "ada", "email": "ada@example.com"}}}' >"$ROOM/event.json"
  coproc API { /usr/bin/python3 -B "$BATS_TEST_DIRNAME/../http/aws.py" <"$ROOM/event.json" 3>&-; }
  # shellcheck disable=SC2153 # API, by coproc
  read -r address <&"${API[0]}"
  (exec env -i AWS_LAMBDA_RUNTIME_API="$address" CONNECTION_URL="$URL" /usr/sbin/chroot "$root" /var/task/bootstrap >"$ROOM/log" 2>&1 3>&-) || true
  read -r -t 60 answer <&"${API[0]}" || true # the function has ended: if it has answered, the answer is there
  cat "$ROOM/log"
  cluster_stop_after "select handle from users where cognito_user_id = 'sub-of-ada'"
  [[ $answer == 'response {"userPoolId": "us-east-1_tests", '* && $found == ada ]]
  grep -q '"outcome":"ok"' "$ROOM/log"
  run ! grep -e hush -e 'ada' "$ROOM/log"
}

# cluster_stop_after STATEMENT: leaves the statement's result in found.
cluster_stop_after() {
  found=$(sql users "$1")
  cluster_stop
}
