#!/usr/bin/env bats
# The PostgreSQL that quickstart, the bench and the tests use: the one that PGBIN names, the version of the data, or the newest.

load helpers/common
load helpers/cluster

setup() {
  NEWEST=$PROGRAMS
  OWN=$BATS_TEST_TMPDIR/bin
  mkdir "$OWN" "$BATS_TEST_TMPDIR/dir"
  ln -s "$NEWEST"/* "$OWN"
}

# in_library COMMAND…: runs a function of the library that bin/quickstart and bin/bench share.
in_library() {
  bash -c 'set -euo pipefail; source "$1/lib/quickstart.sh"; dir=$2; unset "${!PG@}"; shift 2; "$@"' bash "$BIN" "$BATS_TEST_TMPDIR/dir" "$@"
}

# of_version VERSION: makes data of that version.
of_version() {
  mkdir -p "$BATS_TEST_TMPDIR"/dir/{pgdata,secrets}
  touch "$BATS_TEST_TMPDIR/dir/secrets/complete"
  printf '%s\n' "$1" >"$BATS_TEST_TMPDIR/dir/pgdata/PG_VERSION"
}

@test "the newest, unless PGBIN names another folder" {
  unset PGBIN
  for program in postgres initdb pgbench; do
    [[ $(in_library postgres_program "$program") == "/usr/lib/postgresql/"*"/bin/$program" ]]
    [[ $(PGBIN=$OWN in_library postgres_program "$program") == "$OWN/$program" ]]
  done
  PGBIN=$OWN in_library refuse_version
}

@test "a folder without the program is refused, and what to do is said" {
  PGBIN=$BATS_TEST_TMPDIR/dir run -1 in_library postgres_program postgres
  [[ $output == *"PGBIN=$BATS_TEST_TMPDIR/dir has no postgres: name a folder such as "* ]]
  PGBIN=/nowhere run -1 in_library refuse_version
  [[ $output == *'PGBIN=/nowhere has no postgres'* ]]
}

@test "data that are there are served by the version that they are of, or not at all" {
  local version
  unset PGBIN
  version=$("$NEWEST/postgres" --version | grep -oE '[0-9]+' | head -n 1)
  of_version "$version"
  [[ $(in_library postgres_program postgres) == "/usr/lib/postgresql/$version/bin/postgres" ]]
  in_library refuse_version
  of_version 99
  run -1 in_library refuse_version
  [[ $output == *"the data in "*" are of PostgreSQL 99 and "*" is $version: set PGBIN, or begin anew with --fresh"* ]]
}

@test "the tests take it, those of bats and those of pytest" {
  [[ $(PGBIN=$OWN BATS_TEST_DIRNAME=$BATS_TEST_DIRNAME bash -c 'load() { source "$BATS_TEST_DIRNAME/$1.bash"; }
    bats_require_minimum_version() { :; }
    load helpers/common; load helpers/cluster; echo "$PROGRAMS $PGBIN"') == "$OWN $OWN" ]]
  [[ $(cd "$BATS_TEST_DIRNAME/../http" && PGBIN=$OWN /usr/bin/python3 -B -c 'import places; print(places.postgres_program("psql"))') == "$OWN/psql" ]]
}
