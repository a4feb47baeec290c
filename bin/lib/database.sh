# shellcheck shell=bash
# What the db-* scripts share: their arguments, the database's URL, psql, and the guard before production.
# Sourced, never run. A script that sources it has a function `usage` and calls `parse_arguments`, then `open_target`.

# shellcheck source-path=SCRIPTDIR
source "${BASH_SOURCE[0]%/*}/common.sh"

SQL_DIR=$(CDPATH='' cd -P "${BASH_SOURCE[0]%/*}/../.." && pwd)/sql
readonly SQL_DIR

target=dev            # or prod
lenient=''            # yes: --if-exists or --if-not-exists is given
guarded=''            # yes: what would be destroyed is production
declare -A connection # libpq's parameters, as CONNECTION_URL gives them
psql_arguments=()     # what stood after --
unset yes_drop        # the name that came with --yes-drop; never one from the environment

# usage_environment: the part of every usage text that is the same.
usage_environment() {
  cat <<'USAGE'

The database is CONNECTION_URL, or with the word prod PROD_CONNECTION_URL: any URL or keyword=value string
that libpq takes. CONNECTION_URL_FILE and PROD_CONNECTION_URL_FILE name a file that holds it and that others
cannot read. PGCONNECT_TIMEOUT is 5 seconds unless set.
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

# require_server DATABASE: stops where the server is older than the schema and the service need.
require_server() {
  local version
  version=$(run_psql "$1" <<<'\echo :SERVER_VERSION_NUM :SERVER_VERSION_NAME')
  ((${version%% *} >= 150000)) || die "this is PostgreSQL ${version#* }: Cruddur needs 15 or later"
}

# place: where the connection leads, for people and to compare.
place() {
  printf '%s on %s, port %s' "${connection[dbname]:-${PGDATABASE:-(no name)}}" \
    "${connection[host]:-${connection[hostaddr]:-${PGHOST:-the local socket}}}" "${connection[port]:-${PGPORT:-5432}}"
}

# read_connection VARIABLE: fills `connection` from $VARIABLE or from the file $VARIABLE_FILE names.
read_connection() {
  local url=${!1:-} file_variable=$1_FILE
  local file=${!file_variable:-}
  if [[ -n $file ]]; then
    [[ -z $url ]] || usage_error "$1 and $file_variable are both set"
    [[ -f $file && -r $file ]] || usage_error "$file_variable: cannot read $file"
    [[ -z $(find -L "$file" -prune -perm /027) ]] || usage_error "$file_variable: others can read $file (chmod 600)"
    url=$(<"$file")
    url=${url%"${url##*[![:space:]]}"}
  fi
  connection=()
  case $url in
    '') usage_error "$1 is not set" ;;
    postgresql://* | postgres://*) parse_url "$1" "${url#*://}" ;;
    *=*) parse_keywords "$1" "$url" ;;
    *) usage_error "$1 is neither a postgresql:// URL nor a keyword=value string" ;;
  esac
}

# parse_url VARIABLE REST: what follows the scheme, read as libpq reads it (fe-connect.c, conninfo_uri_parse_options).
parse_url() {
  local rest=$2 hosts query=''
  if [[ $rest =~ ^([^@/:]*)(:([^@/]*))?@(.*)$ ]]; then
    rest=${BASH_REMATCH[4]}
    local user=${BASH_REMATCH[1]} password=${BASH_REMATCH[3]}
    store "$1" user "$user"
    store "$1" password "$password"
  fi
  if [[ $rest == *'?'* ]]; then
    query=${rest#*\?}
    rest=${rest%%\?*}
  fi
  hosts=${rest%%/*}
  parse_hosts "$1" "$hosts,"
  rest=${rest#"$hosts"}
  store "$1" dbname "${rest#/}"
  parse_query "$1" "$query"
}

# parse_hosts VARIABLE "HOST[:PORT],…,": several hosts make one parameter with commas, and so do their ports.
parse_hosts() {
  local rest=$2 host='' port=''
  while [[ $rest =~ ^(\[([^],]+)\]|([^],:[]*))(:([^,]*))?,(.*)$ ]]; do
    host+=,${BASH_REMATCH[2]}${BASH_REMATCH[3]}
    port+=,${BASH_REMATCH[5]}
    rest=${BASH_REMATCH[6]}
  done
  [[ -z $rest ]] || usage_error "$1: a host in it is malformed"
  store "$1" host "${host#,}"
  store "$1" port "${port#,}"
}

# parse_query VARIABLE "KEYWORD=VALUE&…"
parse_query() {
  local rest=$2 keyword value
  while [[ $rest =~ ^([^=\&]+)=([^=\&]*)(\&(.*))?$ ]]; do
    keyword=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]} rest=${BASH_REMATCH[4]}
    percent_decode "$1" "$keyword"
    keyword=$REPLY
    percent_decode "$1" "$value"
    value=$REPLY
    [[ $keyword=$value != ssl=true ]] || keyword=sslmode value=require
    set_parameter "$1" "$keyword" "$value"
  done
  [[ -z $rest ]] || usage_error "$1: the part after the question mark is not name=value pairs joined by &"
}

# parse_keywords VARIABLE TEXT: host=a port=5 password='with \' and blanks'
parse_keywords() {
  local rest=$2 value
  local quoted="'(([^'\\\\]|\\\\.)*)'" plain="(([^'[:space:]\\\\]|\\\\.)([^[:space:]\\\\]|\\\\.)*)?"
  local pair="^[[:space:]]*([^[:space:]=]+)[[:space:]]*=[[:space:]]*($quoted(.*)|$plain([[:space:]].*)?)\$"
  while [[ $rest =~ $pair ]]; do
    rest=${BASH_REMATCH[5]}${BASH_REMATCH[9]}
    unescape "${BASH_REMATCH[3]}${BASH_REMATCH[6]}"
    set_parameter "$1" "${BASH_REMATCH[1]}" "$REPLY"
  done
  [[ $rest =~ ^[[:space:]]*$ ]] || usage_error "$1 is neither a postgresql:// URL nor a keyword=value string"
}

# store VARIABLE KEYWORD ENCODED: a part of the URL that libpq passes over when it is empty.
store() {
  [[ -n $3 ]] || return 0
  percent_decode "$1" "$3"
  set_parameter "$1" "$2" "$REPLY"
}

# set_parameter VARIABLE KEYWORD VALUE
set_parameter() {
  [[ $2 =~ ^[a-z_]+$ ]] || usage_error "$1: a parameter's name in it is malformed"
  connection[$2]=$3
}

# percent_decode VARIABLE TEXT: leaves the decoded text in REPLY.
percent_decode() {
  local LC_ALL=C text=${2//\\/\\\\}
  [[ $text =~ ^([^%]|%[[:xdigit:]]{2})*$ && $text != *%00* ]] || usage_error "$1: a %-sequence in it is malformed"
  printf -v REPLY '%b' "${text//%/\\x}"
}

# unescape TEXT: leaves it in REPLY with every backslash taken for the character after it.
unescape() {
  local rest=$1
  REPLY=''
  while [[ $rest == *\\* ]]; do
    REPLY+=${rest%%\\*}
    rest=${rest#*\\}
    REPLY+=${rest:0:1}
    rest=${rest:1}
  done
  REPLY+=$rest
}

# hide_secrets: takes the passwords out of `connection`, since psql's arguments are everybody's to read.
hide_secrets() {
  local keyword file fd secrets=''
  if [[ -v connection[password] ]]; then
    export PGPASSWORD=${connection[password]}
    unset 'connection[password]'
  fi
  for keyword in sslpassword oauth_client_secret scram_client_key scram_server_key; do
    [[ -v connection[$keyword] ]] || continue
    [[ ${connection[$keyword]} != *$'\n'* ]] || die "$keyword in the URL has a line break"
    secrets+=$keyword=${connection[$keyword]}$'\n'
    unset "connection[$keyword]"
  done
  [[ -n $secrets ]] || return 0

  # libpq has no environment variable for these, only a service file; this one has no name by the time psql reads it.
  [[ -z ${connection[service]:-}${PGSERVICE:-} ]] || die 'a service and a secret in the URL exclude each other'
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

# conninfo [DATABASE]: leaves `connection` in REPLY for psql, with another database's name if one is given.
conninfo() {
  local keyword value
  [[ -z ${1:-} ]] || connection[dbname]=$1
  REPLY=''
  for keyword in "${!connection[@]}"; do
    value=${connection[$keyword]//\\/\\\\}
    REPLY+="$keyword='${value//\'/\\\'}' "
  done
}

# exec_psql DATABASE [ARGUMENT…]: becomes psql on that database, or without a name on the URL's own.
exec_psql() {
  hide_secrets
  export PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-5} PGAPPNAME=${PGAPPNAME:-$PROGRAM}
  conninfo "$1"
  exec psql --no-psqlrc --set ON_ERROR_STOP=1 --dbname "$REPLY" "${@:2}"
}

# run_psql DATABASE [ARGUMENT…]: psql that never prompts; SQL comes from stdin or --file. Any failure is 1.
run_psql() {
  (exec_psql "$1" --no-password --quiet "${@:2}") || return 1
}

# load_sql FILE: a file of sql/ into DATABASE.
load_sql() {
  run_psql "$DATABASE" --file "$SQL_DIR/$1"
}

# confirm DEED: before a deed on production the database's name must be typed out or come with --yes-drop.
confirm() {
  local answer=''
  if [[ -v yes_drop ]]; then
    answer=$yes_drop
  elif [[ -n $guarded ]]; then
    alert "This will $1 $(place)."
    [[ ! -t 0 ]] || printf 'Type the name of the database to go on: ' >&2
    IFS= read -r answer || die 'nothing was typed, nothing was done'
  else
    return 0
  fi
  [[ $answer == "$DATABASE" ]] || die 'that is not the name of the database, nothing was done'
}
