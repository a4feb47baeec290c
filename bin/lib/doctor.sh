# shellcheck shell=bash
# The checks that db-doctor makes on this machine, and how it has those on the server run. Each check on the server is a file of
# lib/doctor/, which gives one row: its name, ok, warning or problem, what was found, and what to do. Sourced by db-doctor, never run.

# shellcheck source-path=SCRIPTDIR
source "${BASH_SOURCE[0]%/*}/backup.sh"

readonly OLDEST=150000 # server_version_num
readonly CLOCK_WARNING_S=2 CLOCK_PROBLEM_S=30
readonly SESSIONS_WARNING_PERCENT=80 SESSIONS_PROBLEM_PERCENT=95 # in use
readonly DEAD_ROWS_MIN=10000 DEAD_ROWS_PERCENT=50                # of the live ones
readonly PURGE_WARNING_S=900 PURGE_PROBLEM_S=86400               # since the end of the last one
readonly TIMEOUT_MIN_MS=5000                                     # statement_timeout of a role
readonly LAG_MAX_MB=16                                           # of a standby
readonly BACKUP_WARNING_H=26 BACKUP_PROBLEM_H=168                # age of the newest
readonly DISK_WARNING_PERCENT=90 DISK_PROBLEM_PERCENT=97         # in use

readonly SERVER_CHECKS='version primary tls login schema environment triggers indexes encoding time_zone clock pool sessions
  transactions locks dead_rows purge durability passwords timeout replication exposure'

readonly UNIT=$'\x1f' # stands between the columns of an answer
results=()            # four elements for each check: its name, the level, what was found, what to do
data_directory=''     # of the server, if this login may know it

# report NAME LEVEL FOUND ADVICE: control characters, which a server could send, become blanks.
report() {
  results+=("$1" "$2" "${3//[[:cntrl:]]/ }" "${4//[[:cntrl:]]/ }")
}

# advise_of MESSAGE: leaves in REPLY what to do about a connection that failed with this message of libpq's or the server's.
advise_of() {
  # A server's answer is matched before failed connections: the message may also have those of other addresses of the same name.
  case $1 in
    *'password authentication failed'* | *'no password supplied'* | *'empty password'*) REPLY='the password is not the one the server has: see the current secret, or set it by db-roles' ;;
    *'role "'*'does not exist'* | *'not permitted to log in'*) REPLY='db-roles makes the logins' ;;
    *'database "'*'does not exist'*) REPLY='db-create makes the database; is its name right?' ;;
    *'permission denied for database'*) REPLY='the login may not connect to this database: db-roles, then db-migrate as the owner' ;;
    *'no pg_hba.conf entry'*) REPLY='the server lets this login in from elsewhere or over TLS only: sslmode in the URL, pg_hba.conf on the server' ;;
    *'too many c'* | *'connection slots'*) REPLY='all sessions are in use: db-sessions as another login, fewer --workers, db-roles --app-connections' ;;
    *'starting up'* | *'shutting down'* | *'recovery mode'* | *'not yet accepting'*) REPLY='wait, and see the log of the server' ;;
    *certificate* | *SSL*) REPLY='see sslmode and sslrootcert in the URL, and the name and the end of the server'\''s certificate' ;;
    *'session is'* | *'server is'*) REPLY='no server of the URL is what target_session_attrs asks for: see which is the primary' ;;
    *'could not translate host name'*) REPLY='the name is unknown here: see its spelling and this machine'\''s DNS; the name of an RDS instance goes with the instance' ;;
    *'Connection refused'*) REPLY='the server is not running, or listens on another port or address: systemctl status postgresql, listen_addresses, port' ;;
    *'timeout expired'* | *'timed out'* | *'No route to host'* | *'etwork is unreachable'*) REPLY='nothing answers: is the instance running, is a firewall or security group in between (rds-update-sg-rule), is this machine in its network?' ;;
    *'No such file or directory'*) REPLY='the server is not running, or its unix_socket_directories are elsewhere' ;;
    *) REPLY='see the log of the server' ;;
  esac
}

# failure_of TEXT: leaves psql's errors in REPLY, as one line.
failure_of() {
  local text=$1
  [[ -z $text ]] || text=$(sed 's/^psql: error: //; /^\tIs the server /d' <<<"$1")
  REPLY=${text//$'\n'/; }
}

# ask_host N SQL [PSQL-ARGUMENT…]: connects to the Nth host of the URL alone, and leaves its answer in REPLY. Without an answer it leaves
# the reason there and is false.
ask_host() {
  local hosts addresses ports error parameter
  IFS=, read -ra hosts <<<"${connection[host]:-},"
  IFS=, read -ra addresses <<<"${connection[hostaddr]:-},"
  IFS=, read -ra ports <<<"${connection[port]:-},"
  if error=$(
    for parameter in host="${hosts[$1]:-}" hostaddr="${addresses[$1]:-}" port="${ports[$1]:-${ports[0]:-}}" target_session_attrs=any; do
      [[ -z ${parameter#*=} ]] || name_parameter "${parameter%%=*}" "${parameter#*=}"
    done
    exec_psql '' --no-password --quiet --tuples-only --no-align "${@:3}" 2>&1 <<<"$2"
  ); then
    REPLY=$error
    return
  fi
  failure_of "$error"
  return 1
}

# check_hosts: checks each host of a URL that has several.
check_hosts() {
  local names=${connection[host]:-${connection[hostaddr]:-}} list index found=() level=ok
  local sql="select case when pg_is_in_recovery() then 'a replica' else 'the primary' end"
  [[ $names == *,* ]] || return 0
  IFS=, read -ra list <<<"$names"
  for index in "${!list[@]}"; do
    ask_host "$index" "$sql" || level=warning
    found+=("${list[index]}: $REPLY")
  done
  printf -v names '%s; ' "${found[@]}"
  report hosts "$level" "${names%; }" 'a server that does not answer is missing when the others fail: start it, or take it out of the URL'
}

# check_replicas: checks each server of READ_CONNECTION_URL, if the service reads from replicas.
check_replicas() {
  local primary row
  [[ -n ${READ_CONNECTION_URL:-}${READ_CONNECTION_URL_FILE:-} ]] || return 0
  primary=$(exec_psql '' --no-password --quiet --tuples-only --no-align 2>/dev/null \
    <<<"select system_identifier || ' ' || pg_current_wal_lsn() from pg_control_system() where not pg_is_in_recovery()") || return 0
  [[ -n $primary ]] || return 0
  row=$(read_connection READ_CONNECTION_URL && compare_replicas "${primary% *}" "${primary#* }") || exit
  take_rows "$row"
}

# compare_replicas SYSTEM POSITION: prints the row of the check.
compare_replicas() {
  local list index text='' level=problem worst=ok advice='no read runs on a replica: see the standby'\''s log, and the URL'
  IFS=, read -ra list <<<"${connection[host]:-${connection[hostaddr]:-${PGHOST:-the local socket}}}"
  for index in "${!list[@]}"; do
    if ! ask_host "$index" "$(<"${BASH_SOURCE[0]%/*}/doctor/replicas.sql")" --set system="$1" --set position="$2" --set lag_max_mb="$LAG_MAX_MB"; then
      worst=warning
    elif [[ $REPLY == ok$UNIT* ]]; then
      level=ok
    elif [[ $REPLY == warning$UNIT* ]]; then
      worst=warning
    fi
    text+="${text:+; }${list[index]}: ${REPLY#*"$UNIT"}"
  done
  if [[ $level == ok && $worst != ok ]]; then
    level=warning advice='the primary runs the reads that the others do not: see their logs and their network'
  fi
  printf 'replicas%s%s%s%s%s%s\n' "$UNIT" "$level" "$UNIT" "${text//$'\n'/ }" "$UNIT" "$advice"
}

# sslmode: prints the sslmode that libpq uses.
sslmode() {
  if [[ $conninfo =~ (.*[?&[:space:]]|^)sslmode[[:space:]]*=[[:space:]]*\'?([a-z-]+) ]]; then
    printf '%s' "${BASH_REMATCH[2]}"
  elif [[ $conninfo =~ sslrootcert=\'?system || ${PGSSLROOTCERT:-} == system ]]; then
    printf 'verify-full'
  else
    printf '%s' "${PGSSLMODE:-prefer}"
  fi
}

# addresses: prints the addresses of the host that the URL names, if it names one host and no socket.
addresses() {
  local host=${connection[hostaddr]:-${connection[host]:-}}
  [[ -n $host && $host != /* && $host != *,* ]] || return 0
  { getent ahosts "$host" || true; } | awk '!seen[$1]++ { printf "%s%s", separator, $1; separator = " " }'
}

# questions: prints the input of psql: each file of SERVER_CHECKS, and for a check that fails a row that says so.
questions() {
  local check
  cat <<'PSQL'
\o /dev/null
set client_min_messages = error;
set statement_timeout = '10s';
set lock_timeout = '2s';
\o
select 'connection', 'ok', current_user || ' on ' || :'HOST' || ', port ' || :'PORT' || ', database ' || current_database(), '';
select 'data_directory', '', setting, '' from pg_settings where name = 'data_directory';
PSQL
  for check in $SERVER_CHECKS; do
    printf '\\set check %s\n\\i :checks/%s.sql\n' "$check" "$check"
    cat <<'PSQL'
\if :ERROR
select :'check', 'warning', 'could not be asked: ' || :'LAST_ERROR_MESSAGE', 'ask as the service''s login, or as the owner';
\endif
PSQL
  done
  printf '%s\n' "select 'end', '', '', '';"
}

# check_server SESSIONS NUMBER NAME SECONDS: runs all checks of the server in one session. False if there is none, or if it was lost.
check_server() {
  local errors answer status=0
  errors=$(mktemp)
  answer=$(questions | (exec_psql '' --no-password --quiet --tuples-only --no-align --field-separator "$UNIT" \
    --set ON_ERROR_STOP=0 --set checks="${BASH_SOURCE[0]%/*}/doctor" --set oldest="$OLDEST" --set sslmode="$(sslmode)" \
    --set addresses="$(addresses)" --set target="$target" --set needed="$1" --set last="$2" --set last_name="$3" --set patience_s="$4" \
    --set clock_warning_s="$CLOCK_WARNING_S" --set clock_problem_s="$CLOCK_PROBLEM_S" --set lag_max_mb="$LAG_MAX_MB" \
    --set sessions_warning_percent="$SESSIONS_WARNING_PERCENT" --set sessions_problem_percent="$SESSIONS_PROBLEM_PERCENT" \
    --set dead_rows_min="$DEAD_ROWS_MIN" --set dead_rows_percent="$DEAD_ROWS_PERCENT" --set timeout_min_ms="$TIMEOUT_MIN_MS" \
    --set purge_warning_s="$PURGE_WARNING_S" --set purge_problem_s="$PURGE_PROBLEM_S" 2>"$errors")) || status=$?
  failure_of "$(<"$errors")"
  rm "$errors"
  if [[ -z $answer ]]; then
    answer=$REPLY
    advise_of "$answer"
    report connection problem "${answer:-psql failed with status $status}" "$REPLY"
    return 1
  fi
  take_rows "$answer"
  if [[ ${answer##*$'\n'} != "end$UNIT"* ]]; then
    report connection problem "the session was lost: $REPLY" 'see the log of the server'
    return 1
  fi
}

# take_rows TEXT: reports rows of NAME, LEVEL, FOUND and ADVICE. Only FOUND, which may quote an error, has line breaks.
take_rows() {
  local row='' line name level found advice
  while IFS= read -r line; do
    row+=${row:+ }$line
    [[ $row == *"$UNIT"*"$UNIT"*"$UNIT"* ]] || continue
    IFS=$UNIT read -r name level found advice <<<"$row"
    row=''
    [[ $name != data_directory ]] || data_directory=$found
    [[ -z $level ]] || report "$name" "$level" "$found" "$advice"
  done <<<"$1"
}

# check_backups FOLDER: checks the age of the newest backup of this database, and whether there is room for one more.
check_backups() {
  local sum made newest='' newest_file='' hours size free
  for sum in "$1"/*.sha256; do
    [[ -f $sum && -f ${sum%.sha256} ]] || continue
    grep -qxF "# database $DATABASE" "$sum" || continue
    made=$(sed -n 's/^# made //p' "$sum")
    [[ ! $made > $newest ]] || newest=$made newest_file=${sum%.sha256}
  done
  if [[ -z $newest ]]; then
    report backup problem "$1 has no backup of $DATABASE" 'db-backup, every night by a timer'
    return
  fi
  hours=$((($(date +%s) - $(date --date "$newest" +%s)) / 3600))
  made=ok
  ((hours < BACKUP_WARNING_H)) || made=warning
  ((hours < BACKUP_PROBLEM_H)) || made=problem
  report backup "$made" "the newest is $newest_file, $hours hours old" 'see why db-backup was not run, or failed'
  size=$(stat -c %s -- "$newest_file")
  free=$(df --output=avail --block-size=1 -- "$1" | tail -n 1)
  made=ok
  ((free >= 2 * size)) || made=warning
  report backup_space "$made" "$((free / 1048576)) MB are free in $1, and the newest backup has $((size / 1048576)) MB" 'remove old backups, or give it a larger disk'
}

# check_disk: checks the disk of the data, if this login may know the data folder and the folder is on this machine.
check_disk() {
  local folder=$data_directory used level=ok
  [[ ${connection[host]:-${PGHOST:-/}} == /* ]] || return 0
  [[ -n $folder && -d $folder ]] || return 0
  used=$(df --output=pcent -- "$folder" | tail -n 1 | tr -dc 0-9)
  ((used < DISK_WARNING_PERCENT)) || level=warning
  ((used < DISK_PROBLEM_PERCENT)) || level=problem
  report disk "$level" "$used % of the disk of $folder are in use" 'a full disk stops the server: db-purge, a larger disk, see pg_wal and replication slots'
}
