#!/usr/bin/env bats
# Where `make install` puts files, at more than one prefix, and that they refer to each other there: nginx's site, Prometheus,
# the units.

load helpers/common
load helpers/build
load helpers/cluster

setup_file() {
  ROOM=$(mktemp -d "${CHECK_FOLDER:-/tmp}/cruddur-install.XXXXXX")
  chmod 755 "$ROOM"
  export ROOM
  take_build "$ROOM/data"
  configure "$ROOM/own"
  configure /usr
}

teardown_file() { rm -rf "$ROOM"; }

# configure PREFIX: also installs all but the programs, in the prefix itself or below $ROOM/staged.
configure() {
  local folder
  folder=$(mktemp -d "$ROOM/build.XXXXXX")
  (cd "$folder" && "$ROOM/data/src/configure" --quiet --prefix="$1" && make --silent install-data DESTDIR="$([[ $1 != /usr ]] || echo "$ROOM/staged")")
}

@test "nothing that is installed names another prefix" {
  run -1 grep -rn --exclude=containers.md /usr/local "$ROOM/own" "$ROOM/staged" # an image has a prefix of its own
  [[ -z $output ]]
  grep -q "include $ROOM/own/share/cruddur/nginx/cruddur.conf;" "$ROOM/own/share/cruddur/nginx/site.conf"
  grep -q 'include /usr/share/cruddur/nginx/cruddur.conf;' "$ROOM/staged/usr/share/cruddur/nginx/site.conf"
  grep -q '^ExecStart=/usr/share/cruddur/bin/db-purge$' "$ROOM/staged/usr/lib/systemd/system/cruddur-purge.service"
  grep -q '^ExecStart=/usr/share/cruddur/bin/db-backup ' "$ROOM/staged/usr/lib/systemd/system/cruddur-backup.service"
}

@test "every file that an installed one names is installed" {
  local file named
  for file in "$ROOM"/own/share/cruddur/nginx/*.conf "$ROOM"/own/lib/systemd/system/*.service; do
    while IFS= read -r named; do
      echo "$file: $named"
      [[ -e $named || $named == */sbin/cruddurd ]] # programs are not built here
    done < <(grep -oE "$ROOM/own/[A-Za-z0-9/._-]*[A-Za-z0-9]" "$file")
  done
  [[ $(sed -n '/^rule_files:/,/^scrape/s/^ *- //p' "$ROOM/own/share/cruddur/infra/prometheus/prometheus.yml") == alerts.yml ]]
  [[ -e $ROOM/own/share/cruddur/infra/prometheus/alerts.yml ]]
  [[ -e $ROOM/own/share/cruddur/infra/grafana/cruddur.json ]]
}

@test "every page of doc/ that another one links to is installed, beside it as in the checkout; doc/learn is for a checkout" {
  local page link folder=$ROOM/own/share/doc/cruddur
  for page in "$folder"/README.md "$folder"/doc/*.md; do
    while IFS= read -r link; do
      echo "$page: $link"
      [[ -e $(dirname "$page")/$link ]]
    done < <(grep -oE '\]\([A-Za-z0-9/_.-]+\.md' "$page" | cut -c 3- | grep -vE '^\.\./|^(doc/)?learn/|^(infra|bench)/')
  done
  [[ $page == */web.md ]]
}

@test "every SQL file is installed, and uninstall removes it" {
  local folder
  folder=$(mktemp -d "$ROOM/build.XXXXXX")
  cd "$folder"
  "$ROOM/data/src/configure" --quiet --prefix=/usr
  make --silent install-data DESTDIR="$ROOM/other place"
  (cd "$ROOM/data/src" && find sql bin -name '*.sql' -exec sha256sum {} + | sort) >"$ROOM/shipped"
  (cd "$ROOM/other place/usr/share/cruddur" && find sql bin -name '*.sql' -exec sha256sum {} + | sort) >"$ROOM/installed"
  grep -q sql/social/follow.sql "$ROOM/installed"
  diff "$ROOM/shipped" "$ROOM/installed"
  mkdir -p "$ROOM/other place/usr/sbin" "$ROOM/other place/usr/libexec/cruddur" # the folders of programs, which are not built here
  make --silent uninstall DESTDIR="$ROOM/other place"
  [[ -z $(find "$ROOM/other place" -type f -o -name sql) ]]
}

@test "bash-completion finds each command that is installed" {
  local command folder=$ROOM/own/share/bash-completion/completions
  diff <({ echo cruddurd && find "$ROOM/own/share/cruddur/bin" -maxdepth 1 ! -type d -printf '%f\n'; } | sort) <(find "$folder" ! -type d -printf '%f\n' | sort)
  for command in "$folder"/*; do
    [[ -r $command ]]
    grep -q "complete .*_cruddur" "$command"
  done
  # shellcheck source=bin/lib/completion.bash
  source "$folder/cruddurd"
  _cruddur "$ROOM/data/build/cruddurd" --worke cruddurd
  [[ ${COMPREPLY[*]} == --workers ]]
  _cruddur "$ROOM/data/build/cruddurd" '' --identity
  [[ ${#COMPREPLY[@]} -ge 2 ]]
}

@test "promtool and systemd-analyze take what is installed" {
  command -v promtool >/dev/null || skip 'promtool is missing'
  promtool check config "$ROOM/own/share/cruddur/infra/prometheus/prometheus.yml"
  command -v systemd-analyze >/dev/null || skip 'systemd-analyze is missing'
  run systemd-analyze verify --man=no "$ROOM"/own/lib/systemd/system/cruddur-{backup,purge}.{service,timer}
  echo "$output"
  [[ $output != *cruddur-* ]]
  # The daemon itself is not built here.
  mkdir "$ROOM/units"
  cp "$ROOM"/own/lib/systemd/system/cruddurd.* "$ROOM/units"
  sed -i 's|^ExecStart=.*|ExecStart=/bin/true|' "$ROOM/units/cruddurd.service"
  run systemd-analyze verify --man=no "$ROOM"/units/cruddurd.{service,socket}
  echo "$output"
  [[ $output != *cruddurd* ]]
}

EXPOSURE_MAX=1.5 # of systemd-analyze's 10

@test "the units of the service and of the backup leave them no right that they do not need" {
  command -v systemd-analyze >/dev/null || skip 'systemd-analyze is missing'
  grep -q "^ExecStart=$ROOM/own/sbin/cruddurd\$" "$ROOM/own/lib/systemd/system/cruddurd.service"
  grep -q "^ExecStart=$ROOM/own/share/cruddur/bin/db-backup " "$ROOM/own/lib/systemd/system/cruddur-backup.service"
  for unit in cruddurd cruddur-backup; do
    run -0 systemd-analyze security --offline=yes --threshold="${EXPOSURE_MAX/./}" "$ROOM/own/lib/systemd/system/$unit.service"
  done
}

@test "the unit of the service lets the workers restrict themselves: the system calls of --sandbox are in no group of systemd's" {
  local call
  for call in seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self; do
    grep -qE "^SystemCallFilter=([^~].* )?$call( |\$)" "$ROOM/own/lib/systemd/system/cruddurd.service"
  done
}

# The site needs the administrator's names, a certificate and a socket. It has the shipped ports, in a network namespace of its own.
write_site() {
  mkdir -p "$ROOM/site/log" "$ROOM/site/www"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=cruddur.example -days 2 \
    -keyout "$ROOM/site/privkey.pem" -out "$ROOM/site/fullchain.pem" 2>/dev/null
  sed -e "s#/etc/ssl/cruddur/#$ROOM/site/#; s#/var/www/cruddur#$ROOM/site/www#; s#/var/log/nginx/#$ROOM/site/log/#" \
    -e "s#/run/cruddur/cruddur.sock#$ROOM/site/cruddur.sock#" "$ROOM/own/share/cruddur/nginx/site.conf" >"$ROOM/site/site.conf"
  cat >"$ROOM/site/nginx.conf" <<CONF
daemon off;
pid $ROOM/site/pid;
error_log $ROOM/site/log/error.log;
user root;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  access_log off;
  $(printf '%s_temp_path '"$ROOM"'/site/%s;\n' {client_body,fastcgi,proxy,scgi,uwsgi}{,} | sort -u)
  include $ROOM/site/site.conf;
}
CONF
}

# in_site COMMAND…: runs the command in the site's network namespace.
in_site() {
  nsenter --net="/proc/$NETWORK/ns/net" "$@"
}

loopback_is_up() {
  [[ $(readlink "/proc/$NETWORK/ns/net") != "$(readlink /proc/self/ns/net)" ]] && in_site ip -brief address show lo up | grep -q 127.0.0.1
}

is_scraped() {
  in_site curl --silent 'http://127.0.0.1:9090/api/v1/query?query=up' | grep -q '"job":"cruddur"}.*"value":\[[0-9.]*,"1"\]'
}

@test "the shipped Prometheus scrapes the shipped site" {
  ((EUID == 0)) || skip 'a network of its own takes root'
  command -v prometheus >/dev/null || skip 'prometheus is missing'
  local nginx url
  nginx=$(PATH=$PATH:/usr/sbin command -v nginx)
  cluster_start
  url=$(socket_url site)
  CONNECTION_URL=$url "$BIN/db-setup"
  write_site
  CONNECTION_URL=$url start_in_background "$ROOM/data/build/cruddurd" --listen "unix:$ROOM/site/cruddur.sock" --workers 1 \
    --sql-dir "$ROOM/own/share/cruddur/sql"
  DAEMON=$BACKGROUND
  start_in_background unshare --net sh -c 'ip link set lo up && exec sleep 3600'
  NETWORK=$BACKGROUND
  eventually loopback_is_up
  start_in_background nsenter --net="/proc/$NETWORK/ns/net" "$nginx" -e stderr -c "$ROOM/site/nginx.conf"
  NGINX=$BACKGROUND
  eventually in_site curl --silent --fail --output /dev/null http://127.0.0.1:8080/metrics
  [[ $(in_site curl --silent --write-out '%{http_code}' --output /dev/null http://127.0.0.1:8080/api/activities/home) == 404 ]]
  [[ $(in_site curl --silent --insecure --resolve cruddur.example:443:127.0.0.1 https://cruddur.example/livez) == '{"success":true,"ver":1}' ]]
  run -0 in_site curl --silent --insecure --resolve cruddur.example:443:127.0.0.1 --compressed --dump-header - https://cruddur.example/@bayko
  [[ $output == *'content-encoding: gzip'* && $output == *"connect-src 'self' https://issuer.example;"* ]]
  [[ $output == *'strict-transport-security: max-age='* && $output == *'src="/web/app.js"'* ]]
  start_in_background nsenter --net="/proc/$NETWORK/ns/net" prometheus --config.file="$ROOM/own/share/cruddur/infra/prometheus/prometheus.yml" \
    --storage.tsdb.path="$ROOM/site/tsdb"
  eventually is_scraped
  run -0 in_site curl --silent http://127.0.0.1:9090/api/v1/alerts
  [[ $output != *CruddurDown* ]]
}

teardown() {
  local group
  for group in "${BACKGROUND:-}" "${NGINX:-}" "${DAEMON:-}" "${NETWORK:-}"; do
    [[ -z $group ]] || kill -KILL -- "-$group" 2>/dev/null || true
  done
  [[ -z ${CLUSTER:-} ]] || cluster_stop
}
