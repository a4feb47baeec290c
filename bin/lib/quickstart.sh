# shellcheck shell=bash
# What bin/quickstart builds and runs: the daemon, a private PostgreSQL, the pool, an issuer of tokens, nginx, all under $dir. Sourced, never
# run. As root the servers run as DB_USER and WEB_USER.

# shellcheck source-path=SCRIPTDIR
source "${BASH_SOURCE[0]%/*}/common.sh"
# shellcheck source-path=SCRIPTDIR
source "${BASH_SOURCE[0]%/*}/issuer.sh"
# shellcheck source-path=SCRIPTDIR
source "${BASH_SOURCE[0]%/*}/processes.sh"
# shellcheck source-path=SCRIPTDIR
source "${BASH_SOURCE[0]%/*}/source.sh"

readonly DB_USER=postgres WEB_USER=www-data
readonly PROGRAMS=${PGBIN:-} # before the caller unsets libpq's variables, which begin in the same way

port=8080 # these four are set by the caller
workers=0
identity=handle
log_format=json
issuer='' # these three by choose_issuer
client=''
keys=''

# public_url: where browsers reach nginx. In a workspace that is the URL at which the port is forwarded.
public_url() {
  printf '%s\n' "${QUICKSTART_URL:-http://127.0.0.1:$port}"
}

# own_issuer: the name of quickstart's own issuer.
own_issuer() {
  printf '%s/cruddur-issuer\n' "$(public_url)"
}

# own USER PATH…: gives the paths to the user of the server that needs them, if root runs this.
own() {
  ((EUID != 0)) || chown "$1" "${@:2}"
}

# build: builds outside the checkout, from a copy of the sources; fast when nothing changed.
build() {
  heading "building (log: $dir/log/build.log)"
  if ! build_steps >"$dir/log/build.log" 2>&1; then
    tail -n 25 "$dir/log/build.log" >&2
    die "the build failed: the end of $dir/log/build.log is above"
  fi
}

build_steps() (
  copy_source "$dir/src" && cd "$dir/src" \
    && { [[ -x configure ]] || ./autogen.sh; } \
    && mkdir -p ../build && cd ../build \
    && { [[ -e config.status ]] || ../src/configure --prefix=/usr/local; } \
    && make --jobs="$(nproc)" \
    && { is_installed || { make install DESTDIR="$dir/root" && touch "$dir/root/.installed"; }; }
)

# is_installed: nothing in $dir/src or $dir/build is newer than what was installed last.
is_installed() {
  [[ -e $dir/root/.installed && -z $(find "$dir/src" "$dir/build" -type f -newer "$dir/root/.installed" -print -quit) ]]
}

# prepare_sockets: $dir/run/{db,web}. A socket's path may have 107 bytes and libpq splits a host at commas: where $dir is
# long or odd, run is a link to a folder in /tmp.
prepare_sockets() {
  remove_sockets
  if [[ $dir =~ ^[A-Za-z0-9/._-]{1,80}$ ]]; then
    mkdir "$dir/run"
  else
    ln -s "$(mktemp -d /tmp/cruddur.XXXXXXXX)" "$dir/run"
    chmod 755 "$dir/run/"
  fi
  sockets=$(readlink -f "$dir/run")
  mkdir "$sockets/db" "$sockets/web"
  own "$DB_USER" "$sockets/db"
  own "$WEB_USER" "$sockets/web"
}

remove_sockets() {
  if [[ -L $dir/run ]]; then
    rm -rf "$(readlink -f "$dir/run")"
  fi
  rm -rf "$dir/run"
}

# postgres_program NAME: the path of a server program: in the folder that PGBIN names, else of the version of the data in $dir,
# else of the newest PostgreSQL that is installed.
postgres_program() {
  local found version=''
  if [[ -n $PROGRAMS ]]; then
    [[ -x $PROGRAMS/$1 ]] || die "PGBIN=$PROGRAMS has no $1: name a folder such as /usr/lib/postgresql/15/bin, or unset it"
    printf '%s\n' "$PROGRAMS/$1"
    return
  fi
  [[ ! -e ${dir:-}/pgdata/PG_VERSION ]] || version=$(<"$dir/pgdata/PG_VERSION")
  found=/usr/lib/postgresql/$version/bin/$1
  [[ -n $version && -x $found ]] || found=$(printf '%s\n' /usr/lib/postgresql/*/bin/"$1" | sort --version-sort | tail -n 1)
  [[ -x $found ]] || found=$(command -v "$1") || die "PostgreSQL's $1 is missing: apt-get install postgresql, or set PGBIN"
  printf '%s\n' "$found"
}

# refuse_version: stops unless the server is new enough for the schema and of the version of the data in $dir, if those
# are complete.
refuse_version() {
  local program version
  program=$(postgres_program postgres)
  version=$("$program" --version)
  [[ $version =~ ([0-9]+) ]] || die "$program does not say its version"
  version=${BASH_REMATCH[1]}
  ((version >= 15)) || die "this is PostgreSQL $version: Cruddur needs 15 or later"
  [[ ! -e $dir/secrets/complete || $(<"$dir/pgdata/PG_VERSION") == "$version" ]] \
    || die "the data in $dir are of PostgreSQL $(<"$dir/pgdata/PG_VERSION") and $program is $version: set PGBIN, or begin anew with --fresh"
}

# start_database: starts PostgreSQL; makes the cluster before that, again if an earlier attempt was interrupted.
start_database() {
  refuse_version
  if [[ ! -e $dir/secrets/complete ]]; then
    heading 'making the database'
    make_secrets
    make_cluster
  fi
  write_urls
  outwait_zombie
  local program
  program=$(postgres_program postgres)
  start_server postgres "$DB_USER" "$dir" "$program" -D "$dir/pgdata" -c listen_addresses= \
    -c unix_socket_directories="$sockets/db" -c port=5432
  wait_for 'PostgreSQL to take connections' database_settled || true
  is_running postgres || fail 'PostgreSQL does not start' postgres
  if [[ ! -e $dir/secrets/complete ]]; then
    fill_database
    touch "$dir/secrets/complete"
  else
    with_owner db-migrate
    add_hook_login
  fi
}

# outwait_zombie: PostgreSQL does not start while the process id in postmaster.pid exists, even if it is a zombie's. In a container whose
# first process reaps no children it would exist for ever, so the file is removed after ten seconds.
outwait_zombie() {
  local pid
  first_line "$dir/pgdata/postmaster.pid" pid || return 0
  if [[ -e /proc/$pid ]] && has_ended "$pid"; then
    wait_until 10 test ! -e "/proc/$pid" || rm -f "$dir/pgdata/postmaster.pid"
  fi
}

database_settled() {
  pg_isready --quiet --host "$sockets/db" || ! is_running postgres
}

make_secrets() {
  rm -rf "$dir/secrets"
  mkdir "$dir/secrets"
  local role
  for role in postgres cruddur_owner cruddur cruddur_hook; do
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n' | private "$role"
  done
}

# make_issuer: makes the issuer's key and, for the daemon, its key set.
make_issuer() {
  own_issuer >"$dir/issuer-url"
  if [[ ! -e $dir/secrets/issuer-key.pem || ! -e $dir/issuer-keys.json ]]; then
    issuer_make_key "$dir/secrets/issuer-key.pem"
    issuer_keys "$dir/secrets/issuer-key.pem" >"$dir/issuer-keys.json"
  fi
  own "$WEB_USER" "$dir/secrets/issuer-key.pem"
}

# make_hook_secret: makes the secret of the hook, whole or not at all; also in a folder of an earlier release, which has none.
make_hook_secret() {
  [[ ! -e $dir/secrets/hook ]] || return 0
  od -An -v -w32 -N32 -tx1 /dev/urandom | tr -d ' \n' | private hook.new
  own "$WEB_USER" "$dir/secrets/hook.new"
  mv "$dir/secrets/hook.new" "$dir/secrets/hook"
}

# private NAME: writes stdin into a file in secrets/ that is never readable by others.
private() {
  rm -f "$dir/secrets/$1"
  (umask 077 && cat >"$dir/secrets/$1")
}

make_cluster() {
  local as program
  program=$(postgres_program initdb)
  become "$DB_USER"
  rm -rf "$dir/pgdata"
  mkdir -m 700 "$dir/pgdata"
  own "$DB_USER" "$dir/pgdata" "$dir/secrets/postgres"
  (cd "$dir/pgdata" && "${as[@]}" "$program" --pgdata="$dir/pgdata" --username=postgres \
    --pwfile="$dir/secrets/postgres" --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8) \
    >"$dir/log/initdb.log" 2>&1 || fail 'initdb failed' initdb
}

# write_urls: writes the files that have both the passwords and the current path of the socket.
write_urls() {
  local role
  for role in postgres cruddur_owner cruddur cruddur_hook; do
    [[ ! -e $dir/secrets/$role ]] || printf '*:*:*:%s:%s\n' "$role" "$(<"$dir/secrets/$role")"
  done | private pgpass
  url_of cruddur_owner | private owner-url
  url_of cruddur | private app-url
  own "$WEB_USER" "$dir/secrets/app-url"
  [[ -e $dir/secrets/cruddur_hook ]] || return 0
  url_of cruddur_hook | private hook-url
  own "$WEB_USER" "$dir/secrets/hook-url"
}

url_of() {
  printf 'postgresql://%s:%s@/cruddur?host=%s&port=5432\n' "$1" "$(<"$dir/secrets/$1")" "$sockets/db"
}

# fill_database: makes the roles, then the database as bin/db-setup would make it.
fill_database() {
  local script
  local -x CRUDDUR_OWNER_PASSWORD CRUDDUR_APP_PASSWORD CRUDDUR_HOOK_PASSWORD
  CRUDDUR_OWNER_PASSWORD=$(<"$dir/secrets/cruddur_owner")
  CRUDDUR_APP_PASSWORD=$(<"$dir/secrets/cruddur")
  CRUDDUR_HOOK_PASSWORD=$(<"$dir/secrets/cruddur_hook")
  as_superuser postgres --file "$TOP/sql/roles.sql" || die "the roles could not be made: see the error above and $dir/log/postgres.log"
  for script in db-create db-schema-load db-seed; do
    with_owner "$script"
  done
  as_superuser cruddur --file "$TOP/sql/large_objects.sql" || die "the rights to large objects could not be taken back: see the error above and $dir/log/postgres.log"
}

# as_superuser DATABASE ARGUMENT…: runs psql as the cluster's superuser.
as_superuser() {
  PGPASSFILE=$dir/secrets/pgpass psql --no-psqlrc -v ON_ERROR_STOP=1 --quiet --no-password \
    --host "$sockets/db" --username postgres --dbname "$1" "${@:2}"
}

# add_hook_login: makes the login of the hook in a folder that was made before the hook had its own.
add_hook_login() {
  [[ ! -e $dir/secrets/cruddur_hook ]] || return 0
  od -An -N24 -tx1 /dev/urandom | tr -d ' \n' | private cruddur_hook.new
  CRUDDUR_HOOK_PASSWORD=$(<"$dir/secrets/cruddur_hook.new") as_superuser postgres --file "$TOP/sql/roles.sql" \
    || die "the login of the hook could not be made: see the error above and $dir/log/postgres.log"
  mv "$dir/secrets/cruddur_hook.new" "$dir/secrets/cruddur_hook"
  write_urls
}

# with_owner SCRIPT: runs a script as the database's owner.
with_owner() {
  CONNECTION_URL_FILE=$dir/secrets/owner-url "$TOP/bin/$1" || die "$1 failed: see the error above; --fresh begins anew with an empty database"
}

# choose_issuer: chooses quickstart's own issuer or, with CRUDDUR_ISSUER in the environment, another one, whose client and keys are in
# cruddurd's settings. Leaves in `issuer`, `client` and `keys` the values for the pool and the page.
choose_issuer() {
  make_issuer
  issuer=$(own_issuer) client=$ISSUER_CLIENT keys=$dir/issuer-keys.json
  if [[ -n ${CRUDDUR_ISSUER:-} ]]; then
    issuer=$CRUDDUR_ISSUER client=${AWS_COGNITO_USER_POOL_CLIENT_ID:-} keys=${CRUDDUR_JWKS_FILE:-}
    [[ $issuer =~ ^https?://[][A-Za-z0-9.:/_-]+$ && $client =~ ^[A-Za-z0-9._-]+$ && -r $keys ]] \
      || die 'CRUDDUR_ISSUER is a URL, and AWS_COGNITO_USER_POOL_CLIENT_ID and CRUDDUR_JWKS_FILE are set with it'
  fi
}

start_pool() {
  choose_issuer
  make_hook_secret
  start_server cruddurd "$WEB_USER" "$dir/nginx" "$dir/root/usr/local/sbin/cruddurd" \
    --listen "unix:$sockets/web/cruddurd.sock" --sql-dir "$dir/root/usr/local/share/cruddur/sql" \
    --connection-url-file "$dir/secrets/app-url" --identity "$identity" --workers "$workers" \
    --issuer "$issuer" --cognito-client "$client" --jwks-file "$keys" \
    --hook-secret-file "$dir/secrets/hook" --hook-connection-url-file "$dir/secrets/hook-url" \
    --log-format "$log_format"
}

# start_issuer: starts the provider at which users of the web client sign in.
start_issuer() {
  local seconds=${QUICKSTART_TOKEN_SECONDS:-3600} origin origins=()
  [[ $seconds =~ ^[1-9][0-9]{0,6}$ ]] || die "QUICKSTART_TOKEN_SECONDS is no number of seconds: $seconds"
  for origin in "http://127.0.0.1:$port" "http://localhost:$port" ${QUICKSTART_URL:+"$QUICKSTART_URL"}; do
    origins+=(--origin "$origin")
  done
  start_server cruddur-issuer "$WEB_USER" "$dir/nginx" /usr/bin/python3 "$TOP/bin/lib/issuer.py" --socket "$sockets/web/issuer.sock" \
    --url "$(own_issuer)" "${origins[@]}" --client "$ISSUER_CLIENT" \
    --key "$dir/secrets/issuer-key.pem" --hook-secret "$dir/secrets/hook" --api "http://127.0.0.1:$port" --token-seconds "$seconds"
}

start_nginx() {
  local program
  program=$(PATH=$PATH:/usr/sbin:/sbin command -v nginx) || die 'nginx is missing: apt-get install nginx'
  start_server nginx "$WEB_USER" "$dir/nginx" "$program" -p "$dir/nginx/" -c nginx.conf -e stderr
}

# write_nginx: copies the site's shared includes unchanged, and writes the configuration of the server that uses them.
write_nginx() {
  local host
  choose_issuer
  mkdir -p "$dir/nginx/tmp" "$dir/nginx/log"
  own "$WEB_USER" "$dir/nginx/tmp" "$dir/nginx/log"
  install -m 644 "$TOP"/nginx/{cruddur,docs,events,metrics,web}.conf "$dir/nginx"
  printf '{"issuer": "%s", "client_id": "%s"}\n' "$issuer" "$client" >"$dir/nginx/web.json"
  host=${QUICKSTART_URL:-}
  host=${host#*://}
  host=${host%%:*}
  sed "s/@PORT@/$port/g; s#@HOST@#$host#; s#@ISSUER@#$(cut -d / -f 1-3 <<<"$issuer")#" "$TOP/nginx/quickstart.conf.in" >"$dir/nginx/nginx.conf"
  write_origins >"$dir/nginx/origins.conf"
}

# write_origins: prints the lines of nginx's map for the origins in the environment. cruddurd refuses a value that is no origin.
write_origins() {
  local origin
  for origin in "${FRONTEND_URL:-}" "${BACKEND_URL:-}"; do
    [[ ! $origin =~ ^https?://[][A-Za-z0-9.:-]+$ ]] || printf '"%s" "%s";\n' "$origin" "$origin"
  done | sort -u
}

# fail MESSAGE LOG…: prints the ends of the logs, then dies.
fail() {
  local log
  for log in "${@:2}"; do
    heading "the end of $dir/log/$log.log"
    tail -n 20 "$dir/log/$log.log" >&2 || true
  done
  die "$1; all of the logs are in $dir/log"
}
