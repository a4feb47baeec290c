# shellcheck shell=bash
# What the db-* scripts share: their arguments, the database's URL, psql, and the guard before production. Production is the
# database of PROD_CONNECTION_URL, and every database whose table environment says so, by whichever URL it was reached.
# Sourced, never run. A script that sources it has a function `usage` and calls `parse_arguments`, then `open_target`.

# shellcheck source-path=SCRIPTDIR
source "${BASH_SOURCE[0]%/*}/common.sh"

SQL_DIR=$(CDPATH='' cd -P "${BASH_SOURCE[0]%/*}/../.." && pwd)/sql
readonly SQL_DIR

# The parameters that hold a secret: none may stand on a command line.
readonly SECRETS='password sslpassword oauth_client_secret scram_client_key scram_server_key'

target=dev            # or prod
lenient=''            # yes: --if-exists or --if-not-exists is given
guarded=''            # yes: the database is production
declare -A connection # those of the URL's parameters that are secrets or name the place
conninfo=''           # the URL without its secrets, for libpq to read; another parameter can be appended
psql_arguments=()     # the arguments after --
url_variable=''       # the variable that `connection` was read from
maintenance=''        # the name given with --maintenance-db, or the one that find_maintenance found
ENVIRONMENT=''        # the mark in the database's table environment, set by ask_environment; empty: none
unset yes_drop        # the name given with --yes-drop; never one from the environment

# usage_environment: the part of every usage text that is the same.
usage_environment() {
  cat <<'USAGE'

The database is CONNECTION_URL, or with the word prod PROD_CONNECTION_URL: any URL or keyword=value string
that libpq takes. CONNECTION_URL_FILE and PROD_CONNECTION_URL_FILE name a file that holds it and that others
cannot read. Special characters in a URL's user and password are percent-encoded. PGCONNECT_TIMEOUT is 5 seconds
unless set. PGHOSTADDR is refused unless the URL has a hostaddr: it would lead to another server than the URL's.
USAGE
}

# parse_arguments "OPTION…" ARGUMENT…: takes `prod`, --help and the options named; anything else is misuse.
# shellcheck disable=SC2034 # lenient and psql_arguments are for the scripts
parse_arguments() {
  local allowed=" -h --help prod $1 "
  shift
  while (($#)); do
    [[ $1 =~ ^[a-z-]+$ && $allowed == *" $1 "* ]] || usage_error "unknown argument: $1"
    case $1 in
      -h | --help)
        usage
        usage_environment
        exit 0
        ;;
      prod)
        [[ $target == dev ]] || usage_error 'prod is given twice'
        target=prod
        ;;
      --if-exists | --if-not-exists) lenient=yes ;;
      --yes-drop)
        (($# >= 2)) || usage_error '--yes-drop needs the name of the database'
        yes_drop=$2
        shift
        ;;
      --maintenance-db)
        [[ -n ${2:-} ]] || usage_error '--maintenance-db needs the name of a database of the same server'
        maintenance=$2
        shift
        ;;
      --)
        psql_arguments=("${@:2}")
        return
        ;;
    esac
    shift
  done
}

# open_target: reads the URL of $target, after which run_psql works.
open_target() {
  local production='' here
  require_command psql postgresql-client
  if [[ $target == prod ]]; then
    alert '== PRODUCTION (PROD_CONNECTION_URL)'
    guarded=yes
    read_connection PROD_CONNECTION_URL
  else
    if [[ -n ${PROD_CONNECTION_URL:-}${PROD_CONNECTION_URL_FILE:-} ]]; then
      read_connection PROD_CONNECTION_URL
      production=$(place)
    fi
    read_connection CONNECTION_URL
    if [[ -n $production ]] && here=$(place) && [[ ${here,,} == "${production,,}" ]]; then
      alert '== PRODUCTION (CONNECTION_URL names the same database as PROD_CONNECTION_URL)'
      guarded=yes
    fi
  fi
}

# require_server DATABASE: stops if the server is older than the schema and the service need. The daemon has the same
# sentence (src/db/session.c).
require_server() {
  local version
  version=$(run_psql "$1" <<<'\echo :SERVER_VERSION_NUM :SERVER_VERSION_NAME') || exit 1
  ((${version%% *} >= 150000)) || die "this is PostgreSQL ${version#* }: Cruddur needs 15 or later"
}

# find_maintenance: leaves in `maintenance` the database to connect to while DATABASE is created or dropped: that of
# --maintenance-db, else postgres, else template1, as in createdb(1). Never DATABASE itself.
find_maintenance() {
  local name error first=''
  [[ -z $maintenance ]] || return 0
  for name in postgres template1; do
    [[ $name != "$DATABASE" ]] || continue
    if error=$(run_psql "$name" <<<'\q' 2>&1); then
      maintenance=$name
      return
    fi
    first=${first:-$error}
    [[ $error == *FATAL* ]] || break # the server itself does not answer
  done
  printf '%s\n' "$first" >&2
  die 'no database to connect to meanwhile: name one with --maintenance-db'
}

# database_exists: whether the server has DATABASE.
database_exists() {
  local count
  count=$(run_psql "$maintenance" --set name="$DATABASE" --tuples-only --no-align \
    <<<"select count(*) from pg_database where datname = :'name'") || exit 1
  ((count == 1))
}

# ask_table_environment SQL [ARGUMENT…]: runs SQL on DATABASE, unless the schema is older than the table environment.
ask_table_environment() {
  run_psql "$DATABASE" --tuples-only --no-align "${@:2}" <<PSQL
\o /dev/null
select to_regclass('public.environment') is not null as says \gset
\o
\if :says
$1
\endif
PSQL
}

# ask_environment: reads the mark of DATABASE into ENVIRONMENT. False when it cannot be read.
ask_environment() {
  ENVIRONMENT=$(ask_table_environment "select name from public.environment order by lower(name) in ('development', 'test') limit 1;")
}

# is_guarded ENVIRONMENT: whether a database with that mark needs its name typed out.
is_guarded() {
  [[ -n $1 && ${1,,} != development && ${1,,} != test ]]
}

# declare_environment NAME: marks DATABASE as NAME, unless it has a mark.
declare_environment() {
  local written
  written=$(ask_table_environment "insert into public.environment (name) values (:'name') on conflict do nothing returning name;" \
    --set name="$1") || die "the database could not be marked as $1: insert into environment (name) values ('$1') by hand"
  [[ -z $written ]] || note "$PROGRAM: marked $(place) as $1"
}

# keep_environment NAME: marks DATABASE as NAME, whatever mark it has.
keep_environment() {
  ask_table_environment "insert into public.environment (name) values (:'name') on conflict do nothing;
    update public.environment set name = :'name' where name <> :'name';" --set name="$1" \
    || die "the database could not be marked as $1 again: update environment set name = '$1' by hand"
}

# place: prints where the connection leads, for messages and for comparisons.
place() {
  printf '%s on %s, port %s' "${connection[dbname]:-${PGDATABASE:-(no name)}}" \
    "${connection[host]:-${connection[hostaddr]:-${PGHOST:-the local socket}}}" "${connection[port]:-${PGPORT:-5432}}"
}

# mark_production: marks DATABASE as production if the word prod was given.
mark_production() {
  [[ $target == dev ]] || declare_environment production
}

# read_connection VARIABLE: fills `conninfo` and `connection` from $VARIABLE or from the file $VARIABLE_FILE names.
read_connection() {
  local url=${!1:-} file_variable=$1_FILE
  url_variable=$1
  local file=${!file_variable:-}
  if [[ -n $file ]]; then
    [[ -z $url ]] || usage_error "$1 and $file_variable are both set: unset one of them"
    [[ -f $file && -r $file ]] || usage_error "$file_variable: cannot read $file: is it there, and is this user in its group?"
    [[ -z $(find -L "$file" -prune -perm /027) ]] || usage_error "$file_variable: others can read $file (chmod 600)"
    url=$(<"$file")
    url=${url%"${url##*[![:space:]]}"}
  fi
  connection=() conninfo=''
  case $url in
    '') usage_error "$1 is not set: export $1=postgresql://USER:PASSWORD@HOST/DATABASE, or $1_FILE with the name of a file that holds it" ;;
    postgresql://* | postgres://*) read_url "$1" "$url" ;;
    *=*) read_keywords "$1" "$url" ;;
    *) usage_error "$1 is neither a postgresql:// URL nor a keyword=value string, such as postgresql://USER:PASSWORD@HOST/DATABASE" ;;
  esac

  # libpq would connect to that address, and only compare the URL's host with a certificate; place() and the guard would not know.
  [[ -z ${PGHOSTADDR:-} || -v connection[hostaddr] ]] \
    || usage_error "PGHOSTADDR is set, so libpq would connect to $PGHOSTADDR and not to the host of $1: unset it, or write hostaddr=$PGHOSTADDR into $1"
}

# refuse_unencoded VARIABLE WHAT: misuse, because libpq would take the text after an unencoded character of the password for a host, a
# port or a database, and show it in its errors.
refuse_unencoded() {
  usage_error "$1: $2: percent-encode special characters of login and password (@ is %40, / is %2F, : is %3A, % is %25)"
}

# read_url VARIABLE URL: splits the URL where libpq does (fe-connect.c, conninfo_uri_parse_options).
read_url() {
  local LC_ALL=C rest=${2#*://} hosts pair keyword host='' port=''
  [[ $rest =~ ^([^%]|%[[:xdigit:]]{2})*$ && $rest != *%00* ]] || refuse_unencoded "$1" 'a %-sequence in it is malformed'
  conninfo=${2%%://*}://
  if [[ $rest =~ ^([^@/:]*)(:([^@/]*))?@(.*)$ ]]; then
    conninfo+=${BASH_REMATCH[1]}@ rest=${BASH_REMATCH[4]}
    set_encoded password "${BASH_REMATCH[3]}"
  fi
  [[ $rest =~ ^([^/?@]*)(/([^?@]*))?(\?(.*))?$ ]] || refuse_unencoded "$1" 'it has an @ too many'
  conninfo+=${BASH_REMATCH[1]}${BASH_REMATCH[2]}\?
  hosts=${BASH_REMATCH[1]}, rest=${BASH_REMATCH[5]}
  set_encoded dbname "${BASH_REMATCH[3]}"
  while [[ $hosts =~ ^(\[([^],]+)\]|([^],:[]*))(:([0-9]*))?,(.*)$ ]]; do
    host+=,${BASH_REMATCH[2]}${BASH_REMATCH[3]} port+=,${BASH_REMATCH[5]} hosts=${BASH_REMATCH[6]}
  done
  [[ -z $hosts ]] || refuse_unencoded "$1" 'a host or port in it is malformed'
  set_encoded host "${host#,}"
  set_encoded port "${port#,}"
  while [[ $rest =~ ^([^=\&]+)=([^=\&]*)(\&(.*))?$ ]]; do
    pair=${BASH_REMATCH[1]}=${BASH_REMATCH[2]} rest=${BASH_REMATCH[4]}
    percent_decode "${pair%%=*}"
    keyword=$REPLY
    percent_decode "${pair#*=}"
    set_parameter "$keyword" "$REPLY" "$pair&"
  done
  [[ -z $rest ]] || usage_error "$1: the part after the question mark is not name=value pairs joined by &"
}

# read_keywords VARIABLE TEXT: host=a port=5 password='with \' and blanks'
read_keywords() {
  local rest=$2 keyword text value
  local quoted="'(([^'\\\\]|\\\\.)*)'" plain="(([^'[:space:]\\\\]|\\\\.)([^[:space:]\\\\]|\\\\.)*)?"
  local pair="^[[:space:]]*([^[:space:]=]+)[[:space:]]*=[[:space:]]*($quoted(.*)|$plain([[:space:]].*)?)\$"
  while [[ $rest =~ $pair ]]; do
    rest=${BASH_REMATCH[5]}${BASH_REMATCH[9]} keyword=${BASH_REMATCH[1]}
    text=${BASH_REMATCH[2]%"$rest"} value=''
    local escaped=${BASH_REMATCH[3]}${BASH_REMATCH[6]}
    while [[ $escaped =~ ^([^\\]*)\\(.)(.*)$ ]]; do # a backslash stands for the character behind it
      value+=${BASH_REMATCH[1]}${BASH_REMATCH[2]} escaped=${BASH_REMATCH[3]}
    done
    set_parameter "$keyword" "$value$escaped" "$keyword=$text "
  done
  [[ $rest =~ ^[[:space:]]*$ ]] || usage_error "$1 is neither a postgresql:// URL nor a keyword=value string"
}

# set_encoded KEYWORD ENCODED: sets a parameter from a part of the URL before its question mark. libpq ignores an empty part.
set_encoded() {
  [[ -n $2 ]] || return 0
  percent_decode "$2"
  connection[$1]=$REPLY
}

# set_parameter KEYWORD VALUE TEXT: keeps the value if it is a secret or names the place, and appends TEXT, the parameter as it is
# written in the URL, to `conninfo` unless it is a secret.
set_parameter() {
  [[ " $SECRETS dbname host hostaddr port service " != *" $1 "* ]] || connection[$1]=$2
  [[ " $SECRETS " == *" $1 "* ]] || conninfo+=$3
}

# percent_decode TEXT: leaves the decoded text in REPLY.
percent_decode() {
  local text=${1//\\/\\\\}
  printf -v REPLY '%b' "${text//%/\\x}"
}

# hide_secrets: passes the secrets in the environment, since every user of the machine can read psql's arguments.
hide_secrets() {
  local keyword file fd secrets=''
  [[ ! -v connection[password] ]] || export PGPASSWORD=${connection[password]}
  for keyword in ${SECRETS#password }; do
    [[ -v connection[$keyword] ]] || continue
    [[ ${connection[$keyword]} != *$'\n'* ]] || die "$keyword in the URL has a line break"
    secrets+=$keyword=${connection[$keyword]}$'\n'
  done
  [[ -n $secrets ]] || return 0

  # libpq has no environment variable for these, only a service file. The file is already removed when psql reads it by its descriptor.
  [[ -z ${connection[service]:-}${PGSERVICE:-} ]] || die 'a service and a secret in the URL exclude each other: write the secret into the service file'
  file=$(mktemp)
  printf '[secrets]\n%s' "$secrets" >"$file"
  exec {fd}<"$file"
  rm "$file"
  export PGSERVICE=secrets PGSERVICEFILE=/proc/self/fd/$fd
}

# require_database: for scripts that must not guess which database is meant. Leaves its name in DATABASE.
require_database() {
  DATABASE=${connection[dbname]:-${PGDATABASE:-}}
  [[ -n $DATABASE ]] || usage_error 'the URL names no database (postgresql://…/NAME)'
}

# name_parameter KEYWORD VALUE: appends it to `conninfo`, where the last one counts.
name_parameter() {
  local value=${2//\\/\\\\}
  case $conninfo in
    postgresql://* | postgres://*) conninfo+=$1=$(printf '%s' "$2" | od -An -v -tx1 | tr -d '\n' | tr ' ' %)\& ;;
    *) conninfo+="$1='${value//\'/\\\'}' " ;;
  esac
}

# use_utf8: the files of sql/ are UTF-8, and a name is the same text in each answer and manifest. psql and libpq would take another encoding
# from the URL, from PGCLIENTENCODING, or from the terminal if PGCLIENTENCODING is unset.
use_utf8() {
  export PGCLIENTENCODING=UTF8
  name_parameter client_encoding UTF8
}

# exec_psql DATABASE [ARGUMENT…]: becomes psql on that database, or on the URL's own if DATABASE is empty. Its text is UTF-8.
exec_psql() {
  use_utf8
  exec_psql_as_is "$@"
}

# exec_psql_as_is DATABASE [ARGUMENT…]: as exec_psql, but in the encoding of the user.
exec_psql_as_is() {
  hide_secrets
  [[ -z $1 ]] || name_parameter dbname "$1"
  export PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-5} PGAPPNAME=${PGAPPNAME:-$PROGRAM}
  exec psql --no-psqlrc --set ON_ERROR_STOP=1 --dbname "$conninfo" "${@:2}"
}

# run_psql DATABASE [ARGUMENT…]: runs psql, which never prompts; SQL comes from stdin or --file. Returns 1 after any failure. If the
# connection fails, it prints what to check after the message of psql; the caller does that for other failures.
run_psql() {
  local status=0
  (exec_psql "$1" --no-password --quiet "${@:2}") || status=$?
  if ((status == 2)); then
    alert "$PROGRAM: no connection to $(place), or it was lost: check that the server runs and that $url_variable has the right host, port, user and password"
  fi
  ((status == 0)) || return 1
}

# load_sql FILE: runs a file of sql/ on DATABASE.
load_sql() {
  run_psql "$DATABASE" --file "$SQL_DIR/$1"
}

# confirm_destruction ACTION: as confirm; a database that is marked as production counts as production.
confirm_destruction() {
  if [[ -z $guarded && ! -v yes_drop ]]; then
    ask_environment \
      || die "$(place) could not be asked whether it is production, so nothing was done: --yes-drop $DATABASE skips the question"
    if is_guarded "$ENVIRONMENT"; then
      alert "== PRODUCTION (the database is marked as $ENVIRONMENT)"
      guarded=yes
    fi
  fi
  confirm "$1"
}

# confirm ACTION: before an action on production the database's name must be typed out or come with --yes-drop.
confirm() {
  local answer=''
  if [[ -v yes_drop ]]; then
    answer=$yes_drop
  elif [[ -n $guarded ]]; then
    alert "This will $1 $(place)."
    [[ ! -t 0 ]] || printf 'Type the name of the database to go on: ' >&2
    IFS= read -r answer || die 'nothing was typed, nothing was done: type the name, or give it by --yes-drop'
  else
    return 0
  fi
  [[ $answer == "$DATABASE" ]] || die 'that is not the name of the database, nothing was done'
}
