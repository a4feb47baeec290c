#!/usr/bin/env bats
# Every form of URL: the scripts read it as libpq does, and use the database that it names.

load helpers/common
load helpers/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }

# ours URL…: prints what the scripts pass to libpq for each URL, in the form of libpq_parse.py: a string without secrets, and
# the secrets in the environment.
ours() {
  local CONNECTION_URL stub=$BATS_TEST_TMPDIR/stub
  mkdir "$stub"
  cat >"$stub/psql" <<'STUB'
#!/usr/bin/env bash
set -euo pipefail
while [[ $1 != --dbname ]]; do shift; done
printf '%s\0' "$CONNECTION_URL" "$2" >>"$CALLS"
[[ ! -v PGPASSWORD ]] || printf '%s\tpassword=%s\n' "$CONNECTION_URL" "$PGPASSWORD"
[[ ! -v PGSERVICE ]] || grep -vxF "[$PGSERVICE]" "$PGSERVICEFILE" | while IFS= read -r line; do printf '%s\t%s\n' "$CONNECTION_URL" "$line"; done
STUB
  chmod +x "$stub/psql"
  for CONNECTION_URL; do
    export CONNECTION_URL
    PATH=$stub:$PATH CALLS=$BATS_TEST_TMPDIR/calls "$BIN/db-connect"
  done
  xargs -0 /usr/bin/python3 -B "$BATS_TEST_DIRNAME/helpers/libpq_parse.py" --of <"$BATS_TEST_TMPDIR/calls" \
    | sed 's/\t\(\(ssl\)\?password=\)/\tIN THE OPEN: \1/'
}

# places URL…: prints a line for each, with the database, host and port that the scripts read from it. They compare these values of dev
# and of production.
places() {
  bash -c '
    source "$1/lib/database.sh"
    for CONNECTION_URL in "${@:2}"; do
      read_connection CONNECTION_URL
      printf "%s\t%s\n" "$CONNECTION_URL" "$(place)"
    done
  ' bash "$BIN" "$@"
}

libpq() {
  /usr/bin/python3 -B "$BATS_TEST_DIRNAME/helpers/libpq_parse.py" "$@"
}

# accepted: leaves in `urls` a URL of each form.
accepted() {
  urls=(
    'postgresql://'
    'postgres://'
    'postgresql://localhost'
    'postgresql://localhost/'
    'postgresql://localhost:5433'
    'postgresql://localhost/cruddur'
    'postgres://user@localhost'
    'postgresql://user:secret@localhost'
    'postgresql://user:@localhost/x'
    'postgresql://:secret@localhost/x'
    'postgresql://@localhost/x'
    'postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp'
    'postgresql://host1:123,host2:456/somedb?target_session_attrs=any&application_name=myapp'
    'postgresql://host1,host2,host3/db'
    'postgresql://host1,host2:5433/db'
    'postgresql://host1:,host2:/db'
    'postgresql://,/db'
    'postgresql://host1,/db'
    'postgresql://u:p@[::1],[2001:db8::1234]:5433/database'
    'postgresql://[fe80::1%25eth0]/x'
    'postgresql:///dbname?host=/var/lib/postgresql'
    'postgresql:///mydb?host=localhost&port=5433'
    'postgresql://%2Fvar%2Flib%2Fpostgresql/dbname'
    'postgresql://%2Fvar%2Flib%2Fpostgresql:5433/dbname?sslmode=require'
    'postgresql://cruddurroot:pw@cruddur.example.com/cruddur'
    'postgresql://%2Fcruddur:%2Fcruddur@%2Fcruddur/%2Fcruddur?application_name=/cruddur'
    'postgresql://u:p%40ss%2Fcruddur%3A%25%27%5C%20%22@h/d%2Fb%3Fc%23'
    'postgresql://u:p:q@h/d'
    'postgresql://u:p%26%3D@h/d?password=x%26y%3Dz'
    'postgresql://u:p@h/d/cruddur'
    'postgresql://u:p@h/d?dbname=other&user=else&password=last&host=a,b&port=1,2'
    'postgresql://h/d?application_name=one&application_name=two'
    'postgresql://h/d?application_name='
    'postgresql://h/d?'
    'postgresql://h?application_name=x'
    'postgresql://h/d?application_name=a&'
    'postgresql://h/d?ssl=true'
    'postgresql://h/d?appl%69cation_name=%C3%A9t%c3%a9'
    'postgresql://h/d?options=-c%20search_path%3Dpublic%20-c%20jit%3Doff'
    'postgresql://h/d?application_name=a@b'
    'postgresql://h?application_name=a@b'
    'postgresql://u@h/été'
    'postgresql://h/d?sslmode=verify-full&sslrootcert=/etc/ssl/rds.pem&sslpassword=x%20y'
    'host=localhost dbname=cruddur'
    "  host = 'a b' port= 5433 password ='its' "
    "password='with \\'quotes\\' and \\\\' user=a\\ b"
    "dbname='' host=x"
    "application_name="
    "application_name= dbname=x"
    "dbname=a=b"
    "host='a'port=1dbname=x"
    "user='a b'dbname=c"
    "dbname='postgresql://h/x'"
    'host=/var/run/postgresql,/tmp dbname=/cruddur'
  )
}

@test "psql gets all of a URL, and its secrets by the environment only" {
  accepted
  libpq "${urls[@]}" | LC_ALL=C sort >"$BATS_TEST_TMPDIR/expected"
  run ! grep -n $'\trefused$' "$BATS_TEST_TMPDIR/expected"
  ours "${urls[@]}" | LC_ALL=C sort | diff "$BATS_TEST_TMPDIR/expected" -
}

@test "the scripts take the same database, host and port from a URL as libpq" {
  accepted
  local url line
  local -A found=()
  while IFS=$'\t' read -r url line; do
    case $line in
      dbname=* | host=* | port=*) found["${line%%=*} $url"]=${line#*=} ;;
    esac
  done < <(libpq "${urls[@]}")
  for url in "${urls[@]}"; do
    line="${found["dbname $url"]:-(no name)} on ${found["host $url"]:-the local socket}, port ${found["port $url"]:-5432}"
    printf '%s\t%s\n' "$url" "$line"
  done >"$BATS_TEST_TMPDIR/expected"
  places "${urls[@]}" | diff "$BATS_TEST_TMPDIR/expected" -
}

@test "what libpq refuses is refused before anything is done, and no part of it is shown" {
  urls=(
    'postgresql://u:hidden@[::1/db'
    'postgresql://u:hidden@[::1]x/db'
    'postgresql://u:hidden@h/db?nonsense'
    'postgresql://u:hidden@h/db?a=b=c'
    'postgresql://u:hidden@h/db?application_name=x&&port=1'
    'postgresql://u:hidden@h/db?=x'
    'postgresql://u:hidden%@h/db'
    'postgresql://u:hidden%4@h/db'
    'postgresql://u:hidden%zz@h/db'
    'postgresql://u:hidden%00@h/db'
    "password='hidden"
    'password=hidden dbname'
    "user='hidden'b"
    "port= user = 'hidden'"
    "password='it''s hidden'"
  )
  [[ $(libpq "${urls[@]}" | grep -c $'\trefused$') == "${#urls[@]}" ]]
  local url
  for url in "${urls[@]}"; do
    CONNECTION_URL=$url run -2 "$BIN/db-drop"
    [[ $output == *CONNECTION_URL* && $output != *hidden* ]]
  done
}

@test "a password that is not percent-encoded is not shown, and the message says what to do" {
  for password in hid@den @hidden hidden@ hid/den /hidden hidden/ hid@d/en hid/d@en 1/hidden 12@hidden hid%yen %hidden hidden:@x a:b/hidden; do
    for place in 127.0.0.1/x 127.0.0.1:1,127.0.0.1:2; do
      CONNECTION_URL=postgresql://u:$password@$place run -2 "$BIN/db-drop" </dev/null
      [[ $output == *'CONNECTION_URL: '*'percent-encode special characters of login and password (@ is %40, '* ]]
      [[ $output != *hid* && $output != *den@* && $output != *den/* ]]
    done
  done
}

@test "what is no connection string at all is refused" {
  for url in cruddur localhost:5432/cruddur http://localhost/cruddur mysql://u@h/d; do
    CONNECTION_URL=$url run -2 "$BIN/db-drop"
    [[ $output == *'CONNECTION_URL is neither a postgresql:// URL nor a keyword=value string'* ]]
  done
}

@test "a parameter's name cannot smuggle others in" {
  CONNECTION_URL='postgresql://h/d?a%3Db%20host=x' run -1 "$BIN/db-sessions"
  [[ $output == *'invalid URI query parameter: "a=b host"'* ]]
  CONNECTION_URL='postgresql://h/d?nosuchparameter=x' run -1 "$BIN/db-sessions"
  [[ $output == *nosuchparameter* ]]
}

# round_trip URL DATABASE: creates, connects and drops; the database must be that one, and no other may change.
round_trip() {
  local before
  before=$(sql postgres 'select datname from pg_database order by 1')
  export CONNECTION_URL=$1
  "$BIN/db-create"
  [[ $("$BIN/db-connect" -- -Atc 'select current_database()') == "$2" ]]
  "$BIN/db-drop"
  [[ $(sql postgres 'select datname from pg_database order by 1') == "$before" ]]
}

@test "either scheme, password percent-encoded" {
  round_trip "postgresql://postgres:$(encode "$PASSWORD")@127.0.0.1:$PORT/scheme" scheme
  round_trip "postgres://postgres:$(encode "$PASSWORD")@127.0.0.1:$PORT/scheme" scheme
}

@test "/cruddur inside the user, the password, the host's folder and the database" {
  sql postgres "create role \"/cruddur/cruddurroot\" login createdb createrole password '/cruddur%2F/cruddur'"
  local user password
  user=$(encode /cruddur/cruddurroot) password=$(encode '/cruddur%2F/cruddur')
  round_trip "postgresql://$user:$password@127.0.0.1:$PORT/cruddur%2Fcruddur" cruddur/cruddur
  export CONNECTION_URL="postgresql://$user:$password@127.0.0.1:$PORT/%2Fcruddur"
  "$BIN/db-setup"
  [[ $(sql /cruddur 'select count(*) from users') == 4 ]]
  "$BIN/db-drop"
  mkdir "$CLUSTER/cruddur"
  ln -s "$CLUSTER/.s.PGSQL.$PORT" "$CLUSTER/cruddur/"
  round_trip "postgresql://postgres@$(encode "$CLUSTER/cruddur"):$PORT/cruddur?application_name=/cruddur" cruddur
}

@test "database names with quotes, blanks, a dollar, a colon, another case, and names that look like options or SQL" {
  for name in "it's" 'Say "$HOME" \ %2F' :name -c été "x'; drop database postgres; --"; do
    round_trip "postgresql://postgres@$(encode "$CLUSTER"):$PORT/$(encode "$name")" "$name"
  done
}

@test "several hosts, the first of them down" {
  round_trip "postgresql://postgres:$(encode "$PASSWORD")@127.0.0.1:1,127.0.0.1:$PORT/hosts?target_session_attrs=read-write" hosts
  round_trip "postgresql://postgres:$(encode "$PASSWORD")@/hosts?host=127.0.0.1,127.0.0.1&port=1,$PORT" hosts
}

@test "a unix socket, in the query and percent-encoded as the host" {
  round_trip "$(socket_url socket)" socket
  round_trip "postgresql://postgres@$(encode "$CLUSTER"):$PORT/socket" socket
}

@test "user, password and database in the query, which win over the path" {
  round_trip "postgresql://nobody:wrong@127.0.0.1:$PORT/nothing?user=postgres&password=$(encode "$PASSWORD")&dbname=query" query
}

@test "the URL's other parameters are kept when the maintenance database is asked" {
  CONNECTION_URL="postgresql://postgres:$(encode "$PASSWORD")@127.0.0.1:$PORT/kept?sslmode=require"
  export CONNECTION_URL
  run -1 "$BIN/db-create"
  [[ $output == *'server does not support SSL'* ]]
  run ! database_exists kept
}

@test "a keyword=value string" {
  round_trip "host=$CLUSTER port=$PORT user=postgres dbname='key word'" 'key word'
}

@test "without a database in the URL, libpq's default for connecting and a clear refusal for the rest" {
  CONNECTION_URL="postgresql://postgres@$(encode "$CLUSTER"):$PORT"
  export CONNECTION_URL
  [[ $("$BIN/db-connect" -- -Atc 'select current_database()') == postgres ]]
  "$BIN/db-sessions"
  for script in db-create db-drop db-schema-load db-seed db-setup; do
    run -2 "$BIN/$script"
    [[ $output == *'the URL names no database'* ]]
  done
  export PGDATABASE=named
  "$BIN/db-create"
  database_exists named
  "$BIN/db-drop"
}

@test "what the URL leaves out comes from libpq's own variables" {
  PGHOST=$CLUSTER PGPORT=$PORT PGUSER=postgres round_trip postgresql:///variables variables
  PGPASSWORD=$PASSWORD round_trip "postgresql://postgres@127.0.0.1:$PORT/variables" variables
}

@test "the functions have the same text, whatever encoding the environment or the URL asks for" {
  local name
  functions() {
    sql "$1" "select md5(string_agg(prosrc, '' order by oid::regprocedure::text)) from pg_proc where pronamespace = 'public'::regnamespace"
  }
  for name in plain loaded migrated from_url; do
    sql postgres "create database $name"
  done
  CONNECTION_URL=$(socket_url plain) "$BIN/db-schema-load"
  CONNECTION_URL=$(socket_url loaded) PGCLIENTENCODING=LATIN1 "$BIN/db-schema-load"
  CONNECTION_URL=$(socket_url migrated) PGCLIENTENCODING=LATIN1 "$BIN/db-migrate"
  CONNECTION_URL="$(socket_url from_url)&client_encoding=LATIN1" "$BIN/db-schema-load"
  for name in loaded migrated from_url; do
    [[ $(functions "$name") == "$(functions plain)" ]]
  done
  # db-connect is the user's own psql.
  CONNECTION_URL=$(socket_url plain) PGCLIENTENCODING=LATIN1 run -0 "$BIN/db-connect" -- -Atc 'show client_encoding'
  [[ $output == LATIN1 ]]
}

@test "CONNECTION_URL_FILE, unless others can read it or CONNECTION_URL is set too" {
  export CONNECTION_URL_FILE=$BATS_TEST_TMPDIR/url
  (umask 077 && socket_url file >"$CONNECTION_URL_FILE" && printf ' \r\n\n' >>"$CONNECTION_URL_FILE")
  "$BIN/db-create"
  database_exists file
  CONNECTION_URL=postgresql://h/x run -2 "$BIN/db-drop"
  [[ $output == *'CONNECTION_URL and CONNECTION_URL_FILE are both set'* ]]
  for mode in 604 602 620 644; do
    chmod "$mode" "$CONNECTION_URL_FILE"
    run -2 "$BIN/db-drop"
    [[ $output == *"others can read $CONNECTION_URL_FILE"* ]]
  done
  database_exists file
  chmod 440 "$CONNECTION_URL_FILE"
  "$BIN/db-drop"
  run ! database_exists file
  rm "$CONNECTION_URL_FILE"
  run -2 "$BIN/db-drop"
  [[ $output == *'cannot read'* ]]
}
