# shellcheck shell=bash
# A backup is a file FILE, by pg_dump in its custom format, and beside it FILE.sha256. The latter has a line that sha256sum --check
# reads, and then the manifest, lines "# KEY VALUE" with what a restore needs and what it compares. Sourced by db-backup and
# db-restore, never run.

# shellcheck source-path=SCRIPTDIR
source "${BASH_SOURCE[0]%/*}/database.sh"

readonly MANIFEST_FORMAT='cruddur-backup 1'
# shellcheck disable=SC2034 # for db-backup
readonly LOCK_WAIT_S=60 # how long a backup waits for a lock on a table, which a migration may hold

# Tables of extensions are left out, since the extension makes them.
# shellcheck disable=SC2034 # for both
readonly OWN_TABLES="select c.oid, c.relkind, n.nspname, c.relname
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
    and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')"

# exec_postgres PROGRAM DATABASE [ARGUMENT…]: becomes pg_dump or the like, on that database. Its text is UTF-8.
exec_postgres() {
  use_utf8
  hide_secrets
  name_parameter dbname "$2"
  export PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-5} PGAPPNAME=${PGAPPNAME:-$PROGRAM}
  exec "$1" --no-password --dbname "$conninfo" "${@:3}"
}

# major_of PROGRAM: leaves in REPLY the major version of a program of PostgreSQL.
major_of() {
  local said
  require_command "$1" postgresql-client
  said=$("$1" --version) || die "$1 does not say its version"
  [[ $said =~ \ ([0-9]+) ]] || die "$1 does not say its version"
  REPLY=${BASH_REMATCH[1]}
}

# read_manifest FILE: fills `checksum` and `manifest`, a line "KEY VALUE" for each.
# shellcheck disable=SC2034 # they are for db-restore and db-doctor
read_manifest() {
  local line
  checksum='' manifest=''
  [[ -f $1 && -r $1 ]] || die "$1 cannot be read: it belongs to the backup and has its checksum"
  {
    IFS= read -r line && [[ $line =~ ^([0-9a-f]{64})\ [\ *] ]] && checksum=${BASH_REMATCH[1]} \
      && IFS= read -r line && [[ $line == "# $MANIFEST_FORMAT" ]]
  } <"$1" || die "$1 was not written by db-backup, or is damaged"
  manifest=$(sed -n '3,$s/^# //p' "$1")
}

# manifest_values KEY: prints the values of that key, a line for each.
manifest_values() {
  sed -n "s/^$1 //p" <<<"$manifest"
}
