# shellcheck shell=bash
# shellcheck disable=SC2034 # to, dry_run and outcome are for the scripts
# The migrations of sql/migrations, those of them that a database has, and how they are run. Sourced by db-migrate and
# db-rollback, never run. The table applied_migrations has their numbers, names and checksums.

# shellcheck source-path=SCRIPTDIR
source "${BASH_SOURCE[0]%/*}/database.sh"

readonly MIGRATIONS=$SQL_DIR/migrations

to=''             # the number that --to gives
dry_run=''        # yes: --dry-run is given
names=()          # number -> name
checksums=()      # number -> SHA-256 of NNNN_name.up.sql
down_checksums=() # … and of NNNN_name.down.sql
applied=''        # what applied_migrations holds, a line "NUMBER NAME CHECKSUM [CHECKSUM-OF-THE-WAY-BACK]" for each
at=0              # the last number in it
outcome=''        # of run_migrations: `changed` when another run came first

# psql's commands that leave the lines of `applied` in a variable of that name.
# shellcheck disable=SC2016 # nothing here is for the shell
readonly READ_APPLIED='select to_regclass($$public.applied_migrations$$) is null as missing \gset
\if :missing
\set applied
\else
select coalesce(string_agg(concat_ws($$ $$, number, name, checksum), chr(10) order by number), $$$$) as applied
from public.applied_migrations \gset
\endif'

# db-backup holds this lock as a shared one.
readonly TAKE_LOCK="\\o /dev/null
select pg_try_advisory_lock(1668445540) as locked \\gset
\\if :locked
\\else
\\warn 'db-backup, or another db-migrate or db-rollback, is at work on this database: waiting for its end'
select pg_advisory_lock(1668445540);
\\endif"

readonly STOP_IF_CHANGED="select :'applied' <> :'expected' as changed \\gset
\\if :changed
\\echo changed
\\quit
\\endif"

readonly BEGIN_MIGRATION="\\warn == :file
begin;
set local search_path = public;
set local timezone = 'UTC';
select set_config('lock_timeout', '5s', true) where current_setting('lock_timeout') = '0';"

readonly RECORD_UP="select to_regclass('public.applied_migrations') is null as missing \\gset
\\if :missing
create table public.applied_migrations (
    number     integer     not null,
    name       text        not null,
    checksum   text        not null,
    applied_at timestamptz not null default now(),
    constraint applied_migrations_pkey primary key (number)
);
\\endif
insert into public.applied_migrations (number, name, checksum) values (:number, :'name', :'checksum');"

readonly RECORD_DOWN='delete from public.applied_migrations where number = :number;'

# parse_migration_arguments "OPTION…" ARGUMENT…: like parse_arguments, and takes --dry-run and --to N.
parse_migration_arguments() {
  local allowed=$1 others=()
  shift
  while (($#)); do
    case $1 in
      --dry-run) dry_run=yes ;;
      --to)
        [[ ${2:-} =~ ^[0-9]{1,4}$ ]] || usage_error '--to needs the number of a migration'
        to=$((10#$2))
        shift
        ;;
      --yes-drop)
        others+=("${@:1:2}")
        (($# == 1)) || shift
        ;;
      *) others+=("$1") ;;
    esac
    shift
  done
  parse_arguments "$allowed" "${others[@]}"
}

# label NUMBER: 0001_week_4
label() {
  if (($1 == 0)); then
    printf 'the beginning'
  else
    printf '%04d_%s' "$1" "${names[$1]}"
  fi
}

# list up|down NUMBER…: the files, a line for each.
list() {
  local number
  for number in "${@:2}"; do
    printf '%s.%s.sql\n' "$(label "$number")" "$1"
  done
}

# find_migrations: fills `names` and `checksums`. Numbers go from 1 without a gap, and each up file has a down file.
find_migrations() {
  local file base next=1 files=("$MIGRATIONS"/*.up.sql) LC_ALL=C
  for file in "${files[@]}"; do
    base=${file##*/}
    [[ $base =~ ^([0-9]{4})_([a-z0-9_]+)\.up\.sql$ ]] || die "sql/migrations/$base is not named NNNN_name.up.sql: rename it, or take it away"
    ((10#${BASH_REMATCH[1]} == next)) || die "sql/migrations/$base: number $next was to come. Is the checkout whole (git status)?"
    names[next]=${BASH_REMATCH[2]}
    [[ -f ${file%.up.sql}.down.sql ]] || die "sql/migrations/${base%.up.sql}.down.sql is missing: every migration has a way back"
    next=$((next + 1))
  done
  read_checksums checksums "${files[@]}"
  read_checksums down_checksums "${files[@]/%.up.sql/.down.sql}"
}

# read_checksums ARRAY FILE…: fills the array of that name with the files' checksums, from index 1 on.
read_checksums() {
  local -n array=$1
  local line next=1
  while read -r -d '' line; do
    array[next]=${line%% *}
    next=$((next + 1))
  done < <(sha256sum --zero "${@:2}")
  ((next == $#)) || die "the files in $MIGRATIONS cannot be read: see that this role may, and that the checkout is whole"
}

# read_applied: reads the migrations of the database into `applied` and `at`. Stops unless they are the first ones of sql/migrations.
read_applied() {
  local number name checksum down
  applied=$(run_psql "$DATABASE" <<<"$READ_APPLIED"$'\n''\echo :applied') \
    || die "which migrations $(place) has could not be read: log in as the owner of its tables"
  at=0
  [[ -n $applied ]] || return 0
  while read -r number name checksum down; do
    [[ $number =~ ^[1-9][0-9]{0,3}$ && -v names[number] && ${names[number]} == "$name" ]] \
      || die "$(place) has a migration $number, $name, and sql/migrations has not: is this an older checkout?"
    ((number == at + 1)) || die "$(place) has the migration $(label "$number"), but not the one before it: was applied_migrations changed by hand?"
    [[ ${checksums[number]} == "$checksum" ]] \
      || die "sql/migrations/$(label "$number").up.sql is not the file that was applied to $(place): put it back, and make a change a new migration"
    [[ ${down:-${down_checksums[number]}} == "${down_checksums[number]}" ]] \
      || die "sql/migrations/$(label "$number").down.sql is not the file that came with what was applied to $(place): put it back (git checkout)"
    at=$number
  done <<<"$applied"
}

# record_ways_back: stores the checksums of the down files of those applied migrations that have none yet: those that were
# applied by an older version of this script or came with sql/schema.sql. The files are taken as they are now.
record_ways_back() {
  local number ways=''
  for number in "${!down_checksums[@]}"; do
    ways+="$number ${down_checksums[number]}"$'\n'
  done
  run_psql "$DATABASE" --set ways="${ways%$'\n'}" <<'PSQL' || die 'the checksums of the down files could not be stored: run db-migrate again'
select to_regclass('public.applied_migrations') is not null as is_there \gset
\if :is_there
update public.applied_migrations
set checksum = checksum || ' ' || split_part(way, ' ', 2)
from string_to_table(:'ways', chr(10)) way
where number = split_part(way, ' ', 1)::integer and checksum !~ ' ';
\endif
PSQL
}

# grant_reading: gives the role that only reads its rights to new tables.
grant_reading() {
  load_sql readonly.sql || die 'cruddur_readonly did not get its rights: run db-migrate again, as the owner of the tables'
}

# run_migrations up|down NUMBER…: runs each migration in a transaction with its line in applied_migrations, under a lock that one run has
# at a time. If another run came first, nothing is done.
run_migrations() {
  outcome=$(run_psql "$DATABASE" --set migrations="$MIGRATIONS" --set expected="$applied" <<<"$(psql_commands "$@")") \
    || die 'a migration failed: what it had done is undone, those before it stay. Correct the cause shown above, then run this again'
}

# psql_commands up|down NUMBER…: prints the input of psql. A migration that does not get a lock on a table in 5 seconds ends, since every
# session behind it in the lock's queue waits as long as it does.
psql_commands() {
  local number record=RECORD_${1^^}
  printf '%s\n' "$TAKE_LOCK" "$READ_APPLIED" "$STOP_IF_CHANGED"
  for number in "${@:2}"; do
    printf "\\\\set number %d\\n\\\\set name %s\\n\\\\set checksum '%s %s'\\n\\\\set file %04d_%s.%s.sql\\n" \
      "$number" "${names[number]}" "${checksums[number]}" "${down_checksums[number]}" "$number" "${names[number]}" "$1"
    printf '%s\n' "$BEGIN_MIGRATION" "${!record}" '\i :migrations/:file' 'commit;'
  done
}
