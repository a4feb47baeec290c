#!/usr/bin/env bash
# In a Debian that boot.sh has booted: `follow.sh prepare` makes a PostgreSQL with TLS whose master user is no superuser, and
# `follow.sh follow` follows /root/production.md word by word. The package is in /root/deb. It runs every command of the page; the steps
# that the page describes in words are in this script.
set -euo pipefail

new_password() { od -An -N 12 -t x1 /dev/urandom | tr -d ' \n'; }

# new_key FILE OPTION…: makes a key, with further options for openssl-req.
new_key() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$@" 2>/dev/null
}

# certificate FOLDER NAME: makes a key and a certificate, signed by the authority in /root/ca.
certificate() {
  new_key "$1/privkey.pem" -subj "/CN=$2" -out /root/ca/request
  openssl x509 -req -in /root/ca/request -CA /root/ca/ca.pem -CAkey /root/ca/ca.key -CAcreateserial -days 2 \
    -extfile <(echo "subjectAltName=DNS:$2") -out "$1/fullchain.pem" 2>/dev/null
}

make_certificates() {
  mkdir -p /root/ca /etc/ssl/cruddur /etc/postgresql/tls
  new_key /root/ca/ca.key -x509 -subj '/CN=Test authority' -days 2 -out /root/ca/ca.pem
  certificate /etc/ssl/cruddur cruddur.example
  certificate /etc/postgresql/tls db.example
  chown postgres /etc/postgresql/tls/privkey.pem
  cp /root/ca/ca.pem /etc/ssl/cruddur/db.pem
  echo '127.0.0.1 localhost db.example cruddur.example' >/etc/hosts
}

# start_postgresql: with the master user, and a superuser with which the tests read the database.
start_postgresql() {
  local version folder master inspector
  master=$(new_password) inspector=$(new_password)
  version=$(cd /etc/postgresql && printf '%s\n' [0-9]*)
  folder=/etc/postgresql/$version/main
  # The port is set because pg_createcluster chose another one if this one was in use when the package was installed.
  cat >>"$folder/postgresql.conf" <<'CONF'
port = 5432
ssl = on
ssl_cert_file = '/etc/postgresql/tls/fullchain.pem'
ssl_key_file = '/etc/postgresql/tls/privkey.pem'
CONF
  printf '%s\n' 'local all postgres peer' 'hostssl all all 127.0.0.1/32 scram-sha-256' >"$folder/pg_hba.conf"
  systemctl restart "postgresql@$version-main"
  (
    cd / && setpriv --reuid postgres --regid postgres --init-groups psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 <<SQL
create role master login createrole createdb password '$master';
create role inspector login superuser password '$inspector';
SQL
  )
  echo "$inspector" >/root/inspector
  echo "postgresql://master:$master@db.example/postgres?sslmode=verify-full&sslrootcert=/etc/ssl/cruddur/db.pem" >/root/master-url
}

# write_editor: makes an editor that writes the administrator's settings. The limits per hour are off: the tests write more.
write_editor() {
  cat >/usr/local/bin/editor <<'SCRIPT'
#!/bin/sh
cat >>"$1" <<'SETTINGS'
FRONTEND_URL=https://cruddur.example
BACKEND_URL=https://cruddur.example
AWS_DEFAULT_REGION=us-east-1
AWS_COGNITO_USER_POOL_ID=us-east-1_example
AWS_COGNITO_USER_POOL_CLIENT_ID=client-of-the-tests
CRUDDUR_JWKS_FILE=/var/cache/cruddur/jwks.json
CRUDDUR_WORKERS=4
CRUDDUR_POSTS_PER_HOUR=0
CRUDDUR_MESSAGES_PER_HOUR=0
CRUDDUR_REPORTS_PER_HOUR=0
CRUDDUR_REPEAT_WINDOW=0
SETTINGS
SCRIPT
  chmod 755 /usr/local/bin/editor
}

# edit_unit: writes the lines of the unit's comment, as an administrator does with `systemctl edit cruddurd` on a terminal.
edit_unit() {
  local unit
  unit=$(systemctl show --property FragmentPath --value cruddurd.service)
  mkdir -p /etc/systemd/system/cruddurd.service.d
  sed -n '/^# The hook/,/CRUDDUR_HOOK/s/^#     //p' "$unit" >/etc/systemd/system/cruddurd.service.d/override.conf
  systemctl daemon-reload
}

set_nginx_up() {
  cp /usr/share/cruddur/nginx/site.conf /etc/nginx/sites-available/cruddur
  ln -s ../sites-available/cruddur /etc/nginx/sites-enabled/cruddur
  echo '{"issuer": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_example", "client_id": "client-of-the-tests"}' >/etc/cruddur/web.json
  sed -i -e 's/worker_connections 768;/worker_connections 8192;/' -e '1i worker_rlimit_nofile 16384;' /etc/nginx/nginx.conf
  nginx -t
  systemctl reload nginx
  curl --silent --show-error --fail --retry 20 --retry-connrefused --retry-delay 1 --cacert /root/ca/ca.pem https://cruddur.example/readyz
  curl --silent --show-error --fail --cacert /root/ca/ca.pem https://cruddur.example/web/config.json | grep -q client-of-the-tests
}

# blocks: prints the page's indented commands as one script, since its reader has one shell, and a command before each block that prints
# its number. readme.bats runs the fenced blocks, which are for quickstart. These commands are changed:
#   make deb           was run before, with what it needs: there is no compiler here
#   systemctl edit     needs a terminal
#   openssl rand       the tests have to know the hook's secret
#   prometheus         is not installed
#   db-doctor          warns of what a fresh server lacks, a standby for instance: 1 is a warning
blocks() {
  local master
  master=$(sed 's#^.*//\(.*\)@.*$#\1#' /root/master-url)
  awk '
    /^    / { if (!on) printf "echo \"== block %d\"\n", ++count; on = 1; print substr($0, 5); next }
    { on = 0 }' /root/production.md \
    | sed -e '/^sudo apt-get build-dep/,/^make deb$/d' -e '/^prometheus /d' \
      -e 's/^systemctl edit cruddurd$/edit_unit/' -e "s/^openssl rand -hex 32 /echo 'a secret of the tests, long enough' /" \
      -e "s/postgres:…@/$master@/" \
      -e 's#/var/backups/cruddur/cruddur-[0-9TZ]*\.dump#/var/backups/cruddur/cruddur-*.dump#' \
      -e '/bin\/db-doctor/s/$/ || (($? == 1))/' \
      -e 's/^echo "== block 6"$/(set_nginx_up)\n&/'
  echo 'echo "== followed"'
}

prepare() {
  make_certificates
  start_postgresql
  write_editor
}

follow() {
  cd /root
  blocks >/root/blocks
  export DEBIAN_FRONTEND=noninteractive
  export -f edit_unit set_nginx_up
  bash -euo pipefail /root/blocks
}

"$1"
